"""Operators whose meaning changed between opsets, in their old meaning and today's form.

The converter of ONNX leaves some of them with the new meaning. Those of `OLD` are hidden from it
and written anew, at the opset that it converts to, as ONNX Runtime computes them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import onnx
import onnx_ir as ir

from mcc.ir.diagnostics import Location, error
from mcc.ir.network import inherit
from mcc.ir.tensors import Array

HIDDEN = "mcc.old"
"""The domain of nodes that the converter must not touch."""

Rewrite = Callable[[ir.tape.Tape, ir.Node, int], Sequence[ir.Value]]
"""Writes a node of an old opset anew; returns its outputs."""


def hide(model: ir.Model, opset: int) -> None:
    """Move to another domain what the converter knows not, or wrongly. Changes `model`."""
    for node in ir.traversal.RecursiveGraphIterator(model.graph):
        if node.domain == "" and (
            _rewrite_of(node, opset) or not onnx.defs.has(node.op_type, opset, "")
        ):
            node.domain = HIDDEN
    model.graph.opset_imports[HIDDEN] = 1


def unhide(model: ir.Model, opset: int) -> None:
    """Write what was hidden anew; what nobody rewrites comes back as it was. Changes `model`.

    Args:
        model: Converted, with its hidden nodes.
        opset: The one that the hidden nodes are written for.

    Raises:
        MccError: A node has no form in newer opsets.
    """
    hidden = ir.traversal.RecursiveGraphIterator(model.graph)
    for node in [node for node in hidden if node.domain == HIDDEN]:
        node.domain = ""
        rewrite = _rewrite_of(node, opset)
        if rewrite is not None:
            _replace(node, rewrite, opset)
    model.graph.opset_imports.pop(HIDDEN, None)


def _replace(node: ir.Node, rewrite: Rewrite, opset: int) -> None:
    tape = ir.tape.Tape()
    values = rewrite(tape, node, opset)
    for value in node.outputs[len(values) :]:
        if value.uses() or value.is_graph_output():
            text = f"output `{value.name}` of `{node.op_type}` of opset {opset} is used"
            help = "export the model without it"
            raise error("opset-unsupported", text, help, Location("", 0, node.name or ""))
    for new in tape.nodes:
        new.name = node.name
        inherit(new, node)
    assert node.graph is not None
    old = node.outputs[: len(values)]
    ir.convenience.replace_nodes_and_values(node.graph, node, [node], tape.nodes, old, values)


def _rewrite_of(node: ir.Node, opset: int) -> Rewrite | None:
    first, last, rewrite = OLD.get(node.op_type, (0, 0, None))
    return rewrite if first <= opset <= last else None


def _softmax(tape: ir.tape.Tape, node: ir.Node, opset: int) -> list[ir.Value]:
    """Before opset 13, all axes from `axis` on were one."""
    x = _input(node, 0)
    axis = node.attributes.get_int("axis", 1)
    if axis == -1 or (x.shape is not None and axis == len(x.shape) - 1):
        return [tape.op(node.op_type, [x], {"axis": -1})]
    flat = tape.op("Flatten", [x], {"axis": axis})
    result = tape.op(node.op_type, [flat], {"axis": -1})
    return [tape.op("Reshape", [result, _shape(tape, x)])]


def _resize(tape: ir.tape.Tape, node: ir.Node, opset: int) -> list[ir.Value]:
    """Before opset 11, coordinates were scaled from 0, and `nearest` knew no rounding.

    ONNX Runtime takes the element below along axes that grow, and the one above along those that
    shrink.
    """
    x = _input(node, 0)
    listed = node.attributes.get("scales")
    scales = _input(node, 1) if listed is None else _constant(tape, listed.as_floats(), "float32")
    mode = node.attributes.get_string("mode", "nearest")
    if mode != "nearest":
        return [_scaled(tape, x, scales, {"mode": mode})]
    known = ir.convenience.get_const_tensor(scales)
    factors = None if known is None else known.numpy()
    one = _constant(tape, 1.0, "float32")
    for select, rounding in (("Min", "ceil"), ("Max", "floor")):
        part = tape.op(select, [scales, one])
        if factors is not None:
            chosen = np.minimum(factors, 1) if select == "Min" else np.maximum(factors, 1)
            if (chosen == 1).all():
                continue
            part = _constant(tape, chosen, "float32")
        x = _scaled(tape, x, part, {"mode": mode, "nearest_mode": rounding})
    return [tape.op("Identity", [x])]


def _scaled(
    tape: ir.tape.Tape, x: ir.Value, scales: ir.Value, attributes: dict[str, str]
) -> ir.Value:
    coordinates = {"coordinate_transformation_mode": "asymmetric"}
    return tape.op("Resize", [x, None, scales], {**attributes, **coordinates})


def _pad(tape: ir.tape.Tape, node: ir.Node, opset: int) -> list[ir.Value]:
    """Before opset 11, the widths were attributes; the converter takes the value for a float32."""
    x = _input(node, 0)
    widths = _constant(tape, node.attributes["pads"].as_ints(), "int64")
    value = _like(tape, node.attributes.get_float("value", 0.0), x)
    mode = node.attributes.get_string("mode", "constant")
    return [tape.op("Pad", [x, widths, value], {"mode": mode})]


def _batch_norm(tape: ir.tape.Tape, node: ir.Node, opset: int) -> list[ir.Value]:
    """Before opset 9, there could be statistics for every element of a sample."""
    x, scale, bias, mean, variance = (_input(node, index) for index in range(5))
    epsilon = node.attributes.get_float("epsilon", 1e-5)
    if node.attributes.get_int("spatial", 1):
        operands = [x, scale, bias, mean, variance]
        return _norm(tape, node, operands, {"epsilon": epsilon})
    wide = tape.op("Add", [variance, _like(tape, epsilon, variance)])
    factor = tape.op("Div", [scale, tape.op("Sqrt", [wide])])
    offset = tape.op("Sub", [bias, tape.op("Mul", [mean, factor])])
    return [tape.op("Add", [tape.op("Mul", [x, factor]), offset])]


def _norm(
    tape: ir.tape.Tape, node: ir.Node, operands: list[ir.Value], attributes: dict[str, float]
) -> list[ir.Value]:
    """More than one output meant training: the statistics are those of the batch.

    Its other outputs are refused: ONNX Runtime fills them with nothing that could be held against.
    """
    if len(node.outputs) == 1:
        return [tape.op("BatchNormalization", operands, attributes)]
    training = {**attributes, "training_mode": 1}
    return [tape.op_multi_out("BatchNormalization", operands, training, num_outputs=3)[0]]


def _dropout(tape: ir.tape.Tape, node: ir.Node, opset: int) -> list[ir.Value]:
    """Before opset 12, it did nothing, and ONNX Runtime gives a mask of zeros."""
    x = _input(node, 0)
    result = tape.op("Identity", [x])
    if len(node.outputs) == 1:
        return [result]
    zeros = ir.tensor(np.zeros(1, np.bool_))
    mask = tape.op("ConstantOfShape", [_shape(tape, x)], {"value": zeros})
    return [result, mask if opset >= 10 else tape.op("CastLike", [mask, x])]


def _affine(tape: ir.tape.Tape, node: ir.Node, opset: int) -> list[ir.Value]:
    alpha, beta = node.attributes.get_float("alpha", 1.0), node.attributes.get_float("beta", 0.0)
    inner = {"Affine": None, "ParametricSoftplus": "Softplus", "ScaledTanh": "Tanh"}[node.op_type]
    x = _input(node, 0)
    if inner is None:
        scaled = tape.op("Mul", [x, _constant(tape, alpha, "float32")])
        return [tape.op("Add", [scaled, _constant(tape, beta, "float32")])]
    curve = tape.op(inner, [tape.op("Mul", [x, _constant(tape, beta, "float32")])])
    return [tape.op("Mul", [curve, _constant(tape, alpha, "float32")])]


def _image_scaler(tape: ir.tape.Tape, node: ir.Node, opset: int) -> list[ir.Value]:
    scale = _constant(tape, node.attributes.get_float("scale", 1.0), "float32")
    channels = np.asarray(node.attributes["bias"].as_floats()).reshape(-1, 1, 1)
    scaled = tape.op("Mul", [_input(node, 0), scale])
    return [tape.op("Add", [scaled, _constant(tape, channels, "float32")])]


def _crop(tape: ir.tape.Tape, node: ir.Node, opset: int) -> list[ir.Value]:
    left, top, right, bottom = node.attributes["border"].as_ints()
    ends = [-bottom or _END, -right or _END]
    if "scale" in node.attributes:
        height, width = node.attributes["scale"].as_ints()
        ends = [top + height, left + width]
    places = [_constant(tape, numbers, "int64") for numbers in ([top, left], ends, [2, 3])]
    return [tape.op("Slice", [_input(node, 0), *places])]


def _slice(tape: ir.tape.Tape, node: ir.Node, opset: int) -> list[ir.Value]:
    return [tape.op("Slice", node.inputs)]


def _input(node: ir.Node, index: int) -> ir.Value:
    value = node.inputs[index]
    assert value is not None
    return value


def _constant(tape: ir.tape.Tape, numbers: float | Iterable[float] | Array, kind: str) -> ir.Value:
    array = np.asarray(numbers, np.dtype(kind))
    return tape.op("Constant", [], {"value": ir.tensor(array)})


def _like(tape: ir.tape.Tape, number: float, value: ir.Value) -> ir.Value:
    """Write a number in the element type of `value`."""
    constant = _constant(tape, number, "float32")
    if value.dtype == ir.DataType.FLOAT:
        return constant
    return tape.op("CastLike", [constant, value])


def _shape(tape: ir.tape.Tape, value: ir.Value) -> ir.Value:
    """Write the shape of `value`, as a constant where it is known."""
    if value.shape is not None and value.shape.is_static():
        return _constant(tape, value.shape.numpy(), "int64")
    return tape.op("Shape", [value])


_END = 2**31 - 1
"""Past the end of every axis."""

OLD: dict[str, tuple[int, int, Rewrite]] = {
    "Affine": (1, 9, _affine),
    "BatchNormalization": (7, 13, _batch_norm),
    "Crop": (1, 9, _crop),
    "Dropout": (7, 11, _dropout),
    "DynamicSlice": (1, 9, _slice),
    "Hardmax": (1, 12, _softmax),
    "ImageScaler": (1, 9, _image_scaler),
    "LogSoftmax": (1, 12, _softmax),
    "Pad": (2, 10, _pad),
    "ParametricSoftplus": (1, 9, _affine),
    "Resize": (10, 10, _resize),
    "ScaledTanh": (1, 9, _affine),
    "Softmax": (1, 12, _softmax),
    "Upsample": (7, 9, _resize),
}
"""The first and the last opset with the old meaning, and what writes it in the new form."""
