"""Operators that compute on codes become real ones, between decoding and coding.

QLinearConv and its like stand for QuantizeLinear of Conv of DequantizeLinear: each sums integers
exactly and rounds once to a code. In floats the sums are rounded as well, so that a code may flip
where the real result lies halfway between two; `prove_qoperators.py` demands that it does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

import numpy as np
import onnx_ir as ir

from mcc.ir.network import Array, Editor, Network, constant_of, static_shape
from mcc.passes.attributes import integer, is_standard, operand, real, required
from mcc.passes.base import PassContext

_MICROSOFT = "com.microsoft"


@final
@dataclass(frozen=True)
class _Form:
    """How an operator on codes is put together: operands, parameters of the result, and a bias."""

    op_type: str
    """The operator of the standard that it stands for."""
    operands: tuple[int, ...] = (0,)
    """Where the operands are: each a tensor, its scale and its zero point. If empty: at the end."""
    result: int = 3
    """Where the scale and the zero point of the result are."""
    bias: int | None = None
    """Where its bias is: integers whose scale is the product of those of the operands."""


_FORMS: Mapping[tuple[str, str], _Form] = {
    ("", "QLinearConv"): _Form("Conv", (0, 3), result=6, bias=8),
    ("", "QLinearMatMul"): _Form("MatMul", (0, 3), result=6),
    (_MICROSOFT, "QGemm"): _Form("Gemm", (0, 3), result=7, bias=6),
    (_MICROSOFT, "QLinearAdd"): _Form("Add", (0, 3), result=6),
    (_MICROSOFT, "QLinearAveragePool"): _Form("AveragePool"),
    (_MICROSOFT, "QLinearConcat"): _Form("Concat", (), result=0),
    (_MICROSOFT, "QLinearGlobalAveragePool"): _Form("GlobalAveragePool"),
    (_MICROSOFT, "QLinearLeakyRelu"): _Form("LeakyRelu"),
    (_MICROSOFT, "QLinearMul"): _Form("Mul", (0, 3), result=6),
    (_MICROSOFT, "QLinearSigmoid"): _Form("Sigmoid"),
}
_MOVEMENTS = ("Flatten", "MaxPool", "Reshape", "Squeeze", "Transpose", "Unsqueeze")
"""Operators that commute with decoding: their results are elements of their first input."""


@final
@dataclass(frozen=True)
class Opened:
    """What an operator on codes stands for, before its last rounding."""

    op_type: str
    operands: tuple[ir.Value, ...]
    """Real numbers: decoded tensors, and constants."""
    scale: ir.Value
    zero: ir.Value
    """Of the codes of the result."""
    attributes: Mapping[str, ir.Attr]


def is_qoperator(node: ir.Node) -> bool:
    """Whether `node` computes on codes and is known here."""
    return (node.domain, node.op_type) in _FORMS


def lower_qoperators(network: Network, context: PassContext | None = None) -> None:
    """Rewrite what computes on codes, and decode before codes are moved, in place."""
    if any(is_qoperator(node) for node in network.graph):
        open_codes(network, context)
        decode_early(network)


def open_codes(network: Network, context: PassContext | None = None) -> None:
    """Rewrite what computes on codes, in place; `context` is told of what stays."""
    edit, decoder = Editor(network.graph), Decoder(network.graph)
    for node in [node for node in network.graph if is_qoperator(node)]:
        opened = decoder.open(node)
        if isinstance(opened, Opened):
            edit.replace(node, coded_result(edit, node, opened, str(node.name)))
        elif context is not None:
            context.report("left-on-host", f"`{node.name}` stays {node.op_type}: {opened}", node)


def decode_early(network: Network) -> None:
    """Let codes be decoded before they are moved, not after, in place. The bits stay."""
    edit = Editor(network.graph)
    for node in reversed(list(network.graph)):
        if is_standard(node, *_MOVEMENTS):
            _decode_before(edit, node)


@final
class Decoder:
    """Adds DequantizeLinear to a graph, once for each tensor and its parameters."""

    def __init__(self, graph: ir.Graph) -> None:
        self._edit = Editor(graph)
        self._decoded: dict[tuple[ir.Value, bytes, bytes], ir.Value] = {}

    def open(self, node: ir.Node) -> Opened | str:
        """Decode the operands of an operator on codes, or say why that cannot be."""
        form = _FORMS[node.domain, node.op_type]
        result = _numbers(node, form.result)
        places = form.operands or tuple(range(2, len(node.inputs), 3))
        found = [_numbers(node, place + 1) for place in places]
        numbers = [pair for pair in found if pair is not None]
        if result is None or len(numbers) < len(found):
            return "a scale or zero point is left out, or computed at run time"
        weight, axis = numbers[-1][0], _columns(node, form.op_type)
        if any(scale.ndim for scale, _ in (*numbers[:-1], result)) or (
            weight.ndim and (axis is None or not _along(required(node, 3), weight, axis))
        ):
            return "its scales are not one for each output channel of the weight"
        if integer(node, "channels_last", 0):
            return "its channels come last"
        bias = None if form.bias is None else operand(node, form.bias)
        if bias is not None and constant_of(bias) is None:
            return "its bias is computed at run time"
        operands = [
            self._decode(node, required(node, place), pair, axis or 0)
            for place, pair in zip(places, numbers, strict=True)
        ]
        if bias is not None:
            operands.append(self._bias(node, bias, numbers))
        scale, zero = (self._edit.constant(item, f"{node.name}.y") for item in result)
        kept = {name: item for name, item in node.attributes.items() if name != "channels_last"}
        return Opened(form.op_type, tuple(operands), scale, zero, kept)

    def _decode(
        self, node: ir.Node, codes: ir.Value, numbers: tuple[Array, Array], axis: int
    ) -> ir.Value:
        scale, zero = numbers
        key = (codes, scale.tobytes(), zero.tobytes())
        if key not in self._decoded:
            inputs = [codes, *(self._edit.constant(item, f"{codes.name}.code") for item in numbers)]
            self._decoded[key] = self._edit.standard(
                "DequantizeLinear",
                inputs,
                {"axis": axis} if scale.ndim else {},
                before=node,
                name=f"{codes.name}/real",
            )
        return self._decoded[key]

    def _bias(self, node: ir.Node, bias: ir.Value, numbers: list[tuple[Array, Array]]) -> ir.Value:
        integers, factor = constant_of(bias), np.float64(real(node, "alpha", 1.0))
        assert integers is not None
        scale = factor * numbers[0][0] * numbers[1][0]
        return self._edit.constant((integers * scale).astype(np.float32), f"{node.name}.bias")


def _numbers(node: ir.Node, place: int) -> tuple[Array, Array] | None:
    """Return a scale and the zero point after it, of one shape: () or one axis."""
    scale, zero = constant_of(operand(node, place)), constant_of(operand(node, place + 1))
    if scale is None or zero is None or scale.dtype != np.float32:
        return None
    scale = scale.reshape(()) if scale.size == 1 else scale
    if zero.size != 1 and zero.shape != scale.shape:
        return None
    return scale, np.broadcast_to(
        zero if zero.shape == scale.shape else zero.reshape(()), scale.shape
    )


def _columns(node: ir.Node, op_type: str) -> int | None:
    """Return the axis of a weight that counts its output channels."""
    if op_type == "Gemm":
        return 0 if integer(node, "transB", 0) else 1
    return {"Conv": 0, "MatMul": 1}.get(op_type)


def _along(weight: ir.Value, scale: Array, axis: int) -> bool:
    """Whether there is one scale for each place on an axis of a convolution or matrix."""
    shape = static_shape(weight) or ()
    return (axis == 0 or len(shape) == 2) and scale.shape == (shape[axis],)


def real_result(edit: Editor, node: ir.Node, opened: Opened, name: str) -> ir.Value:
    """Add the real operator before `node`."""
    return edit.standard(opened.op_type, opened.operands, opened.attributes, before=node, name=name)


def coded_result(edit: Editor, node: ir.Node, opened: Opened, name: str) -> ir.Value:
    """Add the real operator before `node`, and the rounding to codes, which is called `name`."""
    result = real_result(edit, node, opened, f"{name}/real")
    inputs = [result, opened.scale, opened.zero]
    return edit.standard("QuantizeLinear", inputs, before=node, name=name)


def _decode_before(edit: Editor, node: ir.Node) -> None:
    """Move codes as real numbers, where all that read them decode them with one scale."""
    moved = node.outputs[0]
    readers = list(moved.consumers())
    if moved.is_graph_output() or any(value.uses() for value in node.outputs[1:]) or not readers:
        return
    if not all(is_standard(reader, "DequantizeLinear") for reader in readers):
        return
    numbers = [_numbers(reader, 1) for reader in readers]
    first = numbers[0]
    if (
        first is None
        or first[0].ndim
        or any(item is None or item[0] != first[0] or item[1] != first[1] for item in numbers)
    ):
        return
    codes = required(node, 0)
    parameters = [edit.constant(item, f"{codes.name}.code") for item in first]
    name = f"{codes.name}/real"
    decoded = edit.standard("DequantizeLinear", [codes, *parameters], before=node, name=name)
    again = edit.standard(
        node.op_type,
        [decoded, *node.inputs[1:]],
        dict(node.attributes),
        before=node,
        name=f"{node.name}/real",
    )
    for reader in readers:
        edit.replace(reader, again)
    edit.remove([node])
