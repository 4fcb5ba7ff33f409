"""Integer contractions: codes into the macros, sums out of them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

import numpy as np
import onnx_ir as ir

from mcc.backends.crossbar.assignment import Share
from mcc.backends.crossbar.heads import Head
from mcc.backends.crossbar.operands import Fixed, Tied, Window, block, load, spread, store
from mcc.backends.crossbar.seating import Piece
from mcc.backends.crossbar.strips import Axis
from mcc.backends.crossbar.views import View
from mcc.backends.crossbar.writer import Dims, Local, Writer, joined
from mcc.ir.hardware import Target
from mcc.ir.hardware.encoding import tile_columns
from mcc.ir.network.legality import matrix_shape
from mcc.ir.network.matrix import matrix_block
from mcc.ir.network.operators import IntegerConv, IntegerLinear
from mcc.ir.network.tiling import Tiling, tiling_of
from mcc.ir.network.values import Array, shape_of
from mcc.ir.program import DType, Stream
from mcc.ir.program.instructions import (
    Binary,
    BinaryOperation,
    Copy,
    Fill,
    Load,
    Mvm,
    ProgramMacro,
    Recv,
    Send,
)


@final
@dataclass(frozen=True)
class Contraction:
    """An `mcc.IntegerLinear` or `mcc.IntegerConv` as matrix and geometry."""

    node: ir.Node
    view: IntegerLinear | IntegerConv
    tiling: Tiling

    @staticmethod
    def of(node: ir.Node) -> Contraction | None:
        """Return the contraction that a node is, if it is one."""
        if not (IntegerLinear.matches(node) or IntegerConv.matches(node)):
            return None
        view = (IntegerLinear if IntegerLinear.matches(node) else IntegerConv).of(node)
        tiling = tiling_of(node)
        assert tiling is not None, f"{node.name} has no tiling"
        return Contraction(node, view, tiling)

    @property
    def frame(self) -> tuple[int, ...]:
        """Shape of the sums."""
        return shape_of(self.node.outputs[0])

    @property
    def column_dim(self) -> int:
        """The dimension of the sums that the columns of the matrix are."""
        return len(self.frame) - 1 if isinstance(self.view, IntegerLinear) else 1

    @property
    def row_dims(self) -> tuple[int, ...]:
        """What the rows of the matrix run over: input channels and kernel."""
        if isinstance(self.view, IntegerLinear):
            return shape_of(self.view.weight)[:1]
        weight = shape_of(self.view.weight)
        return (weight[1] * self.view.group, *weight[2:])

    @property
    def axes(self) -> Mapping[int, Axis]:
        """How positions slide over the codes, by dimension of the sums."""
        if isinstance(self.view, IntegerLinear):
            return {}
        window, codes = self.view.window, shape_of(self.view.codes)
        return {
            2 + axis: Axis(
                size=codes[2 + axis],
                stride=window.strides[axis],
                reach=(window.kernel[axis] - 1) * window.dilations[axis] + 1,
                pad=window.pads[axis],
            )
            for axis in range(len(window.kernel))
        }

    @property
    def dilations(self) -> tuple[int, ...]:
        """Distance of neighbouring kernel elements along each spatial axis."""
        return () if isinstance(self.view, IntegerLinear) else self.view.dilations

    def columns(self, target: Target) -> list[list[Piece]]:
        """Return the tiles of every column block."""
        macro, cell, bits = target.macro, target.cell, self.view.weight_bits
        tiling = self.tiling
        found: list[list[Piece]] = [[] for _ in tiling.col_blocks]
        for row, col in sorted(tiling.live, key=lambda pair: (pair[1], pair[0])):
            top, bottom = tiling.row_blocks[row]
            left, right = tiling.col_blocks[col]
            width = tile_columns(macro, cell, bits, right - left)
            found[col].append(Piece((row, col), bottom - top, width))
        return found

    def start_sums(self) -> Array:
        """Return what every sum starts from: the share of the zero point, int32 (cols)."""
        tiling = self.tiling
        totals = np.zeros(matrix_shape(self.view)[1], np.int64)
        for row, col in tiling.live:
            left, right = tiling.col_blocks[col]
            part = matrix_block(self.view, tiling.row_blocks[row], (left, right))
            totals[left:right] += part.sum(axis=0, dtype=np.int64)
        return (-self.view.zero_point * totals).astype(np.int32)


@final
@dataclass(frozen=True)
class ContractionHead(Head):
    """One core's share of a contraction."""

    contraction: Contraction
    codes: View
    share: Share
    tiles: Mapping[tuple[int, int], int]
    """Index in the tile table by block."""
    start: View | None
    """What sums start from, shaped to broadcast to them; None for zero."""
    carried: View | None
    """Sums of the turn before."""
    kept: View | None
    """Where to leave sums that are not complete."""
    images: tuple[tuple[int, int], ...] = ()
    """Macro and image to write first."""

    @property
    def frame(self) -> tuple[int, ...]:
        """Shape of the sums."""
        return self.contraction.frame

    @property
    def bounds(self) -> tuple[int, int]:
        """First and one past the last column of this share."""
        blocks, spans = self.share.blocks, self.contraction.tiling.col_blocks
        return spans[blocks.start][0], spans[blocks.stop - 1][1]

    @property
    def units(self) -> tuple[int, ...]:
        """Strips hold all columns of the share."""
        column = self.contraction.column_dim
        return tuple(0 if dim == column else 1 for dim in range(len(self.frame)))

    @property
    def axes(self) -> Mapping[int, Axis]:
        """The spatial axes of a convolution."""
        return self.contraction.axes

    @property
    def window(self) -> Window:
        """What a strip reads: only the channels that this share's tiles need."""
        axes, shape = self.axes, self.codes.shape
        low, high = self._channels()
        parts: list[Tied | Fixed] = []
        for dim in range(len(shape)):
            if dim == self.contraction.column_dim:
                parts.append(Fixed(low, high - low))
            else:
                parts.append(Tied(dim, axes.get(dim, Axis(shape[dim]))))
        return Window("codes", self.codes, tuple(parts), self.contraction.view.zero_point)

    def prepare(self, writer: Writer) -> None:
        """Write the macros that hold something else."""
        writer.node = self.contraction.node.name or ""
        for macro, image in self.images:
            writer.emit(ProgramMacro(macro, image))

    def open(self, writer: Writer) -> None:
        """Write the padding, and load what sums start from."""
        writer.node = self.contraction.node.name or ""
        self.window.open(writer)
        if self._fresh:
            assert self.start is not None
            load(writer, "start", self.start)

    def write(self, writer: Writer) -> dict[ir.Value, Local] | None:
        """Make the sums of the current strip."""
        writer.node = self.contraction.node.name or ""
        codes = self.window.load(writer)
        sums = writer.buffer("sums", DType.INT32, [run.count for run in writer.runs])
        self._begin(writer, sums)
        for seat in self.share.seats:
            self._multiply(writer, codes, sums, seat.piece.block)
        if not self._adds_up:
            writer.emit(Send(self.share.primary, sums.stream()), sums)
            return None
        for core in self.share.others:
            partial = writer.buffer("partial", DType.INT32, sums.counts)
            writer.emit(Recv(core, partial.stream()), partial)
            total = sums.stream()
            added = Binary(BinaryOperation.ADD, total, total, partial.stream())
            writer.emit(added, sums, partial)
        if self.kept is not None:
            store(writer, sums, self.kept)
            return None
        return {self.contraction.node.outputs[0]: sums}

    @property
    def _adds_up(self) -> bool:
        """Whether this core brings the partial sums together."""
        return self.share.primary == self.share.core

    @property
    def _fresh(self) -> bool:
        """Whether sums start from constants."""
        return self._adds_up and self.carried is None and self.start is not None

    def _begin(self, writer: Writer, sums: Local) -> None:
        """Set the sums to what they start from."""
        if self._adds_up and self.carried is not None:
            writer.emit(Load(sums.stream(), block(writer, self.carried)), sums)
        elif self._fresh:
            column = self.contraction.column_dim
            counts = [size if dim == column else 1 for dim, size in enumerate(sums.counts)]
            start = writer.buffer("start", DType.INT32, counts)
            into, walk = joined(sums.dims, spread(start, sums.counts))
            result = Stream(sums.dtype, sums.base, into)
            writer.emit(Copy(result, Stream(start.dtype, start.base, walk)), sums, start)
        else:
            writer.emit(Fill(sums.stream(), 0), sums)

    def _multiply(self, writer: Writer, codes: Local, sums: Local, place: tuple[int, int]) -> None:
        """Add the product with one tile."""
        tiling, column = self.contraction.tiling, self.contraction.column_dim
        left, right = tiling.col_blocks[place[1]]
        base = sums.base + (left - self.bounds[0]) * sums.strides[column]
        offset, rows = self._rows(codes, tiling.row_blocks[place[0]])
        into, walk = joined(self._positions(sums, {}), self._positions(codes, self.axes, sums))
        writer.emit(
            Mvm(
                tile=self.tiles[place],
                source=Stream(codes.dtype, codes.base + offset, (*walk, *rows)),
                row_dims=len(rows),
                result=Stream(sums.dtype, base, (*into, (right - left, sums.strides[column]))),
            ),
            codes,
            sums,
        )

    def _positions(
        self, local: Local, axes: Mapping[int, Axis], counted: Local | None = None
    ) -> Dims:
        """Return the dimensions of the positions in a buffer."""
        counts = (counted or local).counts
        return tuple(
            (counts[dim], stride * axes[dim].stride if dim in axes else stride)
            for dim, stride in enumerate(local.strides)
            if dim != self.contraction.column_dim
        )

    def _channels(self) -> tuple[int, int]:
        """Return the input channels that the tiles of this share read."""
        inner = math.prod(self.contraction.row_dims[1:])
        spans = [
            self.contraction.tiling.row_blocks[seat.piece.block[0]] for seat in self.share.seats
        ]
        low, high = min(start for start, _ in spans), max(stop for _, stop in spans)
        return low // inner, -(-high // inner)

    def _rows(self, codes: Local, span: tuple[int, int]) -> tuple[int, Dims]:
        """Return where the rows of a tile begin in the codes of one position, and their stream."""
        column = self.contraction.column_dim
        strides = [codes.strides[column]]
        strides += [
            codes.strides[2 + axis] * step for axis, step in enumerate(self.contraction.dilations)
        ]
        ranges = box(self.contraction.row_dims, *span)
        starts = [first for first, _ in ranges]
        starts[0] -= self._channels()[0]
        offset = sum(start * stride for start, stride in zip(starts, strides, strict=True))
        counts = (count for _, count in ranges)
        return offset, joined(tuple(zip(counts, strides, strict=True)))[0]


def box(dims: tuple[int, ...], start: int, stop: int) -> list[tuple[int, int]]:
    """Return the first index and the count along each dimension of a run of row-major elements.

    The run must be a box: whole inner dimensions, or inside one element of the outer one.
    """
    inner = math.prod(dims[1:])
    if start % inner == 0 and stop % inner == 0:
        whole = [(0, size) for size in dims[1:]]
        return [(start // inner, (stop - start) // inner), *whole]
    first = start // inner
    assert (stop - 1) // inner == first, f"rows {start} to {stop} of {dims} are no box"
    return [(first, 1), *box(dims[1:], start - first * inner, stop - first * inner)]
