"""One tile in real cells between real drivers and converters, where the kernel cannot go.

Slower than the kernel, and the same where both can go, but for the rounding of sums: here they are
exact. Drives, weights and variances are rounded to so many bits that float64 holds every partial
sum, so that a matrix library may add in any order and results depend neither on it nor on which
inputs are multiplied together. The largest weight of a tile keeps at least 16 bits.
"""

from __future__ import annotations

import math
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from mcc.ir.hardware import Target
from mcc.ir.hardware.conversion import code_range
from mcc.ir.hardware.encoding import largest_digit, row_groups
from mcc.ir.hardware.phases import steps
from mcc.ir.program.tables import Tile
from mcc.runtime.converters.periphery import Periphery
from mcc.runtime.drives import Drives, Matrix, rounded
from mcc.runtime.read_noise import PHASES, ReadNoise
from mcc.runtime.reads import Reads, without_offset
from mcc.runtime.sums import Sums, converter_of

BLOCK_NUMBERS = 2**21
"""Random numbers that are held at a time, which bounds the inputs that are worked on together."""
SUM_BITS = 52
"""Bits of a whole number that float64 is sure to hold, sign aside."""


@final
class GeneralTile:
    """One tile in the cells of a programmed macro, with its periphery."""

    def __init__(
        self,
        tile: Tile,
        target: Target,
        weights: NDArray[np.float32],
        variances: NDArray[np.float32] | None,
        periphery: Periphery,
    ) -> None:
        """Take the weight and the variance of a read of each analog sum's cells (rows, sums)."""
        macro = target.macro
        self._tile, self._macro, self._periphery = tile, macro, periphery
        self._low, self._high = code_range(macro)
        self._groups = row_groups(macro, tile.rows)
        self._lines = min(macro.active_rows, tile.rows)
        self._flips = tile.flipped(self._groups, weights.shape[1])
        self._largest_digit = largest_digit(target.cell)
        self._sums = Sums(tile, target)
        self._converter_of = converter_of(tile, target, weights.shape[1])
        self._drives = Drives(tile, macro, periphery)
        bits = SUM_BITS - math.ceil(math.log2(self._lines))
        self._weights = rounded(weights, bits - self._drives.bits, _largest(weights))
        variances = np.zeros_like(weights) if variances is None else variances
        self._variances = rounded(variances, bits - self._drives.square_bits, _largest(variances))
        self._conversion_variance = (periphery.conversion_noise * 2.0**tile.shift) ** 2
        noisy = bool(variances.any()) or periphery.conversion_noise > 0
        self._sum_lines = weights.shape[1] if noisy else 0
        self._drive_lines = self._lines if periphery.drive_noise > 0 else 0
        self._steps = steps(macro, tile.input_bits, tile.input_signed)

    def multiply(self, codes: NDArray[Any], reads: Reads) -> NDArray[np.int32]:
        """Return the sums (inputs, cols) of codes (inputs, rows)."""
        found = np.empty((len(codes), self._tile.cols), np.int32)
        widest = max(self._weights.shape[1], self._lines)
        block = max(1, BLOCK_NUMBERS // (PHASES * self._groups * widest))
        for first in range(0, len(codes), block):
            part = codes[first : first + block]
            totals = self._totals(part, reads, first)
            found[first : first + block] = self._sums.together(totals)
        return without_offset(found, codes, self._tile, self._macro)

    def _totals(self, codes: NDArray[Any], reads: Reads, first: int) -> NDArray[np.int64]:
        """Return the converted sums (inputs, sums) of all groups and steps, put together."""
        reading = self._noise(reads, reads.place, self._sum_lines, first, len(codes))
        place = self._periphery.drive_place
        driving = self._noise(reads, place, self._drive_lines, first, len(codes))
        total = np.zeros((len(codes), self._weights.shape[1]), np.int64)
        for group in range(self._groups):
            start = group * self._lines
            rows = slice(start, min(start + self._lines, self._tile.rows))
            part, phase = codes[:, rows], 0
            for index, step in enumerate(self._steps):
                drives, squares = self._drives.of(part, rows, step, driving, (group, phase))
                sums = drives @ self._weights[rows]
                if self._sum_lines:
                    variances = squares @ self._variances[rows] + self._conversion_variance
                    sums += np.sqrt(variances) * reading.of(group, index)
                full = self._largest_digit * step.drive(part).sum(axis=1, dtype=np.int64)[:, None]
                values = self._converted(sums)
                total += step.worth * np.where(self._flips[group], full - values, values)
                phase += len(step.phases)
        return total

    def _noise(self, reads: Reads, place: int, lines: int, first: int, inputs: int) -> ReadNoise:
        return ReadNoise(reads, place, lines=lines, groups=self._groups, first=first, inputs=inputs)

    def _converted(self, sums: Matrix) -> NDArray[np.int64]:
        """Return what the codes of analog sums are worth."""
        levels = sums * 2.0**-self._tile.shift
        if (bank := self._periphery.bank) is not None:
            codes = bank.convert(levels, self._converter_of).astype(np.int64)
        else:
            codes = np.clip(np.rint(levels), self._low, self._high).astype(np.int64)
        return codes << self._tile.shift


def _largest(values: NDArray[np.float32]) -> float:
    return float(np.abs(values).max(initial=0))
