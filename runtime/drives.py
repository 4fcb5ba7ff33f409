"""What drives the rows of one tile, between real drivers: for every digit, a table."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from mcc.ir.hardware import InputCoding, Target
from mcc.ir.hardware.phases import Step
from mcc.ir.program.tables import Tile
from mcc.runtime.converters.periphery import Periphery
from mcc.runtime.devices.current import of_volts, slopes_of_volts
from mcc.runtime.read_noise import DriveNoise

Matrix = NDArray[np.float64]

DIGIT_BITS = 8
"""Bits of the largest drive where digits drive as they are; its square has twice as many."""
REAL_BITS = 22
"""Bits of the largest drive (and of its square) where drives are no digits."""
LARGEST_NORMAL = 6.0
"""No normal number of the generator is larger: sqrt(2 * ln(2**24)) is 5.8."""


@final
@dataclass(frozen=True, eq=False)
class Driven:
    """Some inputs that drive one row group of a tile in one step."""

    codes: NDArray[Any]
    """Input codes (inputs, rows of the group)."""
    rows: slice
    """The rows of the tile."""
    group: int
    step: Step
    """The phases whose currents are added up."""
    first_phase: int
    """Number of the first of them."""
    noise: DriveNoise | None
    """Normal numbers of the drivers, if drives are noisy."""


@final
@dataclass(frozen=True, eq=False)
class DriveTable:
    """What the drivers of a tile contribute to each term of the current of its cells.

    Digits count from the lowest, `-(2**dac_bits - 1)`, so that digit d is at `d + zero`.
    """

    drives: Matrix
    """In units of one digit at the read voltage (terms, rows or 1 if all are alike, digits)."""
    slopes: Matrix
    """How they change with the level of the driver, by one digit, of the same shape."""
    noise: float
    """Root mean square of what each drive adds to its level, in digits."""

    @property
    def zero(self) -> int:
        """Where digit 0 is."""
        return self.drives.shape[2] // 2

    @property
    def exact(self) -> bool:
        """Whether digits drive as they are."""
        digits = np.arange(-self.zero, self.zero + 1, dtype=np.float64)
        return self.noise == 0 and np.array_equal(self.drives, digits[None, None])

    def largest(self, normal: float) -> Matrix:
        """Return what no drive of a term exceeds (terms,), with noise of up to such a number."""
        drives, slopes = (np.abs(it).max(axis=(1, 2)) for it in (self.drives, self.slopes))
        return drives + normal * self.noise * slopes

    def at(self, values: Matrix, digits: NDArray[np.int16], rows: slice) -> Matrix:
        """Look up one term of a table (rows or 1, digits) for digits (inputs, rows)."""
        if len(values) == 1:
            return values[0][digits + self.zero]
        return values[rows][np.arange(digits.shape[1]), digits + self.zero]


def level_table(tile: Tile, target: Target, periphery: Periphery) -> DriveTable:
    """Return the drives of cells whose currents are in proportion to the digits."""
    signed = _signed_levels(tile, target, periphery)[None]
    return DriveTable(signed, np.sign(np.abs(signed)), periphery.drive_noise)


def voltage_table(tile: Tile, target: Target, periphery: Periphery) -> DriveTable:
    """Return the drives of cells with a law of current, for each of its terms.

    Levels are voltages, the highest digit that of `read_volt`; pulses have that voltage of either
    sign, and as many of them count as the level says.

    Raises:
        MccError: `read-voltage`, where a driver exceeds what the law of the cells reaches.
    """
    law, volt, top = target.cell.current, target.wires.read_volt, 2**target.macro.dac_bits - 1
    levels = _signed_levels(tile, target, periphery)
    if target.macro.input_coding is InputCoding.PULSE_WIDTH:
        volts = volt * np.sign(levels)
        per_pulse = np.stack(of_volts(volts, law)) / volt
        drives = per_pulse * np.abs(levels)
        slopes = per_pulse * np.sign(levels)
    else:
        volts = volt * levels / top
        drives = np.stack(of_volts(volts, law)) * (top / volt)
        slopes = np.stack(slopes_of_volts(volts, law)) * (levels != 0)
    return DriveTable(drives, slopes, periphery.drive_noise)


def _signed_levels(tile: Tile, target: Target, periphery: Periphery) -> Matrix:
    """Return the level of every digit of every row (rows or 1, digits)."""
    levels = np.arange(2**target.macro.dac_bits, dtype=np.float64)[None]
    if periphery.levels is not None:
        levels = periphery.levels[tile.row : tile.row + tile.rows]
    return np.concatenate([-levels[:, :0:-1], levels], axis=1)


@final
class Drives:
    """The drivers of the rows of one tile, whose drives have few bits.

    Drives, and products of two of them, are multiples of a power of two below `2**bits` and
    `2**square_bits` of them, so that their products with weights have few bits too.
    """

    def __init__(self, table: DriveTable) -> None:
        """Take what the drivers do."""
        self._table, self._exact = table, table.exact
        self.bits = DIGIT_BITS if self._exact else REAL_BITS
        self.square_bits = 2 * DIGIT_BITS if self._exact else REAL_BITS
        self._largest = table.largest(LARGEST_NORMAL)

    def of(self, driven: Driven) -> tuple[list[Matrix], list[Matrix]]:
        """Return the drives (inputs, rows) of each term, and the products of each pair of terms.

        Both are summed over the phases; the pairs are those of `pairs`.
        """
        terms = len(self._largest)
        drives = [np.zeros(driven.codes.shape) for _ in range(terms)]
        squares = [np.zeros(driven.codes.shape) for _ in pairs(terms)]
        for index in range(len(driven.step.phases)):
            found = self._phase(driven, index)
            for term, drive in enumerate(found):
                drives[term] += drive
            for square, (one, other) in zip(squares, pairs(terms), strict=True):
                square += found[one] * found[other]
        if self._exact:
            return drives, squares
        charges = sum(abs(driven.step.charge(phase)) for phase in driven.step.phases)
        most = charges * self._largest
        return (
            [rounded(it, self.bits, top) for it, top in zip(drives, most, strict=True)],
            [
                rounded(it, self.square_bits, most[one] * most[other])
                for it, (one, other) in zip(squares, pairs(terms), strict=True)
            ],
        )

    def _phase(self, driven: Driven, index: int) -> list[Matrix]:
        """Return what one phase of a step drives, as it counts in the step."""
        table, phase = self._table, driven.step.phases[index]
        digits, charge = phase.drive(driven.codes), driven.step.charge(phase)
        found = [charge * table.at(it, digits, driven.rows) for it in table.drives]
        if driven.noise is not None:
            numbers = driven.noise.of(driven.group, driven.first_phase + index)
            moved = charge * table.noise * numbers[:, : digits.shape[1]]
            for drive, slopes in zip(found, table.slopes, strict=True):
                drive += moved * table.at(slopes, digits, driven.rows)
        return found


def pairs(terms: int) -> list[tuple[int, int]]:
    """Return the pairs of terms that a square of their sum has, each once."""
    return [(one, other) for one in range(terms) for other in range(one, terms)]


def rounded(values: NDArray[Any], bits: int, largest: float) -> Matrix:
    """Return values as multiples of a power of two of which the largest is below `2**bits`."""
    exponent = math.frexp(largest)[1] - bits
    return np.ldexp(np.rint(np.ldexp(values.astype(np.float64), -exponent)), exponent)
