"""Real numbers as the codes that cells hold and word lines are driven with.

Weights have one scale for each output and no zero point. Inputs have one scale for each vector, of
the largest magnitude that it holds, so that the result of a vector does not depend on its company;
or one fixed scale for all, of a range that is given or calibrated. Neither has a zero point: codes
are signed where inputs can be negative, and unsigned for a fixed range from 0.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from mcc.ir.diagnostics import error

Floats = NDArray[np.float64]
LEAST_RANGE = 1e-300
"""Of inputs: codes of less have no scale in float64."""


@final
@dataclass(frozen=True)
class InputCoding:
    """How vectors of real numbers become codes."""

    bits: int
    """Width of a code, sign included: 2 to 8."""
    range: tuple[float, float] | None = None
    """Smallest and largest input, which all vectors share; of each vector alone if None.

    Codes reach from 0, or as far below 0 as above, whichever holds the range.
    """

    def __post_init__(self) -> None:
        check_bits("input_bits", self.bits)
        if self.range is None:
            return
        try:
            low, high = (float(it) for it in self.range)
        except (TypeError, ValueError):
            low = high = math.nan
        if not (math.isfinite(low) and math.isfinite(high) and low < high):
            message = f"the input range {self.range!r} is no two finite numbers that rise"
            raise error("option-value", message, "give the smallest and the largest input")
        if max(abs(low), abs(high)) < LEAST_RANGE:
            message = f"the input range {self.range!r} is too small for codes"
            raise error("option-value", message, f"give one that reaches {LEAST_RANGE:g}")

    @property
    def signed(self) -> bool:
        """Whether codes are signed."""
        return self.range is None or self.range[0] < 0

    @property
    def highest(self) -> int:
        """The largest code; signed codes reach as far below 0."""
        return (1 << (self.bits - 1)) - 1 if self.signed else (1 << self.bits) - 1

    @property
    def scale(self) -> float | None:
        """What one unit of a code is worth; None where each vector has its own."""
        return None if self.range is None else max(abs(it) for it in self.range) / self.highest

    def encode(self, vectors: Floats) -> tuple[NDArray[Any], Floats]:
        """Return the codes (batch, rows), int8 or uint8, and the scales (batch, 1).

        `clip(round_half_even(x / scale))`: beyond a fixed range inputs take the last code.
        """
        scales = np.full((len(vectors), 1), self.scale or 0.0)
        if self.range is None:
            scales = np.abs(vectors).max(axis=1, initial=0, keepdims=True) / self.highest
        lowest = -self.highest if self.signed else 0
        codes = np.clip(np.rint(vectors / _divisors(scales)), lowest, self.highest)
        return codes.astype(np.int8 if self.signed else np.uint8), scales


def encode_weights(weights: Floats, bits: int) -> tuple[NDArray[np.int8], Floats]:
    """Return the codes of weights (outputs, inputs) and the scale of each output (outputs,)."""
    check_bits("weight_bits", bits)
    highest = (1 << (bits - 1)) - 1
    scales = np.abs(weights).max(axis=1, initial=0) / highest
    codes = np.rint(weights / _divisors(scales)[:, None]).clip(-highest, highest)
    return codes.astype(np.int8), scales


def check_bits(name: str, bits: object) -> None:
    """Refuse a width of codes that no encoding has."""
    if not isinstance(bits, int) or isinstance(bits, bool) or not 2 <= bits <= 8:
        raise error("option-value", f"{name} is {bits!r}", "codes have 2 to 8 bits, sign included")


def _divisors(scales: Floats) -> Floats:
    """Return scales to divide by: what is all zero has the scale 0, and the code 0 by any other."""
    return np.where(scales > 0, scales, 1.0)
