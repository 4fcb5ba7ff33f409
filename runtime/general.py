"""One tile in real cells between real drivers and converters, where the kernel cannot go.

Slower than the kernel, and the same where both can go, but for the rounding of cells and levels:
here sums are exact and levels are float64. The current of a reference column and its noise are
subtracted from all sums alike.
"""

from __future__ import annotations

from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from mcc.ir.hardware import Target
from mcc.ir.hardware.conversion import code_range
from mcc.ir.hardware.encoding import against_reference, row_groups, subtracts_reference
from mcc.ir.hardware.phases import steps
from mcc.ir.hardware.significance import largest_digit
from mcc.ir.program.tables import Tile
from mcc.runtime.converters.periphery import Periphery
from mcc.runtime.currents import Currents
from mcc.runtime.drives import Driven, Matrix
from mcc.runtime.read_noise import PHASES, DriveNoise, Inputs, ReadNoise
from mcc.runtime.reads import Reads, without_offset
from mcc.runtime.sums import Sums, converter_of

BLOCK_NUMBERS = 2**21
"""Random numbers that are held at a time, which bounds the inputs that are worked on together."""


@final
class GeneralTile:
    """One tile in the cells of a programmed macro, with its periphery."""

    def __init__(
        self, tile: Tile, target: Target, currents: Currents, periphery: Periphery
    ) -> None:
        """Take the analog sums of the tile."""
        macro = target.macro
        self._tile, self._macro, self._periphery = tile, macro, periphery
        self._currents = currents
        self._low, self._high = code_range(macro)
        self._groups = row_groups(macro, tile.rows)
        self._lines = min(macro.active_rows, tile.rows)
        self._largest_digit = largest_digit(target.cell)
        self._sums = Sums(tile, target)
        self._conversion_variance = np.full(
            currents.sums, (periphery.conversion_noise * 2.0**tile.shift) ** 2
        )
        self._converted_sums = currents.sums
        if subtracts_reference(macro):
            self._converted_sums -= self._sums.count
            self._conversion_variance[self._converted_sums :] = 0
        self._flips = tile.flipped(self._groups, self._converted_sums)
        self._converter_of = converter_of(tile, target, self._converted_sums)
        self._steps = steps(macro, tile.input_bits, tile.input_signed)

    def multiply(self, codes: NDArray[Any], reads: Reads) -> NDArray[np.int32]:
        """Return the sums (inputs, cols) of codes (inputs, rows)."""
        found = np.empty((len(codes), self._converted_sums // self._sums.count), np.int32)
        widest = max(self._currents.sums, self._lines)
        block = max(1, BLOCK_NUMBERS // (PHASES * self._groups * widest))
        for first in range(0, len(codes), block):
            part = codes[first : first + block]
            totals = self._totals(part, Inputs(reads, first, len(part)))
            found[first : first + block] = self._sums.together(totals)
        return without_offset(found, codes, self._tile, self._macro)

    def _totals(self, codes: NDArray[Any], inputs: Inputs) -> NDArray[np.int64]:
        """Return the converted sums (inputs, sums) of all groups and steps, put together."""
        reading, driving = self._read_noise(inputs), self._drive_noise(inputs)
        total = np.zeros((len(codes), self._converted_sums), np.int64)
        for group in range(self._groups):
            start = group * self._lines
            rows = slice(start, min(start + self._lines, self._tile.rows))
            part, phase = codes[:, rows], 0
            numbers = None if reading is None else reading.of(group)
            for index, step in enumerate(self._steps):
                sums, variances = self._currents.of(Driven(part, rows, group, step, phase, driving))
                if numbers is not None:
                    spread = np.sqrt(variances + self._conversion_variance)
                    sums = sums + spread * numbers[:, index]
                if subtracts_reference(self._macro):
                    sums = against_reference(sums, self._sums.count)
                full = self._largest_digit * step.drive(part).sum(axis=1, dtype=np.int64)[:, None]
                values = self._converted(sums)
                total += step.worth * np.where(self._flips[group], full - values, values)
                phase += len(step.phases)
        return total

    def _read_noise(self, inputs: Inputs) -> ReadNoise | None:
        if not self._currents.noisy and not self._conversion_variance.any():
            return None
        sums, slices = self._currents.sums, self._sums.slices
        return ReadNoise(inputs, sums=sums, slices=slices, phases=len(self._steps))

    def _drive_noise(self, inputs: Inputs) -> DriveNoise | None:
        if self._periphery.drive_noise == 0:
            return None
        place = self._periphery.drive_place
        return DriveNoise(inputs, place, lines=self._lines, groups=self._groups)

    def _converted(self, sums: Matrix) -> NDArray[np.int64]:
        """Return what the codes of analog sums are worth."""
        levels = sums * 2.0**-self._tile.shift
        if (bank := self._periphery.bank) is not None:
            codes = bank.convert(levels, self._converter_of).astype(np.int64)
        else:
            codes = np.clip(np.rint(levels), self._low, self._high).astype(np.int64)
        return codes << self._tile.shift
