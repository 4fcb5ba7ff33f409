"""Windowed average pools become sums of shifted inputs."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from mcc.ir.network import (
    Editor,
    Network,
    Window,
    shape_of,
)
from mcc.passes.attributes import integer, integers, is_standard, required
from mcc.passes.base import PassContext
from mcc.passes.lower_convolutions import resolved_pads
from mcc.passes.lower_reductions import reduce_axes, unsuitable_shapes

_MOST_TAPS = 64
"""Longer windows stay for the host."""


def lower_pools(network: Network, context: PassContext) -> None:
    """Lower AveragePool. Only the order of additions changes."""
    edit = Editor(network.graph)
    for node in list(network.graph):
        if not is_standard(node, "AveragePool"):
            continue
        refused = _average_pool(edit, node)
        if refused is not None:
            context.report("left-on-host", f"`{node.name}` stays {node.op_type}: {refused}", node)


def _average_pool(edit: Editor, node: ir.Node) -> str | None:
    """Take the mean of the whole map, or add up windows and scale each sum by its count."""
    refused = unsuitable_shapes(node)
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
        reduce_axes(edit, node, [2 + axis for axis in range(axes)])
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
