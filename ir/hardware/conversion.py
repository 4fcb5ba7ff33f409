"""The law of the analog-to-digital converters, and how their step is chosen.

An analog sum is counted in units of one digit product (drive digit 1 on cell digit 1). A converter
with step `2**shift` turns it into `code = clip(round_half_even(sum / 2**shift), low, high)`, worth
`code * 2**shift`. The shift is a whole number from 0, so a converter with enough bits is exact.
Whole sums are often halfway between two codes; rounding these to the even one favours no side.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from mcc.ir.hardware.choices import Accumulation, InputForm
from mcc.ir.hardware.encoding import paired, subtracts_reference
from mcc.ir.hardware.schema import Cell, Macro
from mcc.ir.hardware.significance import largest_digit


def signed_sums(macro: Macro) -> bool:
    """Whether analog sums can be negative, so that one bit of the converter is the sign."""
    signed_drive = macro.input_form is InputForm.SIGN_MAGNITUDE
    differences = paired(macro) or subtracts_reference(macro)
    return differences or signed_drive or macro.accumulation is Accumulation.ANALOG


def code_range(macro: Macro) -> tuple[int, int]:
    """Return the lowest and the highest code of a converter."""
    if signed_sums(macro):
        reach = 1 << (macro.adc.bits - 1)
        return -reach, reach - 1
    return 0, (1 << macro.adc.bits) - 1


def largest_drive(macro: Macro, input_bits: int, input_signed: bool) -> int:
    """Return the largest magnitude with which an input drives one row of an analog sum."""
    if macro.accumulation is Accumulation.DIGITAL:
        return (1 << macro.dac_bits) - 1
    return 1 << (input_bits - 1) if input_signed else (1 << input_bits) - 1


def largest_sum(macro: Macro, cell: Cell, input_bits: int, input_signed: bool) -> int:
    """Return the largest magnitude of an analog sum of `active_rows` rows."""
    digits = macro.active_rows * largest_digit(cell)
    drive = largest_drive(macro, input_bits, input_signed)
    return (digits // 2 if macro.column_flip else digits) * drive


def full_scale_shift(macro: Macro, cell: Cell, input_bits: int, input_signed: bool) -> int:
    """Return the smallest shift at which the largest sum fits the range of the converter."""
    _, high = code_range(macro)
    largest, shift = largest_sum(macro, cell, input_bits, input_signed), 0
    while round(Fraction(largest, 1 << shift)) > high:
        shift += 1
    return shift


def convert(sums: NDArray[np.integer], shift: int, macro: Macro) -> NDArray[np.int32]:
    """Return what the codes of whole sums are worth, by the law of the converter."""
    low, high = code_range(macro)
    step = 1 << shift
    return (np.clip(np.rint(sums / step), low, high) * step).astype(np.int32)
