"""Operators that only move elements and need a copy: Concat, Pad, Resize, and copies themselves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

import onnx_ir as ir

from mcc.backends.crossbar.heads import Head
from mcc.backends.crossbar.operands import Tied, Window
from mcc.backends.crossbar.strips import Axis
from mcc.backends.crossbar.views import View
from mcc.backends.crossbar.writer import Local, Writer, stream
from mcc.ir.network.values import constant_of, shape_of
from mcc.ir.program import Stream
from mcc.ir.program.instructions import Copy, Load


@final
@dataclass(frozen=True)
class Duplicate(Head):
    """A copy of a tensor that lies strided; it works for the node that made the tensor so."""

    value: ir.Value
    source: View

    @property
    def frame(self) -> tuple[int, ...]:
        """Shape of the tensor."""
        return self.source.shape or (1,)

    def write(self, writer: Writer) -> dict[ir.Value, Local]:
        """Load the current strip."""
        maker = self.value.producer()
        assert maker is not None, f"{self.value.name} is contiguous"
        writer.node = maker.name or ""
        parts = tuple(Tied(dim, Axis(size)) for dim, size in enumerate(self.source.shape))
        return {self.value: Window("copied", self.source, parts).load(writer)}


@final
@dataclass(frozen=True)
class Pad(Head):
    """A tensor inside a border of one value."""

    node: ir.Node
    source: View

    @property
    def frame(self) -> tuple[int, ...]:
        """Shape of the result."""
        return shape_of(self.node.outputs[0])

    @property
    def axes(self) -> Mapping[int, Axis]:
        """The padded axes."""
        shape, pads = self.source.shape, self._before()
        return {dim: Axis(shape[dim], pad=pads[dim]) for dim in pads}

    def _before(self) -> dict[int, int]:
        """Return the border in front of each axis that is named."""
        pads = constant_of(self.node.inputs[1])
        assert pads is not None, f"{self.node.name}: the pads are computed"
        rank = len(self.source.shape)
        named = constant_of(self.node.inputs[3]) if len(self.node.inputs) > 3 else None
        axes = range(rank) if named is None else [int(axis) % rank for axis in named]
        return {axis: int(pads[index]) for index, axis in enumerate(axes)}

    @property
    def window(self) -> Window:
        """What a strip reads."""
        axes, shape = self.axes, self.source.shape
        parts = tuple(Tied(dim, axes.get(dim, Axis(shape[dim]))) for dim in range(len(shape)))
        fill = constant_of(self.node.inputs[2]) if len(self.node.inputs) > 2 else None
        return Window("padded", self.source, parts, 0.0 if fill is None else float(fill.item()))

    def open(self, writer: Writer) -> None:
        """Write the border."""
        writer.node = self.node.name or ""
        self.window.open(writer)

    def write(self, writer: Writer) -> dict[ir.Value, Local]:
        """Load the current strip between its borders."""
        writer.node = self.node.name or ""
        return {self.node.outputs[0]: self.window.load(writer)}


@final
@dataclass(frozen=True)
class Concat(Head):
    """Tensors one behind the other along an axis."""

    node: ir.Node
    sources: tuple[View, ...]

    @property
    def frame(self) -> tuple[int, ...]:
        """Shape of the result."""
        return shape_of(self.node.outputs[0])

    @property
    def axis(self) -> int:
        """The axis."""
        return self.node.attributes.get_int("axis", 0) % len(self.frame)

    @property
    def units(self) -> tuple[int, ...]:
        """Strips hold the axis whole."""
        return tuple(0 if dim == self.axis else 1 for dim in range(len(self.frame)))

    def write(self, writer: Writer) -> dict[ir.Value, Local]:
        """Load the parts of the current strip."""
        writer.node = self.node.name or ""
        output, axis = self.node.outputs[0], self.axis
        dtype = self.sources[0].dtype
        result = writer.buffer(output.name, dtype, [run.count for run in writer.runs])
        first = 0
        for view in self.sources:
            size = view.shape[axis]
            counts = [*result.counts[:axis], size, *result.counts[axis + 1 :]]
            starts = [0 if dim == axis else run.start for dim, run in enumerate(writer.runs)]
            moves = [
                stride * run.count for stride, run in zip(view.strides, writer.runs, strict=True)
            ]
            base = result.base + first * result.strides[axis]
            into = stream(dtype, base, zip(counts, result.strides, strict=True))
            dims = zip(counts, view.strides, strict=True)
            source = stream(dtype, writer.address(view, starts), dims, writer.steps(moves))
            writer.emit(Load(into, source), result)
            first += size
        return {output: result}


@final
@dataclass(frozen=True)
class Resize(Head):
    """Every element repeated by a whole factor along each axis."""

    node: ir.Node
    source: View

    @property
    def frame(self) -> tuple[int, ...]:
        """Shape of the result."""
        return shape_of(self.node.outputs[0])

    @property
    def units(self) -> tuple[int, ...]:
        """Strips hold whole repetitions."""
        pairs = zip(self.frame, self.source.shape, strict=True)
        return tuple(large // small for large, small in pairs)

    def write(self, writer: Writer) -> dict[ir.Value, Local]:
        """Load the elements of the current strip and repeat them."""
        writer.node = self.node.name or ""
        output, view, factors = self.node.outputs[0], self.source, self.units
        pairs = list(zip(writer.runs, factors, strict=True))
        counts = [run.count // factor for run, factor in pairs]
        moves = [stride * count for stride, count in zip(view.strides, counts, strict=True)]
        compact = writer.buffer("elements", view.dtype, counts)
        base = writer.address(view, [run.start // factor for run, factor in pairs])
        dims = zip(counts, view.strides, strict=True)
        source = stream(view.dtype, base, dims, writer.steps(moves))
        writer.emit(Load(compact.stream(), source), compact)
        result = writer.buffer(output.name, view.dtype, [run.count for run in writer.runs])
        repeated: list[tuple[int, int]] = []
        for count, stride, factor in zip(counts, compact.strides, factors, strict=True):
            repeated += [(count, stride), (factor, 0)]
        walk = Stream(view.dtype, compact.base, tuple(dim for dim in repeated if dim[0] > 1))
        if not walk.dims:
            walk = compact.stream()
        writer.emit(Copy(result.stream(), walk), result, compact)
        return {output: result}
