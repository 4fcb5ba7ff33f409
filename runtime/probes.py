"""What can be seen inside a tile: its weights as written, its currents, its conversions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcc.ir.hardware import Cell, Encoding, Target
from mcc.ir.hardware.encoding import (
    digit_values,
    largest_digit,
    row_groups,
    slices,
    weight_offset,
)
from mcc.ir.hardware.phases import Phase, phases
from mcc.ir.program.tables import Tile
from mcc.runtime.analog import digits_and_variances
from mcc.runtime.arrays import ProgrammedArrays
from mcc.runtime.devices import target_siemens

Conversion = tuple[int, int, int, NDArray[np.int32]]
"""Row group, phase, slice, and what the converters said (inputs, cols)."""


def siemens_of(content: NDArray[Any], cell: Cell) -> NDArray[np.float64]:
    """Return the conductances of cells, whether given as such or by their states."""
    return target_siemens(content, cell) if content.dtype == np.uint8 else content


def digits_of(content: NDArray[Any], target: Target) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the weight and the variance of a read of each analog sum's cells (rows, sums)."""
    return digits_and_variances(siemens_of(content, target.cell), target)


def sum_flips(tile: Tile, target: Target, sums: int) -> NDArray[np.bool_]:
    """Return which analog sums are of complements (row groups, sums)."""
    groups = row_groups(target.macro, tile.rows)
    pair = 2 if target.macro.encoding is Encoding.DIFFERENTIAL else 1
    return tile.flipped(groups, sums * pair)[:, ::pair]


def sum_values(tile: Tile, target: Target) -> NDArray[np.int32]:
    """Return what one unit of each analog sum of a weight is worth (slices,)."""
    values = digit_values(target.macro, target.cell, tile.weight_bits)
    return values[::2] if target.macro.encoding is Encoding.DIFFERENTIAL else values


def effective_weights(tile: Tile, target: Target, content: NDArray[Any]) -> NDArray[np.float64]:
    """Return the weights (rows, cols) by which the cells of a tile multiply on average."""
    digits = digits_of(content, target)[0].astype(np.float64)
    flips = np.repeat(sum_flips(tile, target, digits.shape[1]), target.macro.active_rows, axis=0)
    digits = np.where(flips[: tile.rows], largest_digit(target.cell) - digits, digits)
    values = sum_values(tile, target)
    weights = digits.reshape(tile.rows, tile.cols, len(values)) @ values.astype(np.float64)
    return weights - weight_offset(target.macro, tile.weight_bits)


def drives(
    tile: Tile, target: Target, codes: NDArray[Any]
) -> Iterator[tuple[int, int, slice, Phase, NDArray[Any]]]:
    """Yield row group, phase and its drive (inputs, rows of the group) for input codes."""
    step = target.macro.active_rows
    for group, first in enumerate(range(0, tile.rows, step)):
        rows = slice(first, min(first + step, tile.rows))
        found = phases(target.macro, tile.input_bits, codes.dtype == np.int8)
        for index, phase in enumerate(found):
            drive = phase.drive(codes[:, rows])
            yield group, index, rows, phase, drive.astype(np.int8 if phase.signed else np.uint8)


def conversions(
    arrays: ProgrammedArrays, index: int, tile: Tile, target: Target, codes: NDArray[Any]
) -> Iterator[Conversion]:
    """Read a tile one analog sum at a time, each as a read of its own, and yield every code.

    The very kernels of a product make them: of the cells of one slice in one row group, driven by
    the digits of one phase. Where converters never round, the code is the sum itself, in units of
    one digit product.
    """
    macro, cell = target.macro, target.cell
    count = slices(macro, cell, tile.weight_bits)
    one_bits = cell.bits + (macro.encoding is Encoding.DIFFERENTIAL)
    surplus = weight_offset(macro, one_bits)
    parts = arrays.content(index).reshape(tile.rows, tile.cols, count, -1)
    plain = replace(tile, weight_bits=one_bits, input_bits=macro.dac_bits, flips=b"")
    for group, phase, rows, _, drive in drives(tile, target, codes):
        one = replace(plain, rows=drive.shape[1])
        whole = surplus * drive.sum(axis=1, dtype=np.int32)[:, None]
        for place in range(count):
            cells = parts[rows, :, place].reshape(drive.shape[1], -1)
            ready = arrays.build(one, target, np.ascontiguousarray(cells))
            sums = arrays.read(index, ready, drive) + whole
            yield group, phase, place, sums
