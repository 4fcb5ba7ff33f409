"""A transposed convolution becomes a convolution, whose channels are shuffled into places.

With stride s, output p sums the inputs at taps t = p (mod s) only. The taps of each of the s
remainders are a kernel of their own, 1/s as long, that runs over the inputs with stride 1. All of
them are the channels of one convolution; its results are interleaved and cropped.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import final

import numpy as np
import onnx_ir as ir

from mcc.ir.network import Array, Conv, Editor, constant_of, shape_of
from mcc.passes.attributes import integer, integers, operand, required, text
from mcc.passes.lower_products import reshape, transpose
from mcc.passes.stored_weights import StoredScale, keep_scale, scale_of


@final
@dataclass(frozen=True)
class _Axis:
    """One spatial axis of a transposed convolution, as a convolution of stride 1."""

    stride: int
    taps: int
    """Of each remainder."""
    pads: tuple[int, int]
    """Zeros around the input."""
    first: int
    """Place of the first output among the interleaved results."""

    @classmethod
    def of(cls, size: int, reach: int, stride: int, pad: int, outputs: int) -> _Axis:
        """Plan `outputs` outputs of `size` inputs, from tap `pad` of the first on.

        Args:
            size: inputs.
            reach: taps of the kernel, those that dilation leaves out included.
            stride: outputs between two inputs.
            pad: outputs that are cropped at the beginning.
            outputs: how many are left.
        """
        last = (pad + outputs - 1) // stride
        taps = max(-(-reach // stride), last - size + 2)
        skipped = min(pad // stride, taps - 1)
        pads = (taps - 1 - skipped, max(0, last + 1 - size))
        return cls(stride, taps, pads, pad - skipped * stride)


def transposed(edit: Editor, node: ir.Node) -> ir.Value | str:
    """Lower a ConvTranspose with constant weights; return its result, or why it stays."""
    x, kernel = required(node, 0), required(node, 1)
    axes, group = len(shape_of(x)) - 2, integer(node, "group", 1)
    automatic = text(node, "auto_pad", "NOTSET").startswith("SAME")
    if automatic or node.attributes.get("output_shape") is not None:
        return "its padding follows from the size of its output"
    dilations = integers(node, "dilations", (1,) * axes)
    plan = [
        _Axis.of(shape_of(x)[2 + axis], 1 + dilation * (extent - 1), stride, pad, outputs)
        for axis, (dilation, extent, stride, pad, outputs) in enumerate(
            zip(
                dilations,
                shape_of(kernel)[2:],
                integers(node, "strides", (1,) * axes),
                integers(node, "pads", (0,) * (2 * axes))[:axes],
                shape_of(node.outputs[0])[2:],
                strict=True,
            )
        )
    ]
    array, bias, name = constant_of(kernel), constant_of(operand(node, 2)), str(node.name)
    assert array is not None
    places = prod(axis.stride for axis in plan)
    weight = edit.constant(_weight(array, plan, dilations, group), f"{name}.weight")
    keep_scale(weight, _scale(kernel, places, group))
    operator = Conv(
        x=x,
        weight=weight,
        bias=None if bias is None else edit.constant(np.repeat(bias, places), f"{name}.bias"),
        strides=(1,) * axes,
        pads=(*(axis.pads[0] for axis in plan), *(axis.pads[1] for axis in plan)),
        dilations=(1,) * axes,
        group=group,
    )
    y = edit.add(operator, before=node, name=name)
    return _cropped(edit, node, _interleaved(edit, node, y, plan), plan)


def _weight(weight: Array, plan: list[_Axis], dilations: tuple[int, ...], group: int) -> Array:
    """Return (group * columns * remainders, channels / group, taps...), the taps turned round."""
    channels, cols = weight.shape[:2]
    spread = np.zeros((channels, cols, *(axis.taps * axis.stride for axis in plan)), weight.dtype)
    reach = zip(weight.shape[2:], dilations, strict=True)
    spread[:, :, *(slice(0, step * (extent - 1) + 1, step) for extent, step in reach)] = weight
    split = [size for axis in plan for size in (axis.taps, axis.stride)]
    apart = spread.reshape(group, channels // group, cols, *split)
    taps, remainders = range(3, apart.ndim, 2), range(4, apart.ndim, 2)
    turned = np.flip(apart, tuple(taps)).transpose(0, 2, *remainders, 1, *taps)
    return turned.reshape(-1, channels // group, *(axis.taps for axis in plan))


def _scale(kernel: ir.Value, places: int, group: int) -> StoredScale | None:
    """Return the scale of the convolution: that of a column for each of its remainders."""
    stored, shape = scale_of(kernel), shape_of(kernel)
    if stored is None or stored.scale.size != stored.scale.shape[1]:
        return None
    columns = np.broadcast_to(stored.scale.ravel(), shape[1:2])
    scale = np.repeat(np.tile(columns, group), places)
    return StoredScale(scale.reshape(-1, *[1] * (len(shape) - 1)), stored.bits)


def _interleaved(edit: Editor, node: ir.Node, y: ir.Value, plan: list[_Axis]) -> ir.Value:
    """Put the results of all remainders beside each other."""
    strides = tuple(axis.stride for axis in plan)
    if set(strides) == {1}:
        return y
    name, axes, shape = str(node.name), len(plan), shape_of(y)
    cols = shape[1] // prod(strides)
    apart = reshape(edit, node, y, (shape[0], cols, *strides, *shape[2:]), name)
    pairs = [place for axis in range(axes) for place in (2 + axes + axis, 2 + axis)]
    mixed = transpose(edit, node, apart, (0, 1, *pairs), name)
    sizes = (size * stride for size, stride in zip(shape[2:], strides, strict=True))
    return reshape(edit, node, mixed, (shape[0], cols, *sizes), name)


def _cropped(edit: Editor, node: ir.Node, y: ir.Value, plan: list[_Axis]) -> ir.Value:
    wanted = shape_of(node.outputs[0])
    if shape_of(y) == wanted:
        return y
    name, first = str(node.name), np.array([axis.first for axis in plan], np.int64)
    ends = [first, first + np.array(wanted[2:]), np.arange(2, len(wanted))]
    inputs = [edit.constant(end.astype(np.int64), f"{name}.slice") for end in ends]
    return edit.standard("Slice", [y, *inputs], before=node, name=f"{name}/slice")
