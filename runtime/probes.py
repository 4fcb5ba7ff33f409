"""What can be seen inside a tile: its weights as written, its currents, its conversions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from mcc.ir.hardware import (
    Accumulation,
    Cell,
    Differential,
    Encoding,
    Reference,
    Subtraction,
    Target,
)
from mcc.ir.hardware.encoding import (
    against_reference,
    encode,
    has_reference,
    paired,
    row_groups,
    sum_digits,
    sum_values,
    weight_offset,
)
from mcc.ir.hardware.phases import phases, steps
from mcc.ir.hardware.significance import largest_digit
from mcc.ir.program.tables import Tile
from mcc.runtime.analog import digits_and_variances
from mcc.runtime.arrays import ArrayTile, Content, ProgrammedArrays
from mcc.runtime.converters.drivers import at_levels
from mcc.runtime.converters.staircase import Levels
from mcc.runtime.devices import Read, target_siemens
from mcc.runtime.reads import WIDEST_INPUT

Drive = tuple[int, int, slice, NDArray[Any]]
"""Row group, phase or step, the rows of the group, and their digits (inputs, rows)."""

Digits = tuple[NDArray[np.float32], NDArray[np.float32] | None]
"""Weights of the cells of analog sums in digits (rows, sums), and variances of a read if noisy."""


def read_of(content: Content, cell: Cell) -> Read:
    """Return what reads find in cells, whether given as such or by their states."""
    return content if isinstance(content, Read) else Read(target_siemens(content, cell), None)


def digits_of(content: Content, target: Target) -> Digits:
    """Return the weight and the variance of a read of each analog sum's cells (rows, sums)."""
    return digits_and_variances(read_of(content, target.cell), target)


def whole_target(target: Target) -> Target:
    """Return the target with one way to write a whole number, no column flipped, no reference."""
    changes: dict[str, bool | str] = {"macro.column_flip": False}
    if has_reference(target.macro):
        changes |= {"macro.reference": Reference.DIGITAL.value}
        changes |= {"macro.subtraction": Subtraction.BEFORE.value}
    return without_redundancy(target).with_values(changes, "whole weights")


def whole_digits(codes: NDArray[np.int8], target: Target, weight_bits: int) -> NDArray[np.float32]:
    """Return the digits of whole weights (rows, cols) in the sums of a whole target."""
    cells = encode(codes, target.macro, target.cell, weight_bits).cells
    sums = len(sum_values(target.macro, target.cell, weight_bits))
    return sum_digits(cells.astype(np.float32), target.macro, sums)


def effective_weights(tile: Tile, target: Target, content: Content) -> NDArray[np.float64]:
    """Return the weights (rows, cols) by which the cells of a tile multiply on average."""
    macro, cell = target.macro, target.cell
    digits = digits_of(content, target)[0].astype(np.float64)
    flips = tile.flipped(row_groups(macro, tile.rows), digits.shape[1])
    of_rows = np.repeat(flips, macro.active_rows, axis=0)[: tile.rows]
    digits = np.where(of_rows, largest_digit(cell) - digits, digits)
    values = sum_values(macro, cell, tile.weight_bits)
    weights = digits.reshape(tile.rows, -1, len(values)) @ values
    if has_reference(macro):
        return against_reference(weights, 1)
    return weights - weight_offset(macro, tile.weight_bits)


def drives(
    tile: Tile, target: Target, codes: NDArray[Any], levels: Levels | None = None
) -> Iterator[Drive]:
    """Yield what drives each row group in each phase, at the levels of its drivers if given."""
    found = phases(target.macro, tile.input_bits, tile.input_signed)
    for group, rows in enumerate(_groups(tile, target)):
        for index, phase in enumerate(found):
            digits = phase.drive(codes[:, rows])
            yield group, index, rows, digits if levels is None else at_levels(digits, levels[rows])


@final
class ProbedTile:
    """The cells of one tile, with every analog sum as a column of weights of its own.

    The very kernels of a product read them, one row group and one conversion of it at a time, with
    the converters and drivers of the tile.
    """

    def __init__(self, arrays: ProgrammedArrays, index: int, tile: Tile, target: Target) -> None:
        """Make the cells of a tile ready."""
        self._arrays, self._index, self._tile, self._target = arrays, index, tile, target
        macro, cell = target.macro, target.cell
        self._analog = macro.accumulation is Accumulation.ANALOG
        self._steps = steps(macro, tile.input_bits, tile.input_signed)
        self._signed = tile.input_signed if self._analog else self._steps[0].phases[0].signed
        plain = without_redundancy(target) if paired(macro) else without_pairs(target)
        bits = tile.input_bits
        if not self._analog:
            bits = min(macro.dac_bits + self._signed, WIDEST_INPUT)
            plain = plain.with_values({"macro.dac_bits": bits}, "digits with their sign")
        self._sums = len(sum_values(macro, cell, tile.weight_bits))
        one = replace(
            tile,
            cols=tile.cols * self._sums,
            weight_bits=cell.bits + paired(macro),
            input_bits=bits,
            input_signed=self._signed,
            flips=b"",
        )
        self._surplus = weight_offset(plain.macro, one.weight_bits)
        content = arrays.seen(index)
        self._ready: list[ArrayTile] = []
        for rows in _groups(tile, target):
            group = replace(one, row=tile.row + rows.start, rows=rows.stop - rows.start)
            self._ready.append(arrays.build(group, plain, content[rows]))

    def read(self, codes: NDArray[Any]) -> Iterator[tuple[int, int, NDArray[np.int32]]]:
        """Yield row group, conversion, and what its codes are worth (inputs, sums, cols).

        Each is a read of its own. Where converters never round, these are the sums themselves, in
        units of one digit product.
        """
        for group, rows in enumerate(_groups(self._tile, self._target)):
            for index, step in enumerate(self._steps):
                drive = codes[:, rows] if self._analog else step.drive(codes[:, rows])
                drive = drive.astype(np.int8 if self._signed else np.uint8)
                sums = self._arrays.read(self._index, self._ready[group], drive)
                sums = sums + self._surplus * drive.sum(axis=1, dtype=np.int32)[:, None]
                yield group, index, sums.reshape(len(codes), -1, self._sums).swapaxes(1, 2)


def without_redundancy(target: Target) -> Target:
    """Return the target with one way to write a number, in which a digit has one slice."""
    changes = {"macro.slice_overlap": 0.0, "macro.guard_slices": 0}
    return target.with_values(changes, "digits without redundancy")


def without_pairs(target: Target) -> Target:
    """Return the target as it is for columns that are read one by one, none of them flipped."""
    changes = {
        "macro.encoding": Encoding.OFFSET.value,
        "macro.subtraction": Subtraction.BEFORE.value,
        "macro.differential": Differential.ONE_SIDED.value,
        "macro.reference": Reference.DIGITAL.value,
        "macro.column_flip": False,
        "wires.interleaved": False,
    }
    return without_redundancy(target).with_values(changes, "columns read one by one")


def _groups(tile: Tile, target: Target) -> list[slice]:
    """Return the rows of each group."""
    step = target.macro.active_rows
    return [slice(first, min(first + step, tile.rows)) for first in range(0, tile.rows, step)]
