"""One tile in real cells between real drivers and converters, where the kernel cannot go.

Slower than the kernel, and the same where both can go, but for the rounding of sums: here they are
exact. Drives, weights and variances are rounded to so many bits that float64 holds every partial
sum, so that a matrix library may add in any order and results depend neither on it nor on which
inputs are multiplied together. They have at least 20 bits, far more than any error of theirs.
"""

from __future__ import annotations

import math
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from mcc.ir.hardware import Target
from mcc.ir.hardware.conversion import code_range
from mcc.ir.hardware.encoding import largest_digit, row_groups
from mcc.ir.hardware.phases import phases
from mcc.ir.program.tables import Tile
from mcc.runtime.converters.periphery import Periphery
from mcc.runtime.read_noise import PHASES, ReadNoise
from mcc.runtime.reads import Reads, without_offset
from mcc.runtime.sums import Sums, converter_of

Matrix = NDArray[np.float64]

BLOCK_NUMBERS = 2**21
"""Random numbers that are held at a time, which bounds the inputs that are worked on together."""
SUM_BITS = 52
"""Bits of a whole number that float64 is sure to hold, sign aside."""
REAL_BITS = 22
"""Bits of the largest drive (and of its square) where drives are no whole digits."""
LARGEST_NORMAL = 6.0
"""No normal number of the generator is larger: sqrt(2 * ln(2**24)) is 5.8."""


@final
class GeneralTile:
    """One tile in the cells of a programmed macro, with its periphery."""

    def __init__(
        self,
        tile: Tile,
        target: Target,
        weights: NDArray[np.float32],
        variances: NDArray[np.float32],
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
        self._drive_bits, self._square_bits = REAL_BITS, REAL_BITS
        if self._whole_drives:
            self._drive_bits, self._square_bits = macro.dac_bits, 2 * macro.dac_bits
        row_bits = math.ceil(math.log2(self._lines))
        self._weights = _rounded(weights, SUM_BITS - row_bits - self._drive_bits)
        self._variances = _rounded(variances, SUM_BITS - row_bits - self._square_bits)
        self._conversion_variance = (periphery.conversion_noise * 2.0**tile.shift) ** 2
        self._noisy = bool(variances.any()) or periphery.conversion_noise > 0

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

    @property
    def _whole_drives(self) -> bool:
        return self._periphery.levels is None and self._periphery.drive_noise == 0

    @property
    def _largest_drive(self) -> float:
        """No drive of any row is larger."""
        nominal = float(2**self._macro.dac_bits - 1)
        levels = self._periphery.levels
        largest = nominal if levels is None else float(levels.max())
        return largest + LARGEST_NORMAL * self._periphery.drive_noise

    def _totals(self, codes: NDArray[Any], reads: Reads, first: int) -> NDArray[np.int64]:
        """Return the converted sums (inputs, sums) of all groups and phases, put together."""
        reading = driving = None
        if self._noisy:
            reading = self._noise(reads, reads.place, self._weights.shape[1], first, len(codes))
        if self._periphery.drive_noise > 0:
            place = self._periphery.drive_place
            driving = self._noise(reads, place, self._lines, first, len(codes))
        total = np.zeros((len(codes), self._weights.shape[1]), np.int64)
        driven = phases(self._macro, self._tile.input_bits, self._tile.input_signed)
        for group in range(self._groups):
            start = group * self._lines
            rows = slice(start, min(start + self._lines, self._tile.rows))
            for index, phase in enumerate(driven):
                digits = phase.drive(codes[:, rows])
                drives = self._drives(digits, rows, driving, (group, index))
                sums = self._analog(drives, rows, reading, (group, index))
                values = self._converted(sums)
                full = self._largest_digit * digits.sum(axis=1, dtype=np.int64)[:, None]
                total += phase.worth * np.where(self._flips[group], full - values, values)
        return total

    def _noise(self, reads: Reads, place: int, lines: int, first: int, inputs: int) -> ReadNoise:
        return ReadNoise(reads, place, lines=lines, groups=self._groups, first=first, inputs=inputs)

    def _drives(
        self,
        digits: NDArray[np.int16],
        rows: slice,
        noise: ReadNoise | None,
        step: tuple[int, int],
    ) -> Matrix:
        """Return what drives each row (inputs, rows of the group) for its digit."""
        drives = digits.astype(np.float64)
        if self._whole_drives:
            return drives
        if (levels := self._periphery.levels) is not None:
            of_rows = levels[self._tile.row + rows.start : self._tile.row + rows.stop]
            sizes = of_rows[np.arange(len(of_rows)), np.abs(digits)]
            drives = np.sign(digits) * sizes
        if noise is not None:
            numbers = noise.of(*step)[:, : drives.shape[1]]
            drives += self._periphery.drive_noise * numbers * (digits != 0)
        return _rounded(drives, self._drive_bits, self._largest_drive)

    def _analog(
        self, drives: Matrix, rows: slice, noise: ReadNoise | None, step: tuple[int, int]
    ) -> Matrix:
        """Return the analog sums (inputs, sums) of a row group with the noise of their reads."""
        sums = drives @ self._weights[rows]
        if noise is None:
            return sums
        squares = _rounded(np.square(drives), self._square_bits, self._largest_drive**2)
        variances = squares @ self._variances[rows] + self._conversion_variance
        return sums + np.sqrt(variances) * noise.of(*step)

    def _converted(self, sums: Matrix) -> NDArray[np.int64]:
        """Return what the codes of analog sums are worth."""
        levels = sums * 2.0**-self._tile.shift
        if (bank := self._periphery.bank) is not None:
            codes = bank.convert(levels, self._converter_of).astype(np.int64)
        else:
            codes = np.clip(np.rint(levels), self._low, self._high).astype(np.int64)
        return codes << self._tile.shift


def _rounded(values: NDArray[Any], bits: int, largest: float | None = None) -> Matrix:
    """Return values as multiples of a power of two of which the largest is below 2**bits."""
    wide = values.astype(np.float64)
    top = float(np.abs(wide).max(initial=0)) if largest is None else largest
    exponent = math.frexp(top)[1] - bits
    return np.ldexp(np.rint(np.ldexp(wide, -exponent)), exponent)
