"""Reductions go over the last axis, where the order of additions is defined."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from mcc.ir.network import Editor, Mean, Network, constant_of, shape_of, static_shape
from mcc.passes.attributes import integer, is_standard, operand, required
from mcc.passes.base import PassContext
from mcc.passes.lower_products import reshape, transpose

_REDUCTIONS = (
    "GlobalAveragePool",
    "ReduceL2",
    "ReduceMax",
    "ReduceMean",
    "ReduceMin",
    "ReduceSum",
)


def lower_reductions(network: Network, context: PassContext) -> None:
    """Lower reductions to the mean, sum, norm, largest and smallest, and GlobalAveragePool.

    Largest and smallest are exact. The others add in another order; sums are means times a number.
    """
    edit = Editor(network.graph)
    for node in list(network.graph):
        if not is_standard(node, *_REDUCTIONS) or _counts(required(node, 0)):
            continue
        refused = _reduction(edit, node)
        if refused is not None:
            context.report("left-on-host", f"`{node.name}` stays {node.op_type}: {refused}", node)


def _counts(x: ir.Value) -> bool:
    """Tell whether a value is of whole numbers, with which no core computes."""
    return x.dtype is not None and not x.dtype.is_floating_point()


def unsuitable_shapes(node: ir.Node) -> str | None:
    """Say why the first operand of `node` cannot be reduced here, or return None."""
    x = required(node, 0)
    if x.dtype != ir.DataType.FLOAT:
        return f"its input is {x.dtype}, not FLOAT"
    shapes = [static_shape(x), static_shape(node.outputs[0])]
    if any(shape is None or 0 in shape for shape in shapes):
        return "its shapes are not static"
    return None


def _reduction(edit: Editor, node: ir.Node) -> str | None:
    refused = unsuitable_shapes(node)
    if refused is not None:
        return refused
    rank = len(shape_of(required(node, 0)))
    axes = _reduced_axes(node, rank)
    if axes is None:
        return "its axes are computed at run time"
    if not axes and node.op_type == "ReduceL2":
        return "it reduces no axis"
    if not axes:
        x, name = required(node, 0), str(node.name)
        edit.replace(node, edit.standard("Identity", [x], before=node, name=name))
    elif node.op_type != "ReduceMax" or axes != list(range(axes[0], rank)):
        reduce_axes(edit, node, axes)
    return None


def reduce_axes(edit: Editor, node: ir.Node, axes: list[int]) -> None:
    """Replace `node`: bring the reduced axes to the end, make them one, and reduce that."""
    x, name, target = required(node, 0), str(node.name), shape_of(node.outputs[0])
    shape = shape_of(x)
    kept = [axis for axis in range(len(shape)) if axis not in axes]
    moved = transpose(edit, node, x, (*kept, *axes), name)
    count = int(np.prod([shape[axis] for axis in axes]))
    flat = reshape(edit, node, moved, (*(shape[axis] for axis in kept), count), name)
    result = _reduced(edit, node, flat)
    edit.replace(node, reshape(edit, node, result, target, name))


def _reduced(edit: Editor, node: ir.Node, x: ir.Value) -> ir.Value:
    """Reduce the last axis of `x` as `node` does."""

    def step(op_type: str, *inputs: ir.Value) -> ir.Value:
        return edit.standard(op_type, inputs, before=node, name=f"{node.name}/{op_type.lower()}")

    match node.op_type:
        case "ReduceL2":
            return step("Sqrt", _sum(edit, node, step("Mul", x, x)))
        case "ReduceMax":
            return _largest(edit, node, x)
        case "ReduceMin":
            return step("Neg", _largest(edit, node, step("Neg", x)))
        case "ReduceSum":
            return _sum(edit, node, x)
        case _:
            return edit.add(Mean(x=x), before=node, name=str(node.name))


def _sum(edit: Editor, node: ir.Node, x: ir.Value) -> ir.Value:
    name = str(node.name)
    mean = edit.add(Mean(x=x), before=node, name=f"{name}/mean")
    count = edit.constant(np.float32(shape_of(x)[-1]), f"{name}.count")
    return edit.standard("Mul", [mean, count], before=node, name=f"{name}/sum")


def _largest(edit: Editor, node: ir.Node, x: ir.Value) -> ir.Value:
    name = str(node.name)
    last = edit.constant(np.array([len(shape_of(x)) - 1], np.int64), f"{name}.axes")
    attributes = {"keepdims": 0}
    return edit.standard("ReduceMax", [x, last], attributes, before=node, name=f"{name}/largest")


def _reduced_axes(node: ir.Node, rank: int) -> list[int] | None:
    if node.op_type == "GlobalAveragePool":
        return list(range(2, rank))
    given = operand(node, 1)
    axes = constant_of(given)
    if given is not None and axes is None:
        return None
    if axes is None or not axes.size:
        return [] if integer(node, "noop_with_empty_axes", 0) else list(range(rank))
    return sorted(int(axis) % rank for axis in axes)
