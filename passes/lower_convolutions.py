"""Convolutions with a constant kernel become `mcc.Conv`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
import onnx_ir as ir

from mcc.ir.network import (
    Array,
    Conv,
    Editor,
    Network,
    constant_of,
    is_constant,
    shape_of,
)
from mcc.passes.attributes import integer, integers, is_standard, operand, required, text
from mcc.passes.base import PassContext
from mcc.passes.lower_products import reshape, transpose, unsuitable
from mcc.passes.stored_weights import StoredScale, keep_scale, scale_of


@final
@dataclass(frozen=True)
class _Geometry:
    """The attributes of a convolution with their defaults filled in."""

    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    group: int

    @property
    def reach(self) -> tuple[int, ...]:
        """How far apart the first and the last tap are, by axis."""
        return tuple(
            dilation * (extent - 1)
            for dilation, extent in zip(self.dilations, self.kernel, strict=True)
        )


def lower_convolutions(network: Network, context: PassContext) -> None:
    """Lower Conv with a constant kernel, and ConvTranspose whose windows do not overlap.

    Conv stays what it is, so it is exact; ConvTranspose changes the order of additions.
    """
    edit = Editor(network.graph)
    for node in list(network.graph):
        if not is_standard(node, "Conv", "ConvTranspose"):
            continue
        refused = _lower(edit, node)
        if refused is not None:
            context.report("left-on-host", f"`{node.name}` stays {node.op_type}: {refused}", node)


def _lower(edit: Editor, node: ir.Node) -> str | None:
    refused = unsuitable(node)
    if refused is not None:
        return refused
    bias = operand(node, 2)
    if not is_constant(required(node, 1)) or (bias is not None and not is_constant(bias)):
        return "its kernel or bias is computed at run time"
    axes = len(shape_of(required(node, 0))) - 2
    if not 1 <= axes <= 3:
        return f"it has {axes} spatial axes"
    geometry = _Geometry(
        kernel=shape_of(required(node, 1))[2:],
        strides=integers(node, "strides", (1,) * axes),
        dilations=integers(node, "dilations", (1,) * axes),
        group=integer(node, "group", 1),
    )
    if node.op_type == "Conv":
        edit.replace(node, _conv(edit, node, geometry))
        return None
    result = _transposed(edit, node, geometry)
    if isinstance(result, str):
        return result
    edit.replace(node, result)
    return None


def resolved_pads(node: ir.Node, kernel: tuple[int, ...]) -> tuple[int, ...]:
    """Return explicit pads of a convolution or pooling, whatever its `auto_pad` says."""
    axes = len(kernel)
    mode = text(node, "auto_pad", "NOTSET")
    if mode == "NOTSET":
        return integers(node, "pads", (0,) * (2 * axes))
    if mode == "VALID":
        return (0,) * (2 * axes)
    strides = integers(node, "strides", (1,) * axes)
    dilations = integers(node, "dilations", (1,) * axes)
    spatial = shape_of(required(node, 0))[2:]
    leading: list[int] = []
    trailing: list[int] = []
    for axis in range(axes):
        steps = -(-spatial[axis] // strides[axis])
        covered = (steps - 1) * strides[axis] + dilations[axis] * (kernel[axis] - 1) + 1
        total = max(0, covered - spatial[axis])
        small, large = total // 2, total - total // 2
        leading.append(small if mode == "SAME_UPPER" else large)
        trailing.append(large if mode == "SAME_UPPER" else small)
    return (*leading, *trailing)


def _conv(edit: Editor, node: ir.Node, geometry: _Geometry) -> ir.Value:
    operator = Conv(
        x=required(node, 0),
        weight=required(node, 1),
        bias=operand(node, 2),
        strides=geometry.strides,
        pads=resolved_pads(node, geometry.kernel),
        dilations=geometry.dilations,
        group=geometry.group,
    )
    return edit.add(operator, before=node, name=str(node.name))


def _transposed(edit: Editor, node: ir.Node, geometry: _Geometry) -> ir.Value | str:
    """Lower a ConvTranspose whose windows tile the output: a 1 x 1 convolution, then a shuffle."""
    x, weight = required(node, 0), constant_of(required(node, 1))
    assert weight is not None
    kernel, axes = geometry.kernel, len(geometry.kernel)
    channels, cols = weight.shape[:2]
    spatial = shape_of(x)[2:]
    full = tuple(extent * step for extent, step in zip(spatial, kernel, strict=True))
    if geometry.group != 1 or geometry.strides != kernel or set(geometry.dilations) != {1}:
        return "its windows overlap, leave gaps, or are in groups"
    if shape_of(node.outputs[0]) != (shape_of(x)[0], cols, *full):
        return "its output is cropped or padded"
    name, taps = str(node.name), int(np.prod(kernel))
    matrix = np.moveaxis(weight, 0, -1).reshape(cols * taps, channels, *[1] * axes)
    bias = constant_of(operand(node, 2))
    stored = edit.constant(np.ascontiguousarray(matrix), f"{name}.weight")
    keep_scale(stored, _transposed_scale(required(node, 1)))
    operator = Conv(
        x=x,
        weight=stored,
        bias=None if bias is None else edit.constant(_repeated(bias, taps), f"{name}.bias"),
        strides=(1,) * axes,
        pads=(0,) * (2 * axes),
        dilations=(1,) * axes,
    )
    y = edit.add(operator, before=node, name=name)
    apart = reshape(edit, node, y, (shape_of(x)[0], cols, *kernel, *spatial), name)
    pairs = [place for axis in range(axes) for place in (2 + axes + axis, 2 + axis)]
    mixed = transpose(edit, node, apart, (0, 1, *pairs), name)
    return reshape(edit, node, mixed, shape_of(node.outputs[0]), name)


def _transposed_scale(weight: ir.Value) -> StoredScale | None:
    """Return the scale of the 1 x 1 convolution: that of a channel for each of its taps."""
    shape, stored = shape_of(weight), scale_of(weight)
    if stored is None or stored.scale.shape[0] != 1:
        return None
    taps = np.broadcast_to(stored.scale, (1, *shape[1:]))
    return StoredScale(taps.reshape(-1, *[1] * (len(shape) - 1)), stored.bits)


def _repeated(bias: Array, taps: int) -> Array:
    return np.repeat(bias, taps)
