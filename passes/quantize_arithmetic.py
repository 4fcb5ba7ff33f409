"""From ranges to codes: scales, zero points and integer weights, in float32 as the hardware has it.

code = clip(round_half_even(x / scale) + zero_point, lowest, highest)
x    = (code - zero_point) * scale
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import final

import numpy as np
from numpy.typing import NDArray

from mcc.ir.diagnostics import error
from mcc.passes.observers import (
    Extremes,
    Histogram,
    Observer,
    Range,
    least_error,
    percentile,
)

Floats = NDArray[np.float32]

INT32_MAX = 2**31 - 1

LEAST_SCALE = float(np.finfo(np.float32).tiny)
"""Smallest normal float32: a scale below it would lose its digits."""

AFFINE_GAIN = 0.75
"""A zero point must make the step at least this much finer: it keeps word lines busy for zeros."""


@final
class Scheme(StrEnum):
    """Which codes activations get."""

    AUTO = "auto"
    """Unsigned where that makes the step clearly finer (after a ReLU, say), else signed."""
    SYMMETRIC = "symmetric"
    """Signed, zero point 0."""
    AFFINE = "affine"
    """Unsigned with a zero point."""


@final
class Granularity(StrEnum):
    """What shares a scale."""

    AUTO = "auto"
    """Like token where a linear layer takes several vectors, else like tensor."""
    TENSOR = "tensor"
    """All elements of a value."""
    TOKEN = "token"
    """The last axis, which is contracted: one scale for each position of the others."""


@final
class Clipping(StrEnum):
    """How the scale of a weight column is chosen."""

    ABSMAX = "absmax"
    """The largest magnitude gets the largest code."""
    MSE = "mse"
    """The largest magnitudes may be clipped where that lowers the mean squared error."""


@final
@dataclass(frozen=True)
class Codes:
    """A range of integers: `bits` wide, two's complement or unsigned."""

    bits: int
    signed: bool

    @property
    def lowest(self) -> int:
        """Smallest code."""
        return -(2 ** (self.bits - 1)) if self.signed else 0

    @property
    def highest(self) -> int:
        """Largest code."""
        return 2 ** (self.bits - 1) - 1 if self.signed else 2**self.bits - 1


@final
@dataclass(frozen=True)
class Mapping:
    """How one activation becomes codes."""

    codes: Codes
    scale: float
    """A float32 number."""
    zero_point: int

    def encode(self, values: Floats) -> NDArray[np.int32]:
        """Round values to codes."""
        rounded = np.rint(values.astype(np.float32) / np.float32(self.scale))
        shifted = rounded + np.float32(self.zero_point)
        return np.clip(shifted, self.codes.lowest, self.codes.highest).astype(np.int32)

    def decode(self, codes: NDArray[np.int32]) -> Floats:
        """Give the numbers that codes stand for."""
        return (codes - self.zero_point).astype(np.float32) * np.float32(self.scale)


def check_bits(name: str, bits: int) -> None:
    """Refuse a width that no encoding has."""
    if not 2 <= bits <= 8:
        raise error(
            "option-value", f"quantize: {name} is {bits}", f"{name} lies between 2 and 8 bits"
        )


def is_unsigned(seen: Range, bits: int, scheme: Scheme) -> bool:
    """Tell whether a range gets unsigned codes."""
    if scheme is not Scheme.AUTO:
        return scheme is Scheme.AFFINE
    symmetric = max(-seen.low, seen.high) / Codes(bits, True).highest
    affine = (seen.high - seen.low) / Codes(bits, False).highest
    return affine <= AFFINE_GAIN * symmetric


def mapping_for(seen: Range, bits: int, unsigned: bool) -> Mapping:
    """Cover a range with codes; zero is always met exactly."""
    codes = Codes(bits, not unsigned)
    spread = seen.high - seen.low if unsigned else max(-seen.low, seen.high)
    if spread == 0.0:
        return Mapping(codes, 1.0, 0)
    scale = float(np.float32(max(spread / codes.highest, LEAST_SCALE)))
    zero_point = round(-seen.low / scale) if unsigned else 0
    return Mapping(codes, scale, min(max(zero_point, codes.lowest), codes.highest))


def observe(
    record: Extremes, observer: Observer, percent: float, bits: int, scheme: Scheme
) -> Mapping:
    """Conclude from a record how the value is to be coded."""
    unsigned = is_unsigned(record.range(), bits, scheme)
    seen = record.range()
    if isinstance(record, Histogram):
        if observer is Observer.PERCENTILE:
            seen = percentile(record, percent)
        elif observer is Observer.MSE:
            seen = least_error(record, lambda tried, x: _round_trip(tried, bits, unsigned, x))
    return mapping_for(seen, bits, unsigned)


def _round_trip(
    seen: Range, bits: int, unsigned: bool, values: NDArray[np.float64]
) -> NDArray[np.float64]:
    mapping = mapping_for(seen, bits, unsigned)
    return mapping.decode(mapping.encode(values.astype(np.float32))).astype(np.float64)


def quantize_weight(
    columns: Floats, bits: int, clipping: Clipping
) -> tuple[NDArray[np.int8], Floats]:
    """Turn a matrix into signed codes and one scale per output channel.

    A channel of zeros (or of numbers too small for a normal scale) gets scale 1 and codes 0.

    Args:
        columns: (rows, cols), float32.
        bits: Width of a code; codes lie in `-(2**(bits-1)-1) .. 2**(bits-1)-1`.
        clipping: How the scale is chosen.

    Returns:
        Codes (rows, cols) and scales (cols).
    """
    highest = Codes(bits, True).highest
    absmax = np.abs(columns).max(axis=0, initial=0.0).astype(np.float32)
    scale = _column_scale(absmax, highest)
    if clipping is Clipping.MSE:
        scale = _least_error_scale(columns, absmax, highest)
    return _weight_codes(columns, scale, highest), scale


def _column_scale(absmax: Floats, highest: int) -> Floats:
    scale = absmax / np.float32(highest)
    # A column of zeros has the least scale, by which errors of its cells stay nothing.
    return np.maximum(scale, np.float32(LEAST_SCALE)).astype(np.float32)


def _weight_codes(columns: Floats, scale: Floats, highest: int) -> NDArray[np.int8]:
    return np.clip(np.rint(columns / scale), -highest, highest).astype(np.int8)


def _least_error_scale(columns: Floats, absmax: Floats, highest: int) -> Floats:
    best = _column_scale(absmax, highest)
    least = np.full(columns.shape[1], np.inf)
    for step in range(50, 14, -1):
        scale = _column_scale(absmax * np.float32(step / 50.0), highest)
        decoded = _weight_codes(columns, scale, highest) * scale
        wrong = ((decoded - columns) ** 2).sum(axis=0, dtype=np.float64)
        best = np.where(wrong < least, scale, best)
        least = np.minimum(wrong, least)
    return best.astype(np.float32)


def largest_sum(rows: int, activation_bits: int, weight_bits: int) -> int:
    """Bound the magnitude of `sum_k (code_k - zero_point) * weight_k` over `rows` products.

    Codes and zero point of an activation differ by at most `2**bits - 1`.
    """
    return rows * (2**activation_bits - 1) * Codes(weight_bits, True).highest
