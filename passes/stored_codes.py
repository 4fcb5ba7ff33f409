"""Activations with scales of their own: QuantizeLinear and DequantizeLinear of the standard.

Both have an exact form on the cores where one scale and one zero point count for the whole tensor:

QuantizeLinear(x)       = mcc.Quantize(x, scale)
DequantizeLinear(codes) = mcc.Dequantize(codes, 1, -zero_point) * scale

The middle term of the second is an exact integer, so that there, too, one rounding is left.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from mcc.ir.network import Dequantize, Editor, Quantize, constant_of, static_shape
from mcc.passes.attributes import integer, is_standard, operand, required
from mcc.passes.base import PassContext
from mcc.passes.quantize_arithmetic import LEAST_SCALE, Codes, Mapping

_CODES = {ir.DataType.INT8: Codes(8, True), ir.DataType.UINT8: Codes(8, False)}
_MOVEMENTS = (
    "Expand",
    "Flatten",
    "Identity",
    "MaxPool",
    "Reshape",
    "Slice",
    "Split",
    "Squeeze",
    "Transpose",
    "Unsqueeze",
)
"""Operators whose results are elements of their first input."""


def stored_mapping(x: ir.Value) -> Mapping | None:
    """Return how a value is coded, where DequantizeLinear has made all of its elements."""
    node = x.producer()
    while node is not None and is_standard(node, *_MOVEMENTS):
        node = required(node, 0).producer()
    if node is None or not is_standard(node, "DequantizeLinear"):
        return None
    mapping = _mapping(node)
    return mapping if isinstance(mapping, Mapping) else None


def codes_behind(x: ir.Value, mapping: Mapping) -> ir.Value | None:
    """Return the codes that DequantizeLinear makes `x` of, if they are those of `mapping`."""
    node = x.producer()
    if node is None or not is_standard(node, "DequantizeLinear") or _mapping(node) != mapping:
        return None
    return required(node, 0)


def rewrite_stored_codes(graph: ir.Graph, context: PassContext) -> None:
    """Give QuantizeLinear and DequantizeLinear their form on the cores, bit for bit."""
    edit = Editor(graph)
    made: dict[tuple[ir.Value, Mapping], ir.Value] = {}
    for node in list(graph):
        if not is_standard(node, "QuantizeLinear", "DequantizeLinear"):
            continue
        mapping = _mapping(node)
        if isinstance(mapping, str):
            context.report("left-on-host", f"`{node.name}` stays {node.op_type}: {mapping}", node)
        elif node.op_type == "DequantizeLinear":
            _dequantize(edit, node, mapping)
        else:
            key = (required(node, 0), mapping)
            if key not in made or node.outputs[0].is_graph_output():
                made[key] = _quantize(edit, node, mapping)
            edit.replace(node, made[key])


def _mapping(node: ir.Node) -> Mapping | str:
    """Return how QuantizeLinear or DequantizeLinear codes, or why no core does that."""
    source, result = required(node, 0), node.outputs[0]
    real, coded = (source, result) if node.op_type == "QuantizeLinear" else (result, source)
    form = None if coded.dtype is None else _CODES.get(coded.dtype)
    if form is None:
        return f"its codes are {coded.dtype}, neither INT8 nor UINT8"
    if real.dtype is not ir.DataType.FLOAT or integer(node, "precision", 1) not in (0, 1):
        return "it does not compute in float32"
    if static_shape(real) is None:
        return "its shape is not static"
    scale, zero = constant_of(operand(node, 1)), constant_of(operand(node, 2))
    if scale is None or (zero is None and operand(node, 2) is not None):
        return "its scale or zero point is computed at run time"
    if scale.size != 1 or scale.dtype != np.float32 or integer(node, "block_size", 0):
        return f"its scale is {scale.dtype} {scale.shape}, not one number of float32"
    if not LEAST_SCALE <= float(scale.item()) < np.inf:
        return f"its scale is {scale.item()}"
    return Mapping(form, float(scale.item()), 0 if zero is None else int(zero.item()))


def _quantize(edit: Editor, node: ir.Node, mapping: Mapping) -> ir.Value:
    scale = edit.constant(np.float32(mapping.scale), f"{node.name}/scale")
    operator = Quantize(
        x=required(node, 0),
        scale=scale,
        zero_point=mapping.zero_point,
        bits=mapping.codes.bits,
        signed=mapping.codes.signed,
    )
    return edit.add(operator, before=node, name=str(node.name))


def _dequantize(edit: Editor, node: ir.Node, mapping: Mapping) -> None:
    if not node.outputs[0].uses() and not node.outputs[0].is_graph_output():
        edit.remove([node])
        return
    codes, name = required(node, 0), str(node.name)
    scale = edit.constant(np.float32(mapping.scale), f"{name}/scale")
    if mapping.zero_point == 0:
        edit.replace(node, edit.add(Dequantize(sums=codes, scale=scale), before=node, name=name))
        return
    one = edit.constant(np.float32(1), f"{name}/one")
    zero = edit.constant(np.float32(-mapping.zero_point), f"{name}/zero")
    steps = edit.add(
        Dequantize(sums=codes, scale=one, bias=zero), before=node, name=f"{name}/steps"
    )
    edit.replace(node, edit.standard("Mul", [steps, scale], before=node, name=name))
