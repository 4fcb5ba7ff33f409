"""Plain twins of the native kernels: slow, obvious, the judges of their tests."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def integer_product(codes: NDArray[np.integer], weights: NDArray[np.int8]) -> NDArray[np.int32]:
    """Return `codes @ weights` (batch, cols) in int32, modulo 2**32."""
    return (codes.astype(np.int64) @ weights.astype(np.int64)).astype(np.int32)


def bit_plane_product(
    codes: NDArray[np.integer],
    digits: NDArray[np.int8],
    *,
    bits_per_cell: int,
    active_rows: int,
    flipped: NDArray[np.bool_] | None = None,
    input_bits: int,
    dac_bits: int,
    sign_magnitude: bool,
    shift: int,
    low: int,
    high: int,
) -> NDArray[np.int32]:
    """Multiply as a crossbar does: every analog sum is formed and converted on its own.

    Args:
        codes: Inputs (batch, rows), uint8 or int8.
        digits: Digits as the cells hold them (slices, rows, cols), the lowest slice first.
        bits_per_cell: Bits of a digit.
        active_rows: Rows of one analog sum.
        flipped: Columns that hold the complement of their digits (groups, slices, cols).
        input_bits: Bits of a code.
        dac_bits: Bits of a phase.
        sign_magnitude: Whether signed codes are driven by sign and magnitude.
        shift: Logarithm of the converter's step.
        low: Lowest code of the converter.
        high: Highest code of the converter.
    """
    slices, rows, cols = digits.shape
    result = np.zeros((len(codes), cols), np.int64)
    for group, start in enumerate(range(0, rows, active_rows)):
        part = codes[:, start : start + active_rows]
        for worth, drive in phases(part, input_bits, dac_bits, sign_magnitude):
            for index in range(slices):
                sums = drive @ digits[index, start : start + active_rows].astype(np.int64)
                values = convert(sums, shift, low, high)
                if flipped is not None:
                    all_ones = (2**bits_per_cell - 1) * drive.sum(axis=1, keepdims=True)
                    values = np.where(flipped[group, index], all_ones - values, values)
                result += worth * 2 ** (bits_per_cell * index) * values
    return result.astype(np.int32)


def convert(sums: NDArray[np.int64], shift: int, low: int, high: int) -> NDArray[np.int64]:
    """Return what the converter's codes of analog sums are worth."""
    codes = np.rint(sums / 2**shift).astype(np.int64)
    return np.clip(codes, low, high) * 2**shift


def phases(
    codes: NDArray[np.integer], input_bits: int, dac_bits: int, sign_magnitude: bool
) -> list[tuple[int, NDArray[np.int64]]]:
    """Return, for every phase, what a unit of it is worth and the digits that it drives."""
    wide = codes.astype(np.int64)
    signed = codes.dtype == np.int8
    two = signed and not sign_magnitude
    magnitude, sign = (wide, 1) if two else (np.abs(wide), np.sign(wide))
    plain = input_bits - 1 if two else input_bits
    found: list[tuple[int, NDArray[np.int64]]] = []
    for first in range(0, plain, dac_bits):
        bits = min(dac_bits, plain - first)
        found.append((2**first, sign * ((magnitude >> first) & (2**bits - 1))))
    if two:
        found.append((-(2**plain), (wide >> plain) & 1))
    return found
