"""The drivers of the word lines of one macro: what level each drives for a digit."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mcc.ir.hardware import InputCoding, Macro
from mcc.runtime.converters.staircase import Levels
from mcc.runtime.random import MacroPlace, Purpose, normal_numbers


def driver_levels(macro: Macro, place: MacroPlace) -> Levels | None:
    """Return the level of every digit (rows, 2**dac_bits) in digits; None where all are exact.

    Bit b has 2**b unit elements, so level d deviates by `sqrt(d) * mismatch` and digit 0 is exact.
    A negative digit has the level of the positive one, driven the other way. Pulses of a driver are
    alike: all its levels are too high in the same proportion.
    """
    if macro.dac.mismatch == 0:
        return None
    if macro.input_coding is InputCoding.PULSE_WIDTH:
        drawn = normal_numbers(place, Purpose.DAC, (macro.rows, 1)).astype(np.float64)
        return (1 + macro.dac.mismatch * drawn) * np.arange(2**macro.dac_bits, dtype=np.float64)
    units = 2.0 ** np.arange(macro.dac_bits)
    numbers = normal_numbers(place, Purpose.DAC, (macro.rows, macro.dac_bits)).astype(np.float64)
    bits = units + np.sqrt(units) * macro.dac.mismatch * numbers
    levels = np.zeros((macro.rows, 1))
    for bit in range(macro.dac_bits):
        levels = np.concatenate([levels, levels + bits[:, bit : bit + 1]], axis=1)
    return levels


def at_levels(digits: NDArray[np.int16], levels: Levels) -> NDArray[np.float64]:
    """Return what drivers drive (inputs, rows) for digits, by their levels (rows, digits)."""
    return np.sign(digits) * levels[np.arange(len(levels)), np.abs(digits)]
