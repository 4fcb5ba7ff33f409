"""One tile read the other way round: bit lines are driven, word lines are sensed.

The digits of a weight lie in columns of their own. They are driven in turn, slice after slice, the
two columns of a differential pair after each other, and the codes are shifted and added, or
subtracted, digitally. Each such read has non-negative digits, with the current of cells at
`g_min_siemens` taken away by an ideal reference as in the offset encoding: that is how the same
cells, read by the same kernels, serve both directions. Where columns are stored flipped, those that
are and those that are not are driven in turn, row group by row group.

At most `active_rows` lines are driven at once, and the converters of the word lines are like those
of the bit lines; no shipped target publishes either.
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
from mcc.runtime.arrays import ArrayTile, ProgrammedArrays
from mcc.runtime.devices import Read
from mcc.runtime.digital import ExactTile
from mcc.runtime.probes import without_pairs


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
    complement: bool
    """Whether the cells hold the complements of their digits."""


def transposed_target(target: Target) -> Target:
    """Return the macro as it is when bit lines drive and word lines are sensed."""
    macro = target.macro
    changes = {
        "macro.rows": macro.cols,
        "macro.cols": macro.rows,
        "macro.active_rows": min(macro.active_rows, macro.cols),
        "macro.adc.columns_per_adc": min(macro.adc.columns_per_adc, macro.rows),
    }
    return without_pairs(target).with_values(changes, "read the other way round")


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
            columns = slice(column, None, width)
            stored = flips[group, columns]
            for complement in (False, True):
                driven = stored == complement
                if driven.any():
                    yield Turn(part, columns, driven, float(worth), complement)


@final
class TransposedTile:
    """The cells of one tile, driven by their bit lines."""

    def __init__(
        self, arrays: ProgrammedArrays, index: int, tile: Tile, target: Target, shift: int | None
    ) -> None:
        """Make the cells of a tile ready.

        `shift` is the step of the converters that way; None where they neither clip nor round, so
        that cells multiply as the whole numbers that they stand for.
        """
        self._arrays, self._index, self._tile = arrays, index, tile
        content = arrays.content(index)
        self._exact = None
        if shift is None:
            assert not isinstance(content, Read), "real cells have converters"
            self._exact = ExactTile(tile, target, content, transposed=True)
            return
        self._digit = largest_digit(target.cell)
        self._offset = weight_offset(target.macro, tile.weight_bits)
        bits = target.cell.bits
        turned = transposed_target(target)
        self._surplus = weight_offset(turned.macro, bits)
        plain = replace(
            tile, rows=tile.cols, cols=tile.rows, weight_bits=bits, shift=shift, flips=b""
        )
        self._ready: list[tuple[Turn, ArrayTile]] = []
        self._adder = Adder.of(digit_values(target.macro, target.cell, tile.weight_bits))
        for turn in turns(tile, target):
            cells = content[turn.lines, turn.columns].T
            one = replace(plain, cols=cells.shape[1])
            self._ready.append((turn, arrays.build(one, turned, cells)))

    def multiply(self, codes: NDArray[Any]) -> NDArray[np.int64]:
        """Return the sums (inputs, rows of the tile) of codes (inputs, columns of the tile)."""
        if self._exact is not None:
            return self._arrays.read(self._index, self._exact, codes).astype(np.int64)
        totals = np.zeros((len(codes), self._tile.rows), np.int64)
        for turn, cells in self._ready:
            driven = codes if turn.driven.all() else codes * turn.driven.astype(codes.dtype)
            whole = driven.sum(axis=1, dtype=np.int64)[:, None]
            sums = self._arrays.read(self._index, cells, driven) + self._surplus * whole
            if turn.complement:
                sums = self._digit * whole - sums
            totals[:, turn.lines] += self._adder.factor(turn.worth) * sums
        totals = self._adder.rounded(totals)
        return totals - self._offset * codes.sum(axis=1, dtype=np.int64)[:, None]
