"""Batch norms and other factors and offsets per column go into the contraction before them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
import onnx_ir as ir

from mcc.ir.network import (
    Array,
    Conv,
    Editor,
    Linear,
    Network,
    constant_of,
    is_constant,
    shape_of,
    static_shape,
)
from mcc.passes.attributes import integer, is_standard, only_user, operand, real, required
from mcc.passes.base import PassContext
from mcc.passes.stored_weights import keep_scale, scale_of


@final
@dataclass(frozen=True)
class _Affine:
    """`y = x * factor + offset` in float64, one number each per channel; None is 1 or 0."""

    factor: Array | None
    offset: Array | None


def fold_batch_norms(network: Network, context: PassContext) -> None:
    """Fold BatchNormalization into the contraction before it; alone it becomes Mul and Add.

    The folded constants are computed in float64 and rounded once, so that each weight and bias has
    a relative error of one rounding.
    """
    edit = Editor(network.graph)
    for node in list(network.graph):
        if not is_standard(node, "BatchNormalization"):
            continue
        affine = _batch_norm(node)
        if isinstance(affine, str):
            context.report("left-on-host", f"batch norm `{node.name}` stays: {affine}", node)
            continue
        node.resize_outputs(1)
        if not _fold(edit, node, required(node, 0), affine, 1):
            _apply(edit, node, affine)


def fold_columns(network: Network, context: PassContext) -> None:
    """Fold Add, Sub, Mul and Div of one constant per column into the contraction before them.

    Rounding is as in `fold_batch_norms`.
    """
    edit = Editor(network.graph)
    for node in list(network.graph):
        if not is_standard(node, "Add", "Sub", "Mul", "Div"):
            continue
        left, right = required(node, 0), required(node, 1)
        x, constant = (left, right) if is_constant(right) else (right, left)
        if not is_constant(constant) or static_shape(x) != static_shape(node.outputs[0]):
            continue
        if node.op_type in ("Sub", "Div") and constant is left:
            continue
        axis = _channel_axis(x)
        numbers = None if axis is None else _per_channel(constant, shape_of(x), axis)
        if axis is not None and numbers is not None:
            _fold(edit, node, x, _affine(node.op_type, numbers), axis)


def _batch_norm(node: ir.Node) -> _Affine | str:
    numbers = [constant_of(operand(node, index)) for index in range(1, 5)]
    scale, offset, mean, variance = numbers
    if scale is None or offset is None or mean is None or variance is None:
        return "its statistics are computed at run time"
    if integer(node, "training_mode", 0):
        return "it is in training mode"
    if any(value.uses() or value.is_graph_output() for value in node.outputs[1:]):
        return "its running statistics are used"
    if required(node, 0).dtype != ir.DataType.FLOAT or static_shape(required(node, 0)) is None:
        return "its input is not float32 of static shape"
    wide = variance.astype(np.float64) + real(node, "epsilon", 1e-5)
    if not (wide > 0).all():
        return f"its smallest variance is {wide.min():.3g}"
    factor = scale.astype(np.float64) / np.sqrt(wide)
    return _Affine(factor, offset.astype(np.float64) - mean.astype(np.float64) * factor)


def _affine(op_type: str, numbers: Array) -> _Affine:
    match op_type:
        case "Add":
            return _Affine(None, numbers)
        case "Sub":
            return _Affine(None, -numbers)
        case "Mul":
            return _Affine(numbers, None)
        case _:
            with np.errstate(divide="ignore"):
                return _Affine(1.0 / numbers, None)


def _contraction(x: ir.Value) -> Linear | Conv | None:
    producer = x.producer()
    if producer is None or not only_user(x):
        return None
    if Linear.matches(producer):
        return Linear.of(producer)
    return Conv.of(producer) if Conv.matches(producer) else None


def _channel_axis(x: ir.Value) -> int | None:
    """Return the axis of x that counts the columns of the contraction that makes it."""
    match _contraction(x):
        case Linear():
            return len(shape_of(x)) - 1
        case Conv():
            return 1
        case None:
            return None


def _per_channel(constant: ir.Value, shape: tuple[int, ...], axis: int) -> Array | None:
    """Return the numbers of `constant` per channel, in float64, if they differ nowhere else."""
    array = constant_of(constant)
    if array is None or constant.dtype != ir.DataType.FLOAT or array.ndim > len(shape):
        return None
    aligned = array.reshape((1,) * (len(shape) - array.ndim) + array.shape)
    if any(extent != 1 for place, extent in enumerate(aligned.shape) if place != axis):
        return None
    return np.broadcast_to(aligned.reshape(-1).astype(np.float64), (shape[axis],))


def _fold(edit: Editor, node: ir.Node, x: ir.Value, affine: _Affine, axis: int) -> bool:
    """Replace `node` and the contraction that makes `x` by one contraction, if that can be."""
    view, producer = _contraction(x), x.producer()
    if view is None or producer is None or _channel_axis(x) != axis:
        return False
    weight, bias = constant_of(view.weight), constant_of(view.bias)
    if weight is None or (view.bias is not None and bias is None):
        return False
    name = str(producer.name)
    numbers = _folded(weight, bias, affine, view)
    if any(array is not None and not np.isfinite(array).all() for array in numbers):
        return False
    new_weight = view.weight
    if affine.factor is not None:
        new_weight = _added(edit, numbers[0], name, "weight")
        scale = scale_of(view.weight)
        keep_scale(new_weight, scale and scale.times(_column(affine.factor, view)))
    new_bias = None if numbers[1] is None else _added(edit, numbers[1], name, "bias")
    folded = _with_constants(view, new_weight, new_bias)
    result = edit.add(folded, before=node, name=str(node.name), origins=[producer, node])
    edit.replace(node, result)
    edit.remove([producer])
    made = result.producer()
    assert made is not None
    made.name = name
    return True


def _column(factor: Array, view: Linear | Conv) -> Array:
    """Shape one factor per output channel so that it broadcasts to the weight."""
    axes = len(shape_of(view.weight))
    return factor if isinstance(view, Linear) else factor.reshape(-1, *[1] * (axes - 1))


def _folded(
    weight: Array, bias: Array | None, affine: _Affine, view: Linear | Conv
) -> tuple[Array, Array | None]:
    wide = None if bias is None else bias.astype(np.float64)
    if affine.factor is not None:
        weight = (weight * _column(affine.factor, view)).astype(np.float32)
        wide = None if wide is None else wide * affine.factor
    if affine.offset is not None:
        wide = affine.offset if wide is None else wide + affine.offset
    return weight, None if wide is None else wide.astype(np.float32)


def _added(edit: Editor, array: Array, name: str, role: str) -> ir.Value:
    return edit.constant(array, f"{name}.{role}")


def _with_constants(view: Linear | Conv, weight: ir.Value, bias: ir.Value | None) -> Linear | Conv:
    if isinstance(view, Linear):
        return Linear(x=view.x, weight=weight, bias=bias)
    return Conv(
        x=view.x,
        weight=weight,
        bias=bias,
        strides=view.strides,
        pads=view.pads,
        dilations=view.dilations,
        group=view.group,
    )


def _apply(edit: Editor, node: ir.Node, affine: _Affine) -> None:
    """Replace a batch norm that follows no contraction by Mul and Add."""
    x, name = required(node, 0), str(node.name)
    shape = (1, -1, *[1] * (len(shape_of(x)) - 2))
    assert affine.factor is not None
    assert affine.offset is not None
    factor = edit.constant(affine.factor.astype(np.float32).reshape(shape), f"{name}.factor")
    offset = edit.constant(affine.offset.astype(np.float32).reshape(shape), f"{name}.offset")
    scaled = edit.standard("Mul", [x, factor], before=node, name=f"{name}/scale")
    edit.replace(node, edit.standard("Add", [scaled, offset], before=node, name=name))
