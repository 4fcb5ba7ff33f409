"""How weights become cells and back; the one place where the layout of digits is decided.

A weight occupies `physical_columns` neighbouring columns of its row, slice after slice, the lowest
digit first. In the differential encoding a slice is a pair of columns (positive, negative) whose
difference is the digit of the magnitude, with the sign of the weight; in the offset encoding it is
one column of the digits of `weight + 2**(weight_bits - 1)`. With column flip, a column whose digits
sum to more than half of what they could within one row group is stored as `largest digit - digit`
there. With a reference column the block has one more column of weights, its last: of weights 0,
which are the states of the offset.

`significance.py` decides what slices are worth and which digits write a number.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar, final

import numpy as np
from numpy.typing import NDArray

from mcc.ir.diagnostics import error
from mcc.ir.hardware.choices import Differential, Encoding, Reference, Subtraction
from mcc.ir.hardware.schema import Cell, Macro
from mcc.ir.hardware.significance import digits_of, largest_digit, significances, slices

Digit = TypeVar("Digit", np.int8, np.int32, np.int64, np.float32, np.float64)


@final
@dataclass(frozen=True)
class Encoded:
    """A block of weights as states of cells."""

    cells: NDArray[np.uint8]
    """State index of every cell (rows, cols * physical columns)."""
    flips: NDArray[np.bool_]
    """Which columns are stored flipped (row groups, cols * physical columns)."""


def physical_columns(macro: Macro, cell: Cell, weight_bits: int) -> int:
    """Return the number of columns that one column of weights occupies."""
    pair = 2 if macro.encoding is Encoding.DIFFERENTIAL else 1
    return pair * slices(macro, cell, weight_bits)


def has_reference(macro: Macro) -> bool:
    """Whether every tile has a reference column, of as many physical ones as a weight has."""
    return macro.encoding is Encoding.OFFSET and macro.reference is Reference.COLUMN


def subtracts_reference(macro: Macro) -> bool:
    """Whether the currents of a reference column are subtracted from those of all others."""
    return has_reference(macro) and macro.subtraction is Subtraction.BEFORE


def tile_columns(macro: Macro, cell: Cell, weight_bits: int, cols: int) -> int:
    """Return the number of columns that a block of `cols` columns of weights occupies."""
    return (cols + has_reference(macro)) * physical_columns(macro, cell, weight_bits)


def most_columns(macro: Macro, cell: Cell, weight_bits: int) -> int:
    """Return how many columns of weights a macro holds; 0 where not even one fits."""
    fitting = macro.cols // physical_columns(macro, cell, weight_bits)
    return max(fitting - has_reference(macro), 0)


def row_groups(macro: Macro, rows: int) -> int:
    """Return the number of groups in which `rows` word lines are driven."""
    return -(-rows // macro.active_rows)


def weight_offset(macro: Macro, weight_bits: int) -> int:
    """Return what the cells hold too much of every weight."""
    return 2 ** (weight_bits - 1) if macro.encoding is Encoding.OFFSET else 0


def digital_offset(macro: Macro, weight_bits: int) -> int:
    """Return what is subtracted digitally of every weight: nothing beside a reference column."""
    return 0 if has_reference(macro) else weight_offset(macro, weight_bits)


def weight_range(macro: Macro, cell: Cell, weight_bits: int) -> tuple[int, int]:
    """Return the smallest and the largest weight of `weight_bits` that cells can hold."""
    reach = 2 ** (weight_bits - 1)
    if macro.encoding is Encoding.DIFFERENTIAL:
        capacity = int(largest_digit(cell) * significances(macro, cell, weight_bits).sum())
        return -min(reach, capacity), min(reach, capacity)
    return -reach, reach - 1


def encode(weights: NDArray[np.int8], macro: Macro, cell: Cell, weight_bits: int) -> Encoded:
    """Turn weights (rows, cols) into states of cells, those of the reference column included.

    Raises:
        MccError: A weight does not fit in `weight_bits`.
    """
    _check(weights, macro, cell, weight_bits)
    if has_reference(macro):
        weights = np.pad(weights, ((0, 0), (0, 1)))
    wide, worths = weights.astype(np.int32), significances(macro, cell, weight_bits)
    table = digits_of(np.arange(2**weight_bits, dtype=np.int32), worths, cell)
    if macro.encoding is Encoding.DIFFERENTIAL:
        magnitudes = table[np.abs(wide)]
        digits = _pairs(np.sign(wide)[..., None] * magnitudes, macro, cell)
    else:
        digits = table[wide + weight_offset(macro, weight_bits)]
    cells = np.ascontiguousarray(digits.reshape(len(weights), -1), np.uint8)
    flips = column_flips(cells, macro, cell)
    return Encoded(flipped(cells, flips, macro, cell), flips)


def decode(
    cells: NDArray[np.uint8],
    flips: NDArray[np.bool_],
    macro: Macro,
    cell: Cell,
    weight_bits: int,
) -> NDArray[np.int16]:
    """Return the whole weights (rows, cols) that cells stand for; any states are legal.

    They are those that were encoded, as a rest is below a half wherever it is not 0.
    """
    digits = flipped(cells, flips, macro, cell).astype(np.int32)
    values = digit_values(macro, cell, weight_bits)
    places = digits.reshape(len(cells), -1, len(values))
    weights = (np.rint(places @ values) - weight_offset(macro, weight_bits)).astype(np.int16)
    return weights[:, :-1] if has_reference(macro) else weights


def digit_values(macro: Macro, cell: Cell, weight_bits: int) -> NDArray[np.float64]:
    """Return what one unit of each physical column of a weight is worth (physical columns,)."""
    worths = significances(macro, cell, weight_bits)
    if macro.encoding is Encoding.DIFFERENTIAL:
        return np.stack([worths, -worths], axis=-1).reshape(-1)
    return worths


def paired(macro: Macro) -> bool:
    """Whether the currents of two columns are subtracted, so that they make one analog sum."""
    differential = macro.encoding is Encoding.DIFFERENTIAL
    return differential and macro.subtraction is Subtraction.BEFORE


def sum_values(macro: Macro, cell: Cell, weight_bits: int) -> NDArray[np.float64]:
    """Return what one unit of each analog sum of a weight is worth (analog sums,)."""
    values = digit_values(macro, cell, weight_bits)
    return values[0::2] if paired(macro) else values


def sum_digits(digits: NDArray[Digit], macro: Macro, sums: int) -> NDArray[Digit]:
    """Return the digits of analog sums (rows, sums) for those of columns (rows, columns).

    A weight has `sums` of them.
    """
    if paired(macro):
        return np.subtract(digits[:, 0::2], digits[:, 1::2], dtype=digits.dtype)
    return against_reference(digits, sums) if subtracts_reference(macro) else digits


def against_reference(values: NDArray[Digit], sums: int) -> NDArray[Digit]:
    """Subtract what belongs to the reference column, the last, from what belongs to the others.

    Args:
        values: Anything that a tile has for each column of weights and each of its `sums`
            (n, columns of weights * sums).
        sums: Columns or analog sums of a weight.

    Returns:
        The differences (n, (columns of weights - 1) * sums).
    """
    parts = values.reshape(len(values), -1, sums)
    found = np.subtract(parts[:, :-1], parts[:, -1:], dtype=values.dtype)
    return found.reshape(len(values), -1)


def column_flips(cells: NDArray[np.uint8], macro: Macro, cell: Cell) -> NDArray[np.bool_]:
    """Return which columns of unflipped cells are to be stored flipped, by row group."""
    groups = row_groups(macro, len(cells))
    flips = np.zeros((groups, cells.shape[1]), np.bool_)
    if macro.column_flip:
        for group in range(groups):
            part = cells[group * macro.active_rows : (group + 1) * macro.active_rows]
            half = len(part) * largest_digit(cell) / 2
            flips[group] = part.sum(axis=0, dtype=np.int64) > half
    return flips


def flipped(
    cells: NDArray[np.uint8], flips: NDArray[np.bool_], macro: Macro, cell: Cell
) -> NDArray[np.uint8]:
    """Return the cells with the marked columns replaced by their complement."""
    if not flips.any():
        return cells
    per_row = np.repeat(flips, macro.active_rows, axis=0)[: len(cells)]
    return np.where(per_row, largest_digit(cell) - cells, cells).astype(np.uint8)


def _pairs(digits: NDArray[np.int32], macro: Macro, cell: Cell) -> NDArray[np.int32]:
    """Return the states (..., 2) of the pairs that hold signed digits."""
    if macro.differential is Differential.TWO_SIDED:
        positive = (largest_digit(cell) + digits + 1) // 2
    else:
        positive = np.maximum(digits, 0)
    return np.stack([positive, positive - digits], axis=-1)


def _check(weights: NDArray[np.int8], macro: Macro, cell: Cell, weight_bits: int) -> None:
    low, high = weight_range(macro, cell, weight_bits)
    if weights.size and (weights.min() < low or weights.max() > high):
        found = f"{int(weights.min())} to {int(weights.max())}"
        message = f"weights from {found} do not fit into {weight_bits} bits ({low} to {high})"
        raise error("weight-range", message, "quantize the weights symmetrically")
