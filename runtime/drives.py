"""What drives the rows of one tile, between real drivers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from mcc.ir.hardware import Macro
from mcc.ir.hardware.phases import Step
from mcc.ir.program.tables import Tile
from mcc.runtime.converters.drivers import at_levels
from mcc.runtime.converters.periphery import Periphery
from mcc.runtime.read_noise import DriveNoise
from mcc.runtime.reads import WIDEST_INPUT

Matrix = NDArray[np.float64]

REAL_BITS = 22
"""Bits of the largest drive (and of its square) where drives are no whole digits."""
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
class Drives:
    """The drivers of the rows of one tile.

    Drives and their squares are multiples of a power of two below `2**bits` and `2**square_bits`
    of them, so that their products with weights have few bits.
    """

    def __init__(self, tile: Tile, macro: Macro, periphery: Periphery) -> None:
        """Take the drivers of the rows of the tile."""
        self._macro, self._noise = macro, periphery.drive_noise
        levels = periphery.levels
        self._levels = None if levels is None else levels[tile.row : tile.row + tile.rows]
        self._whole = levels is None and periphery.drive_noise == 0
        self.bits = WIDEST_INPUT if self._whole else REAL_BITS
        self.square_bits = 2 * WIDEST_INPUT if self._whole else REAL_BITS

    def of(self, driven: Driven) -> tuple[Matrix, Matrix]:
        """Return the drives (inputs, rows), and the sums of their squares over the phases."""
        step, codes = driven.step, driven.codes
        drives, squares = np.zeros(codes.shape), np.zeros(codes.shape)
        for index, phase in enumerate(step.phases):
            drive = step.charge(phase) * self._phase(phase.drive(codes), driven.rows)
            if driven.noise is not None:
                numbers = driven.noise.of(driven.group, driven.first_phase + index)
                numbers = numbers[:, : codes.shape[1]]
                drive += step.charge(phase) * self._noise * numbers * (drive != 0)
            drives += drive
            squares += np.square(drive)
        if self._whole:
            return drives, squares
        largest = self._largest(step)
        return (
            rounded(drives, self.bits, largest),
            rounded(squares, self.square_bits, largest**2),
        )

    def _phase(self, digits: NDArray[np.int16], rows: slice) -> Matrix:
        """Return the levels of digits (inputs, rows)."""
        if self._levels is None:
            return digits.astype(np.float64)
        return at_levels(digits, self._levels[rows])

    def _largest(self, step: Step) -> float:
        """Return a drive of a step that no row exceeds."""
        nominal = 2**self._macro.dac_bits - 1
        largest = nominal if self._levels is None else float(self._levels.max())
        charges = sum(abs(step.charge(phase)) for phase in step.phases)
        return charges * (largest + LARGEST_NORMAL * self._noise)


def rounded(values: NDArray[Any], bits: int, largest: float) -> Matrix:
    """Return values as multiples of a power of two of which the largest is below `2**bits`."""
    exponent = math.frexp(largest)[1] - bits
    return np.ldexp(np.rint(np.ldexp(values.astype(np.float64), -exponent)), exponent)
