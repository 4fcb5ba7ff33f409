"""The analog sums of cells that are no resistors, driven by several voltages.

A cell at level `l` of `n` carries `I(G, l / n read_volt)`, so that sums are a product for each
level: of the inputs that drive it, and of the currents at it. Pulses have one voltage of either
sign, and as many of them count as the digit says. Converters are trimmed at the highest level.
"""

from __future__ import annotations

import math
from typing import final

import numpy as np

from mcc.ir.diagnostics import error
from mcc.ir.hardware import Feed, InputCoding, InputForm, Target
from mcc.ir.hardware.encoding import paired
from mcc.ir.program.tables import Tile
from mcc.runtime.converters.periphery import Periphery
from mcc.runtime.currents import SUM_BITS
from mcc.runtime.devices import Read, unit_siemens
from mcc.runtime.devices.current import (
    currents,
    is_linear,
    is_odd,
    slopes_by_siemens,
    slopes_by_volt,
)
from mcc.runtime.drives import LARGEST_NORMAL, REAL_BITS, Driven, Matrix, rounded
from mcc.runtime.wires.trimmed import Trimmed


def resistive(target: Target) -> bool:
    """Whether one conductance of each cell gives its current for whatever drives it.

    So it is where the read voltage is the only one, or opposite ones carry opposite currents.
    """
    law, macro = target.cell.current, target.macro
    one_sign = is_odd(law) or macro.input_form is not InputForm.SIGN_MAGNITUDE
    pulses = macro.input_coding is InputCoding.PULSE_WIDTH
    exact = macro.dac.mismatch == macro.dac.noise == 0
    return is_linear(law) or (one_sign and (pulses or (macro.dac_bits == 1 and exact)))


def check_resistive(target: Target) -> None:
    """Refuse cells whose currents through resistive lines are no product with a matrix.

    Raises:
        MccError: `read-levels`.
    """
    if target.wires.feed is Feed.SOURCE_LINE:
        return  # inputs open cells, all of which see one voltage
    opposite = target.wires.interleaved and not is_odd(target.cell.current)
    if opposite or not resistive(target):
        text = "cells that are no resistors see several voltages through resistive lines"
        help = "run at `device`, or set `macro.input_coding` to `pulse_width`"
        if not is_odd(target.cell.current):
            help += ", `macro.input_form` to `twos_complement` and `wires.interleaved` to false"
        raise error("read-levels", text, help)


@final
class LevelCurrents:
    """The currents of one tile whose cells see other voltages for other digits."""

    def __init__(self, tile: Tile, target: Target, cells: Read, periphery: Periphery) -> None:
        """Take the cells (rows, physical columns) of the tile.

        Raises:
            MccError: `read-voltage`, also where a driver exceeds what the law of the cells reaches.
        """
        macro = target.macro
        self._cells, self._law, self._paired = cells, target.cell.current, paired(macro)
        self._lowest = np.array(target.cell.g_min_siemens)
        self._volt, self._top = target.wires.read_volt, 2**macro.dac_bits - 1
        self._pulses = macro.input_coding is InputCoding.PULSE_WIDTH
        levels = periphery.levels
        self._levels = None if levels is None else levels[tile.row : tile.row + tile.rows]
        self._noise = periphery.drive_noise
        self._scale = Trimmed(target, switches=False).factor / unit_siemens(target.cell)
        self.sums = cells.shape[1] // (2 if self._paired else 1)
        self.noisy = cells.sigma is not None
        rows, lines = slice(0, tile.rows), min(macro.active_rows, tile.rows)
        ends = [self._weights(rows, sign * self._top) for sign in (1, -1)]
        self._largest = 2 * max(float(np.abs(end).max(initial=0)) for end in ends)
        self._bits = SUM_BITS - math.ceil(math.log2(lines))

    def of(self, driven: Driven) -> tuple[Matrix, Matrix]:
        """Return the sums (inputs, sums), and their variances from read to read."""
        shape, rows = (len(driven.codes), self.sums), driven.rows
        sums, variances = np.zeros(shape), np.zeros(shape)
        for index, phase in enumerate(driven.step.phases):
            charge, digits = driven.step.charge(phase), phase.drive(driven.codes)
            for digit in np.unique(digits[digits != 0]).tolist():
                those = (digits == digit).astype(np.float64)
                weights = rounded(self._weights(rows, digit), self._bits, self._largest)
                sums += charge * (those @ weights)
                if self.noisy:
                    variances += charge**2 * (those @ self._variances(rows, digit))
                if driven.noise is not None:
                    numbers = driven.noise.of(driven.group, driven.first_phase + index)
                    drives = those * numbers[:, : those.shape[1]]
                    sums += charge * self._noise * self._moved(rows, digit, drives)
        return sums, variances

    def _drive(self, rows: slice, digit: int) -> tuple[Matrix, Matrix]:
        """Return the voltages of rows (rows, 1), and how much their currents count."""
        size, count = abs(digit), (len(self._cells.siemens[rows]), 1)
        levels = np.full(count, float(size))
        if self._levels is not None:
            levels = self._levels[rows, size, None]
        if self._pulses:
            return np.full(count, math.copysign(self._volt, digit)), levels / self._volt
        volts = math.copysign(self._volt, digit) * levels / self._top
        return volts, np.full(count, self._top / self._volt)

    def _weights(self, rows: slice, digit: int) -> Matrix:
        """Return what each cell adds to its sum (rows, sums), in digits."""
        volts, worth = self._drive(rows, digit)
        found = currents(self._cells.siemens[rows], volts, self._law)
        lowest = currents(self._lowest, volts, self._law)
        return self._together(worth * found, worth * lowest)

    def _variances(self, rows: slice, digit: int) -> Matrix:
        """Return what reads of each cell add to the variance of its sum (rows, sums)."""
        assert self._cells.sigma is not None, "without noise nobody asks"
        volts, worth = self._drive(rows, digit)
        slopes = slopes_by_siemens(self._cells.siemens[rows], volts, self._law)
        spread = np.square(self._scale * worth * slopes * self._cells.sigma[rows])
        found = spread[:, 0::2] + spread[:, 1::2] if self._paired else spread
        return rounded(found, self._bits, 2 * float(found.max(initial=0)))

    def _moved(self, rows: slice, digit: int, drives: Matrix) -> Matrix:
        """Return what small changes of the drives (inputs, rows) add to sums, to first order."""
        volts, _ = self._drive(rows, digit)
        if self._pulses:
            by_digit = [currents(it, volts, self._law) / volts for it in self._ends(rows)]
        else:
            by_digit = [slopes_by_volt(it, volts, self._law) for it in self._ends(rows)]
        found = self._together(by_digit[0], by_digit[1])
        largest = 2 * float(np.abs(found).max(initial=0))
        whole = rounded(drives, REAL_BITS, LARGEST_NORMAL)
        return whole @ rounded(found, self._bits - REAL_BITS, largest)

    def _ends(self, rows: slice) -> tuple[Matrix, Matrix]:
        return self._cells.siemens[rows], self._lowest

    def _together(self, found: Matrix, lowest: Matrix) -> Matrix:
        """Return the sums of what cells carry, against what the lowest state carries, in digits."""
        if self._paired:
            return self._scale * (found[:, 0::2] - found[:, 1::2])
        return self._scale * (found - lowest)
