"""One tile read the other way round: bit lines are driven, word lines are sensed.

The digits of a weight lie in columns of their own. They are driven in turn, slice after slice, the
two columns of a differential pair after each other, and the codes are shifted and added, or
subtracted, digitally. Each such read has non-negative digits, with the current of cells at
`g_min_siemens` taken away by an ideal reference as in the offset encoding: that is how the same
cells, read by the same kernels, serve both directions. Where columns are stored flipped, those that
are and those that are not are driven in turn, row group by row group.

At most `active_rows` lines are driven at once. The converters and drivers of the macro are switched
to the other ends, as in the transposable arrays of Wan et al. (Nature 608, 2022); where there are
more lines that way, there are more of them. Cells see the opposite voltage.

A reference column is not driven: it is no reference for word lines.

Between lines with resistance, the word lines of a row group are sensed together, its switches open
as when it is driven. Their currents do not depend on whether other groups are sensed before or
after, so that one turn stands for all of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from mcc.ir.hardware import Target
from mcc.ir.hardware.encoding import (
    digit_values,
    physical_columns,
    row_groups,
    weight_offset,
)
from mcc.ir.hardware.significance import Adder, largest_digit
from mcc.ir.program.tables import Tile
from mcc.runtime.arrays import ArrayTile, Content, ProgrammedArrays
from mcc.runtime.converters.periphery import IDEAL, Periphery
from mcc.runtime.devices import Read
from mcc.runtime.digital import ExactTile
from mcc.runtime.fidelity import Fidelity
from mcc.runtime.probes import without_pairs
from mcc.runtime.wires.trimmed import from_bit_lines


@final
@dataclass(frozen=True)
class Turn:
    """One column of every weight, for some of the word lines of a tile."""

    lines: slice
    """The word lines that are sensed."""
    columns: slice
    """The bit lines that are driven."""
    driven: NDArray[np.bool_]
    """Which of them are driven at all (bit lines,)."""
    worth: float
    """What one unit of a digit counts in the weight."""
    read: int
    """Number of the turn among those of one word line."""
    complement: bool
    """Whether the cells hold the complements of their digits."""

    def of(self, codes: NDArray[Any]) -> NDArray[Any]:
        """Return the codes (inputs, columns of weights), 0 for those that are not driven."""
        return codes * self.driven.astype(codes.dtype)


def transposed_target(target: Target) -> Target:
    """Return the macro as it is when bit lines drive and word lines are sensed."""
    macro = target.macro
    changes = {
        "macro.rows": macro.cols,
        "macro.cols": macro.rows,
        "macro.active_rows": min(macro.active_rows, macro.cols),
        "macro.adc.columns_per_adc": min(macro.adc.columns_per_adc, macro.rows),
    }
    return from_bit_lines(without_pairs(target).with_values(changes, "read the other way round"))


def turns(tile: Tile, target: Target) -> Iterator[Turn]:
    """Yield what is driven after one another to read a tile."""
    macro, cell = target.macro, target.cell
    width = physical_columns(macro, cell, tile.weight_bits)
    flips = tile.flipped(row_groups(macro, tile.rows), tile.cols * width)
    lines = [slice(0, tile.rows)]
    if flips.any():
        step = macro.active_rows
        lines = [slice(first, first + step) for first in range(0, tile.rows, step)]
    for group, part in enumerate(lines):
        for column, worth in enumerate(digit_values(macro, cell, tile.weight_bits)):
            columns = slice(column, tile.cols * width, width)
            stored = flips[group, columns]
            for complement in (False, True):
                driven = stored == complement
                read = 2 * column + complement if macro.column_flip else column
                if driven.any():
                    yield Turn(part, columns, driven, float(worth), read, complement)


def reads(target: Target, weight_bits: int) -> int:
    """Return the number of turns of one word line, whether columns are driven in them or not."""
    width = physical_columns(target.macro, target.cell, weight_bits)
    return 2 * width if target.macro.column_flip else width


@final
@dataclass(frozen=True)
class Drive:
    """How bit lines are driven and word lines are converted."""

    signed: bool
    """Whether input codes are signed."""
    shift: int
    """Logarithm of the step of the converters."""


@final
@dataclass(frozen=True, eq=False)
class TurnedCells:
    """The cells of one turn, as a tile of one unsigned digit."""

    turn: Turn
    tile: Tile
    cells: Content
    """Bit lines by word lines."""
    periphery: Periphery


def turned_cells(
    arrays: ProgrammedArrays, index: int, tile: Tile, target: Target, drive: Drive
) -> Iterator[TurnedCells]:
    """Yield the cells of a tile for each turn."""
    turned, content = transposed_target(target), arrays.seen(index, turned=True)
    periphery = arrays.periphery(tile, turned) if isinstance(content, Read) else IDEAL
    plain = replace(
        tile,
        rows=tile.cols,
        weight_bits=target.cell.bits,
        input_signed=drive.signed,
        shift=drive.shift,
        flips=b"",
    )
    for turn in turns(tile, target):
        cells = content[turn.lines, turn.columns].T
        levels = periphery.levels
        if levels is not None:
            levels = levels[tile.col :][turn.columns][: tile.cols]
        one = replace(plain, row=0, col=tile.row + turn.lines.start, cols=cells.shape[1])
        yield TurnedCells(turn, one, cells, replace(periphery, levels=levels))


@final
class TransposedTile:
    """The cells of one tile, driven by their bit lines."""

    def __init__(
        self, arrays: ProgrammedArrays, index: int, tile: Tile, target: Target, drive: Drive
    ) -> None:
        """Make the cells of a tile ready.

        At `exact` they multiply as the whole numbers that they stand for.
        """
        self._arrays, self._index, self._tile = arrays, index, tile
        self._exact = None
        if arrays.fidelity is Fidelity.EXACT:
            content = arrays.content(index)
            assert not isinstance(content, Read), "whole numbers are those of states"
            self._exact = ExactTile(tile, target, content, transposed=True)
            return
        self._digit = largest_digit(target.cell)
        self._offset = weight_offset(target.macro, tile.weight_bits)
        turned = transposed_target(target)
        self._surplus = weight_offset(turned.macro, target.cell.bits)
        self._adder = Adder.of(digit_values(target.macro, target.cell, tile.weight_bits))
        self._ready: list[tuple[Turn, ArrayTile]] = []
        for it in turned_cells(arrays, index, tile, target, drive):
            self._ready.append((it.turn, arrays.build(it.tile, turned, it.cells, it.periphery)))

    def multiply(self, codes: NDArray[Any]) -> NDArray[np.int64]:
        """Return the sums (inputs, rows of the tile) of codes (inputs, columns of the tile)."""
        if self._exact is not None:
            return self._arrays.read(self._index, self._exact, codes).astype(np.int64)
        totals = np.zeros((len(codes), self._tile.rows), np.int64)
        for turn, ready in self._ready:
            driven = turn.of(codes)
            whole = driven.sum(axis=1, dtype=np.int64)[:, None]
            sums = self._arrays.read(self._index, ready, driven) + self._surplus * whole
            if turn.complement:
                sums = self._digit * whole - sums
            totals[:, turn.lines] += self._adder.factor(turn.worth) * sums
        totals = self._adder.rounded(totals)
        return totals - self._offset * codes.sum(axis=1, dtype=np.int64)[:, None]
