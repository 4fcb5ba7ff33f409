"""The analog-to-digital converters of one macro, each with its own errors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from mcc.ir.hardware import Adc, AdcKind, Macro
from mcc.ir.hardware.conversion import code_range
from mcc.ir.hardware.derived import converters
from mcc.runtime.converters.cyclic import cyclic
from mcc.runtime.converters.flash import flash
from mcc.runtime.converters.ideal import ideal
from mcc.runtime.converters.pipeline import pipeline
from mcc.runtime.converters.ramp import ramp
from mcc.runtime.converters.sar import sar
from mcc.runtime.converters.staircase import Draw, Levels, Staircase
from mcc.runtime.random import MacroPlace, Purpose, normal_numbers

LAWS: dict[AdcKind, Callable[[int, float, Draw], Staircase]] = {
    AdcKind.IDEAL: ideal,
    AdcKind.SAR: sar,
    AdcKind.RAMP: ramp,
    AdcKind.PIPELINE: pipeline,
    AdcKind.CYCLIC: cyclic,
    AdcKind.FLASH: flash,
}
"""The staircase of a converter of each kind, of its bits, its mismatch and normal numbers."""


@final
@dataclass(frozen=True, eq=False)
class Bank:
    """The staircases of the converters of a macro, in steps of the analog sums."""

    breakpoints: NDArray[np.float32]
    """Sorted for each converter (converters, steps), with infinite ones where there are fewer."""
    codes: NDArray[np.int32]
    """Code of each interval (converters, steps + 1)."""

    def convert(
        self, levels: NDArray[np.float64], converter_of: NDArray[np.int32]
    ) -> NDArray[np.int32]:
        """Return the codes of levels (inputs, sums), each by the converter of its sum (sums,)."""
        found = np.empty(levels.shape, np.int32)
        for index in np.unique(converter_of):
            columns = converter_of == index
            steps = np.searchsorted(self.breakpoints[index], levels[:, columns], side="right")
            found[:, columns] = self.codes[index][steps]
        return found

    def within(
        self, reach: float, converter_of: NDArray[np.int32]
    ) -> tuple[Bank, NDArray[np.int32]]:
        """Return what levels from -reach to reach need of the converters of sums (sums,).

        Returns:
            The converters, and the number among them of that of each sum (sums,).
        """
        used, places = np.unique(converter_of, return_inverse=True)
        steps = self.breakpoints[used]
        first = int((steps < -reach).sum(axis=1).min())
        last = max(int((steps <= reach).sum(axis=1).max()), 1)
        first = min(first, last - 1)
        codes = self.codes[used, first : last + 1]
        bank = Bank(np.ascontiguousarray(steps[:, first:last]), np.ascontiguousarray(codes))
        return bank, places.astype(np.int32)


def bank_of(macro: Macro, place: MacroPlace) -> Bank | None:
    """Return the converters of a macro; None where they are ideal but for their noise."""
    adc = macro.adc
    if adc.mismatch == adc.offset == adc.gain_error == adc.nonlinearity == 0:
        return None
    stairs = [staircase_of(macro, place, index) for index in range(converters(macro))]
    most = max(len(it.breakpoints) for it in stairs)
    breakpoints = np.full((len(stairs), most), np.inf, np.float32)
    codes = np.empty((len(stairs), most + 1), np.int32)
    for index, found in enumerate(stairs):
        breakpoints[index, : len(found.breakpoints)] = found.breakpoints
        codes[index, : len(found.codes)] = found.codes
        codes[index, len(found.codes) :] = found.codes[-1]
    return Bank(breakpoints, codes)


def staircase_of(macro: Macro, place: MacroPlace, index: int) -> Staircase:
    """Return one converter of a macro, its levels and codes being those of the analog sums.

    The law of its kind has levels from 0 and codes floor(level); sums are rounded and may be
    negative, so both move by the lowest code, and levels by half a step.
    """

    def draw(count: int) -> Levels:
        shape = (2 + count,)
        numbers = normal_numbers(place, Purpose.ADC, shape, item=index).astype(np.float64)
        return numbers[2:]

    adc, (low, _) = macro.adc, code_range(macro)
    law = LAWS[adc.kind](adc.bits, adc.mismatch, draw)
    own = normal_numbers(place, Purpose.ADC, (2,), item=index).astype(np.float64)
    moved = law.breakpoints + bow(law.breakpoints, adc)
    levels = (moved + low - 0.5) * (1 + adc.gain_error * own[0]) + adc.offset * own[1]
    return Staircase(levels, law.codes + np.int32(low))


def bow(levels: Levels, adc: Adc) -> Levels:
    """Return how much too high levels lie: a parabola with its zeros at the ends of the range."""
    place = np.clip(levels / 2**adc.bits, 0, 1)
    return 4 * adc.nonlinearity * place * (1 - place)
