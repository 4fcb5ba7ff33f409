"""Pooling and reductions: the largest or the mean of what windows or whole rows hold."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

import onnx_ir as ir

from mcc.backends.crossbar.heads import Head
from mcc.backends.crossbar.operands import Fixed, Tied, Window, load
from mcc.backends.crossbar.strips import Axis
from mcc.backends.crossbar.views import View
from mcc.backends.crossbar.writer import Local, Writer, joined
from mcc.ir.network.operators import Mean
from mcc.ir.network.values import constant_of, shape_of
from mcc.ir.program import Stream
from mcc.ir.program.instructions import Binary, BinaryOperation, Reduce, ReduceOperation


def pads_of(node: ir.Node, axes: int) -> tuple[int, ...]:
    """Return the padding in front of each spatial axis of a pooling."""
    return tuple(node.attributes.get_ints("pads", [0] * 2 * axes))[:axes]


@final
@dataclass(frozen=True)
class MaxPool(Head):
    """The largest element of sliding windows."""

    node: ir.Node
    source: View

    @property
    def frame(self) -> tuple[int, ...]:
        """Shape of the result."""
        return shape_of(self.node.outputs[0])

    @property
    def kernel(self) -> tuple[int, ...]:
        """Size of the window along each spatial axis."""
        return tuple(self.node.attributes.get_ints("kernel_shape", []))

    @property
    def dilations(self) -> tuple[int, ...]:
        """Distance of neighbouring elements of the window."""
        return tuple(self.node.attributes.get_ints("dilations", [1] * len(self.kernel)))

    @property
    def axes(self) -> Mapping[int, Axis]:
        """The spatial axes."""
        count = len(self.kernel)
        strides = self.node.attributes.get_ints("strides", [1] * count)
        pads = pads_of(self.node, count)
        return {
            2 + axis: Axis(
                size=self.source.shape[2 + axis],
                stride=strides[axis],
                reach=(self.kernel[axis] - 1) * self.dilations[axis] + 1,
                pad=pads[axis],
            )
            for axis in range(count)
        }

    @property
    def window(self) -> Window:
        """What a strip reads."""
        axes, shape = self.axes, self.source.shape
        parts = tuple(Tied(dim, axes.get(dim, Axis(shape[dim]))) for dim in range(len(shape)))
        return Window("pooled", self.source, parts, -math.inf)

    def open(self, writer: Writer) -> None:
        """Write the padding."""
        writer.node = self.node.name or ""
        self.window.open(writer)

    def write(self, writer: Writer) -> dict[ir.Value, Local]:
        """Reduce the windows of the current strip."""
        writer.node = self.node.name or ""
        source = self.window.load(writer)
        output = self.node.outputs[0]
        result = writer.buffer(output.name, source.dtype, [run.count for run in writer.runs])
        axes = self.axes
        walk = tuple(
            (count, stride * axes[dim].stride if dim in axes else stride)
            for dim, (count, stride) in enumerate(zip(result.counts, source.strides, strict=True))
        )
        taps = zip(self.kernel, self.dilations, source.strides[2:], strict=True)
        inner = joined(tuple((count, step * stride) for count, step, stride in taps))[0]
        into, positions = joined(result.dims, walk)
        writer.emit(
            Reduce(
                ReduceOperation.MAX,
                Stream(result.dtype, result.base, into),
                Stream(source.dtype, source.base, (*positions, *inner)),
                len(inner),
            ),
            result,
            source,
        )
        return {output: result}


@final
@dataclass(frozen=True)
class RowReduction(Head):
    """`mcc.Mean` and `ReduceMax`: trailing axes, combined one element after another."""

    node: ir.Node
    source: View
    factor: View | None
    """What a mean is multiplied by."""

    @property
    def frame(self) -> tuple[int, ...]:
        """Shape of the result."""
        return shape_of(self.node.outputs[0]) or (1,)

    @property
    def kept(self) -> int:
        """How many axes of the source are not reduced."""
        if Mean.matches(self.node):
            return len(self.source.shape) - 1
        axes = reduced_axes(self.node, len(self.source.shape))
        return len(self.source.shape) - len(axes)

    @property
    def window(self) -> Window:
        """What a strip reads."""
        shape, kept = self.source.shape, self.kept
        parts = (
            *(Tied(dim, Axis(shape[dim])) for dim in range(kept)),
            *(Fixed(0, count) for count in shape[kept:]),
        )
        return Window("reduced", self.source, parts)

    def write(self, writer: Writer) -> dict[ir.Value, Local]:
        """Reduce the rows of the current strip."""
        writer.node = self.node.name or ""
        source, kept = self.window.load(writer), self.kept
        output = self.node.outputs[0]
        result = writer.buffer(output.name, source.dtype, [run.count for run in writer.runs])
        into, positions = joined(result.dims[:kept], source.dims[:kept])
        if not kept:
            into = positions = ((1, source.dtype.itemsize),)
        inner = joined(source.dims[kept:])[0]
        mean = self.factor is not None
        writer.emit(
            Reduce(
                ReduceOperation.ADD if mean else ReduceOperation.MAX,
                Stream(result.dtype, result.base, into),
                Stream(source.dtype, source.base, (*positions, *inner)),
                len(inner),
            ),
            result,
            source,
        )
        return {output: result if self.factor is None else self._scaled(writer, result)}

    def _scaled(self, writer: Writer, sums: Local) -> Local:
        assert self.factor is not None
        factor = load(writer, "factor", self.factor)
        result = writer.buffer("mean", sums.dtype, sums.counts)
        into = result.stream()
        repeated = Stream(factor.dtype, factor.base, tuple((count, 0) for count, _ in into.dims))
        writer.emit(
            Binary(BinaryOperation.MUL, into, sums.stream(), repeated), result, sums, factor
        )
        return result


def reduced_axes(node: ir.Node, rank: int) -> list[int]:
    """Return the axes of a standard reduction, ascending."""
    axes = list(node.attributes.get_ints("axes", []))
    if not axes and len(node.inputs) > 1 and node.inputs[1] is not None:
        found = constant_of(node.inputs[1])
        assert found is not None, f"{node.name}: the axes are computed"
        axes = [int(axis) for axis in found.ravel()]
    return sorted(axis % rank for axis in axes) if axes else list(range(rank))
