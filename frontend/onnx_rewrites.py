"""Old operators in today's form, as ONNX Runtime computes them; `onnx_upgrade.py` has the table.

Every function writes a node of an old opset anew, on a tape, and returns its outputs. Of several
outputs it returns the first ones; the rest is refused where it is used.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import onnx_ir as ir

from mcc.ir.diagnostics import Location, error
from mcc.ir.tensors import Array

_END = 2**31 - 1
"""Past the end of every axis."""


def softmax(tape: ir.tape.Tape, node: ir.Node, opset: int) -> list[ir.Value]:
    """Before opset 13, all axes from `axis` on were one."""
    x = _input(node, 0)
    axis = node.attributes.get_int("axis", 1)
    if axis == -1 or (x.shape is not None and axis == len(x.shape) - 1):
        return [tape.op(node.op_type, [x], {"axis": -1})]
    flat = tape.op("Flatten", [x], {"axis": axis})
    result = tape.op(node.op_type, [flat], {"axis": -1})
    return [tape.op("Reshape", [result, _shape(tape, x)])]


def resize(tape: ir.tape.Tape, node: ir.Node, opset: int) -> list[ir.Value]:
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
    result = x
    for select, rounding in (("Min", "ceil"), ("Max", "floor")):
        part = _limited(tape, scales, select)
        if part is not None:
            result = _scaled(tape, result, part, {"mode": mode, "nearest_mode": rounding})
    return [tape.op("Identity", [x]) if result is x else result]


def _limited(tape: ir.tape.Tape, scales: ir.Value, select: str) -> ir.Value | None:
    """Keep of factors those below 1 (`Min`) or above (`Max`); nothing where there are none."""
    known = ir.convenience.get_const_tensor(scales)
    if known is None:
        return tape.op(select, [scales, _constant(tape, 1.0, "float32")])
    factors = (np.minimum if select == "Min" else np.maximum)(known.numpy(), 1)
    return None if (factors == 1).all() else _constant(tape, factors, "float32")


def _scaled(
    tape: ir.tape.Tape, x: ir.Value, scales: ir.Value, attributes: dict[str, str]
) -> ir.Value:
    coordinates = {"coordinate_transformation_mode": "asymmetric"}
    return tape.op("Resize", [x, None, scales], {**attributes, **coordinates})


def pad(tape: ir.tape.Tape, node: ir.Node, opset: int) -> list[ir.Value]:
    """Before opset 11, the widths were attributes; the converter takes the value for a float32."""
    x = _input(node, 0)
    widths = _constant(tape, node.attributes["pads"].as_ints(), "int64")
    value = _like(tape, node.attributes.get_float("value", 0.0), x)
    mode = node.attributes.get_string("mode", "constant")
    return [tape.op("Pad", [x, widths, value], {"mode": mode})]


def batch_norm(tape: ir.tape.Tape, node: ir.Node, opset: int) -> list[ir.Value]:
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


def dropout(tape: ir.tape.Tape, node: ir.Node, opset: int) -> list[ir.Value]:
    """Before opset 12, it did nothing, and ONNX Runtime gives a mask of zeros."""
    x = _input(node, 0)
    result = tape.op("Identity", [x])
    if len(node.outputs) == 1:
        return [result]
    zeros = ir.tensor(np.zeros(1, np.bool_))
    mask = tape.op("ConstantOfShape", [_shape(tape, x)], {"value": zeros})
    return [result, mask if opset >= 10 else tape.op("CastLike", [mask, x])]


def affine(tape: ir.tape.Tape, node: ir.Node, opset: int) -> list[ir.Value]:
    """Write a curve between two factors: `alpha x + beta`, or `alpha curve(beta x)`."""
    alpha, beta = node.attributes.get_float("alpha", 1.0), node.attributes.get_float("beta", 0.0)
    inner = {"Affine": None, "ParametricSoftplus": "Softplus", "ScaledTanh": "Tanh"}[node.op_type]
    x = _input(node, 0)
    if inner is None:
        scaled = tape.op("Mul", [x, _constant(tape, alpha, "float32")])
        return [tape.op("Add", [scaled, _constant(tape, beta, "float32")])]
    curve = tape.op(inner, [tape.op("Mul", [x, _constant(tape, beta, "float32")])])
    return [tape.op("Mul", [curve, _constant(tape, alpha, "float32")])]


def image_scaler(tape: ir.tape.Tape, node: ir.Node, opset: int) -> list[ir.Value]:
    """Write a factor and a number to add for every channel."""
    scale = _constant(tape, node.attributes.get_float("scale", 1.0), "float32")
    channels = np.asarray(node.attributes["bias"].as_floats()).reshape(-1, 1, 1)
    scaled = tape.op("Mul", [_input(node, 0), scale])
    return [tape.op("Add", [scaled, _constant(tape, channels, "float32")])]


def crop(tape: ir.tape.Tape, node: ir.Node, opset: int) -> list[ir.Value]:
    """Write what is left after a border of left, top, right, bottom; or a size from its corner."""
    left, top, right, bottom = node.attributes["border"].as_ints()
    ends = [-bottom or _END, -right or _END]
    if "scale" in node.attributes:
        height, width = node.attributes["scale"].as_ints()
        ends = [top + height, left + width]
    places = [_constant(tape, numbers, "int64") for numbers in ([top, left], ends, [2, 3])]
    return [tape.op("Slice", [_input(node, 0), *places])]


def dynamic_slice(tape: ir.tape.Tape, node: ir.Node, opset: int) -> list[ir.Value]:
    """Write what `Slice` computes since it takes its places as inputs."""
    return [tape.op("Slice", node.inputs)]


def refuse(tape: ir.tape.Tape, node: ir.Node, opset: int) -> list[ir.Value]:
    """Refuse what has no newer form."""
    text = f"`{node.op_type}` of opset {opset} has no form in newer ones"
    help = "export at a newer opset"
    raise error("opset-unsupported", text, help, Location("", 0, node.name or ""))


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
