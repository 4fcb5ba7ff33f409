"""Means become `mcc.Mean`, and windowed average pools sums of shifted inputs."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from mcc.ir.network import (
    Editor,
    Mean,
    Network,
    Window,
    constant_of,
    shape_of,
    static_shape,
)
from mcc.passes.attributes import integer, integers, is_standard, operand, required
from mcc.passes.base import PassContext
from mcc.passes.lower_convolutions import resolved_pads
from mcc.passes.lower_products import reshape, transpose

_MOST_TAPS = 64
"""Longer windows stay for the host."""


def lower_pools(network: Network, context: PassContext) -> None:
    """Lower GlobalAveragePool, ReduceMean and AveragePool. Only the order of additions changes."""
    edit = Editor(network.graph)
    for node in list(network.graph):
        if is_standard(node, "GlobalAveragePool", "ReduceMean"):
            refused = _mean(edit, node)
        elif is_standard(node, "AveragePool"):
            refused = _average_pool(edit, node)
        else:
            continue
        if refused is not None:
            context.report("left-on-host", f"`{node.name}` stays {node.op_type}: {refused}", node)


def _unsuitable(node: ir.Node) -> str | None:
    x = required(node, 0)
    if x.dtype != ir.DataType.FLOAT:
        return f"its input is {x.dtype}, not FLOAT"
    shapes = [static_shape(x), static_shape(node.outputs[0])]
    if any(shape is None or 0 in shape for shape in shapes):
        return "its shapes are not static"
    return None


def _mean(edit: Editor, node: ir.Node) -> str | None:
    refused = _unsuitable(node)
    if refused is not None:
        return refused
    axes = _reduced_axes(node, len(shape_of(required(node, 0))))
    if axes is None:
        return "its axes are computed at run time"
    if not axes:
        x, name = required(node, 0), str(node.name)
        edit.replace(node, edit.standard("Identity", [x], before=node, name=name))
        return None
    _mean_over(edit, node, axes)
    return None


def _mean_over(edit: Editor, node: ir.Node, axes: list[int]) -> None:
    """Bring the reduced axes to the end, make them one, and take the mean over it."""
    x, name, target = required(node, 0), str(node.name), shape_of(node.outputs[0])
    shape = shape_of(x)
    kept = [axis for axis in range(len(shape)) if axis not in axes]
    moved = transpose(edit, node, x, (*kept, *axes), name)
    count = int(np.prod([shape[axis] for axis in axes]))
    flat = reshape(edit, node, moved, (*(shape[axis] for axis in kept), count), name)
    mean = edit.add(Mean(x=flat), before=node, name=name)
    edit.replace(node, reshape(edit, node, mean, target, name))


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


def _average_pool(edit: Editor, node: ir.Node) -> str | None:
    """Take the mean of the whole map, or add up windows and scale each sum by its count."""
    refused = _unsuitable(node)
    if refused is not None:
        return refused
    x, kernel = required(node, 0), integers(node, "kernel_shape", ())
    axes, spatial = len(kernel), shape_of(x)[2:]
    window = Window(
        kernel=kernel,
        strides=integers(node, "strides", (1,) * axes),
        pads=resolved_pads(node, kernel),
        dilations=integers(node, "dilations", (1,) * axes),
    )
    outputs = window.output(spatial)
    if outputs != shape_of(node.outputs[0])[2:]:
        return "its last windows reach over the edge (ceil_mode)"
    if kernel == spatial and not any(window.pads):
        _mean_over(edit, node, [2 + axis for axis in range(axes)])
        return None
    taps = sum(kernel)
    if taps > _MOST_TAPS:
        return f"its window is {taps} long over all axes, more than {_MOST_TAPS}"
    total = _window_sum(edit, node, _padded(edit, node, x, window), window, outputs)
    factor = edit.constant(_factors(node, window, spatial, outputs), f"{node.name}.factor")
    edit.replace(node, edit.standard("Mul", [total, factor], before=node, name=str(node.name)))
    return None


def _padded(edit: Editor, node: ir.Node, x: ir.Value, window: Window) -> ir.Value:
    if not any(window.pads):
        return x
    axes = len(window.kernel)
    pads = np.array([0, 0, *window.pads[:axes], 0, 0, *window.pads[axes:]], np.int64)
    stored = edit.constant(pads, f"{node.name}.pads")
    return edit.standard("Pad", [x, stored], before=node, name=f"{node.name}/pad")


def _window_sum(
    edit: Editor, node: ir.Node, x: ir.Value, window: Window, outputs: tuple[int, ...]
) -> ir.Value:
    """Add up windows along one axis after another: as many additions as a window is long."""
    for axis in reversed(range(len(outputs))):
        if window.kernel[axis] > 1 or window.strides[axis] > 1:
            x = _axis_sum(edit, node, x, window, axis, outputs[axis])
    return x


def _axis_sum(
    edit: Editor, node: ir.Node, x: ir.Value, window: Window, axis: int, outputs: int
) -> ir.Value:
    name, stride = str(node.name), window.strides[axis]
    place = edit.constant(np.array([2 + axis], np.int64), f"{name}.axis")
    step = edit.constant(np.array([stride], np.int64), f"{name}.stride")
    total: ir.Value | None = None
    for tap in range(window.kernel[axis]):
        start = np.array([tap * window.dilations[axis]], np.int64)
        first = edit.constant(start, f"{name}.start")
        last = edit.constant(start + stride * (outputs - 1) + 1, f"{name}.end")
        inputs = [x, first, last, place, step]
        part = edit.standard("Slice", inputs, before=node, name=f"{name}/slice")
        if total is None:
            total = part
        else:
            total = edit.standard("Add", [total, part], before=node, name=f"{name}/add")
    assert total is not None
    return total


def _factors(
    node: ir.Node, window: Window, spatial: tuple[int, ...], outputs: tuple[int, ...]
) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """Return one over the number of elements that each output averages."""
    axes = len(window.kernel)
    positions = int(np.prod(window.kernel))
    if integer(node, "count_include_pad", 0) or not any(window.pads):
        return np.array(1.0 / positions, np.float32)
    counts = np.ones((1, 1, *[1] * axes))
    for axis in range(axes):
        taps = np.arange(window.kernel[axis]) * window.dilations[axis] - window.pads[axis]
        places = np.arange(outputs[axis])[:, None] * window.strides[axis] + taps
        inside = ((places >= 0) & (places < spatial[axis])).sum(axis=1)
        counts = counts * inside.reshape(
            [-1 if place == axis + 2 else 1 for place in range(axes + 2)]
        )
    return (1.0 / counts).astype(np.float32)
