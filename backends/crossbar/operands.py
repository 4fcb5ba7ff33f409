"""Operands of a kernel: blocks of tensors between the chip's buffer and local memory."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, replace
from typing import final

from mcc.backends.crossbar.strips import Axis, Extent
from mcc.backends.crossbar.views import View, dense_strides
from mcc.backends.crossbar.writer import Dims, Local, Writer, stream
from mcc.ir.program import DType, Stream
from mcc.ir.program.instructions import Fill, Load, Store
from mcc.ir.program.places import Place


def ranked(view: View, rank: int) -> View:
    """Return the tensor with leading axes of size 1, so that it has `rank` axes."""
    missing = rank - len(view.shape)
    return replace(
        view, shape=(*[1] * missing, *view.shape), strides=(*[0] * missing, *view.strides)
    )


def block(writer: Writer, view: View) -> Stream:
    """Return the stream over the current strip of a tensor that broadcasts to the result."""
    view = ranked(view, len(writer.runs))
    pairs = list(zip(view.shape, writer.runs, view.strides, strict=True))
    starts = [run.start if size > 1 else 0 for size, run, _ in pairs]
    dims = [(run.count if size > 1 else 1, stride) for size, run, stride in pairs]
    moves = [stride * run.count if size > 1 else 0 for size, run, stride in pairs]
    return stream(view.dtype, writer.address(view, starts), dims, writer.steps(moves))


def load(writer: Writer, key: Hashable, view: View) -> Local:
    """Load the current strip of a tensor that broadcasts to the result."""
    sizes = ranked(view, len(writer.runs)).shape
    counts = [run.count if size > 1 else 1 for size, run in zip(sizes, writer.runs, strict=True)]
    local = writer.buffer(key, view.dtype, counts)
    writer.emit(Load(local.stream(), block(writer, view)), local)
    return local


def store(writer: Writer, local: Local, view: View) -> None:
    """Store a strip of a result."""
    writer.emit(Store(block(writer, view), local.stream()), local)


def spread(local: Local, counts: tuple[int, ...]) -> Dims:
    """Return the dimensions of an operand repeated to the counts of a result."""
    pairs = zip(local.counts, local.strides, counts, strict=True)
    return tuple((count, stride if size > 1 else 0) for size, stride, count in pairs)


def value_dims(writer: Writer, shape: tuple[int, ...], itemsize: int) -> Dims:
    """Return the dimensions of the current strip inside a contiguous value of the network."""
    strides = (*[0] * (len(writer.runs) - len(shape)), *dense_strides(shape, itemsize))
    return tuple((run.count, stride) for run, stride in zip(writer.runs, strides, strict=True))


def place(writer: Writer, name: str, shape: tuple[int, ...], dtype: DType, dims: Dims) -> Place:
    """Return where the current strip, walked through as `dims`, lies in a network value."""
    strides = (*[0] * (len(writer.runs) - len(shape)), *dense_strides(shape, dtype.itemsize))
    base = sum(run.start * stride for run, stride in zip(writer.runs, strides, strict=True))
    moves = [run.count * stride for run, stride in zip(writer.runs, strides, strict=True)]
    return Place(name, shape, Stream(dtype, base, dims, writer.steps(moves)))


@final
@dataclass(frozen=True, slots=True)
class Tied:
    """An axis of a source that moves with a dimension of the result."""

    dim: int
    axis: Axis


@final
@dataclass(frozen=True, slots=True)
class Fixed:
    """A range of an axis of a source that every strip reads."""

    start: int
    count: int


@final
@dataclass(frozen=True, slots=True)
class Window:
    """The part of a source that a strip of the result reads, with its padding."""

    key: Hashable
    view: View
    parts: tuple[Tied | Fixed, ...]
    """One for each axis of the view."""
    fill: float = 0.0
    """What padding holds."""

    def open(self, writer: Writer) -> None:
        """Write the padding; the strips of one run have the same."""
        if any(item.before or item.after for item in self._extents(writer)):
            local = self._buffer(writer)
            writer.emit(Fill(local.stream(), self.fill), local)

    def load(self, writer: Writer) -> Local:
        """Load what exists of the current strip; return it with its padding."""
        local = self._buffer(writer)
        extents = self._extents(writer)
        if all(item.count for item in extents):
            inner = local.base
            moves = [0] * len(writer.runs)
            for item, part, stride, step in zip(
                extents, self.parts, local.strides, self.view.strides, strict=True
            ):
                inner += item.before * stride
                if isinstance(part, Tied):
                    moves[part.dim] += step * part.axis.stride * writer.runs[part.dim].count
            counts = [item.count for item in extents]
            result = stream(local.dtype, inner, zip(counts, local.strides, strict=True))
            base = writer.address(self.view, [item.start for item in extents])
            dims = zip(counts, self.view.strides, strict=True)
            source = stream(local.dtype, base, dims, writer.steps(moves))
            writer.emit(Load(result, source), local)
        return local

    def _buffer(self, writer: Writer) -> Local:
        counts = [item.length for item in self._extents(writer)]
        return writer.buffer(self.key, self.view.dtype, counts)

    def _extents(self, writer: Writer) -> list[Extent]:
        found: list[Extent] = []
        for part in self.parts:
            if isinstance(part, Tied):
                run = writer.runs[part.dim]
                found.append(part.axis.window(run.start, run.count))
            else:
                found.append(Extent(part.start, part.count, 0, 0))
        return found
