"""How input codes become the phases that drive the word lines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from mcc.ir.hardware.choices import Accumulation, InputForm
from mcc.ir.hardware.schema import Macro


@final
@dataclass(frozen=True)
class Phase:
    """One step of an input: which bits drive the word lines, and what a unit of it is worth."""

    low_bit: int
    bits: int
    negative: bool = False
    """Whether the sums of this phase are subtracted (the sign bit of two's complement)."""
    signed: bool = False
    """Whether word lines are driven with the sign of the input (sign-magnitude)."""

    @property
    def worth(self) -> int:
        """What one unit of the drive is worth in the input."""
        return -(1 << self.low_bit) if self.negative else 1 << self.low_bit

    def drive(self, codes: NDArray[np.integer]) -> NDArray[np.int16]:
        """Return the digits with which codes drive the word lines in this phase."""
        wide = codes.astype(np.int16)
        mask = (1 << self.bits) - 1
        if self.signed:
            return np.sign(wide) * ((np.abs(wide) >> self.low_bit) & mask)
        return (wide >> self.low_bit) & mask


@final
@dataclass(frozen=True)
class Step:
    """Phases whose currents are added up and converted together."""

    phases: tuple[Phase, ...]
    worth: int
    """What one unit of the converted sum is worth in the input."""

    def charge(self, phase: Phase) -> int:
        """Return how often the current of a phase counts in the sum."""
        return phase.worth // self.worth

    def drive(self, codes: NDArray[np.integer]) -> NDArray[np.int16]:
        """Return the digits of codes, added up over the phases."""
        found = np.zeros(codes.shape, np.int16)
        for phase in self.phases:
            found += np.int16(self.charge(phase)) * phase.drive(codes)
        return found


def steps(macro: Macro, input_bits: int, input_signed: bool) -> tuple[Step, ...]:
    """Return the steps of an input, each with one conversion of every analog sum."""
    driven = phases(macro, input_bits, input_signed)
    if macro.accumulation is Accumulation.ANALOG:
        return (Step(driven, 1),)
    return tuple(Step((phase,), phase.worth) for phase in driven)


def phases(macro: Macro, input_bits: int, input_signed: bool) -> tuple[Phase, ...]:
    """Return the phases of an input, the lowest bits first.

    Unsigned codes are plain digits of `dac_bits`. Signed codes in two's complement are the digits
    of the lower bits and then the sign bit alone; in sign-magnitude they are the digits of the
    magnitude, which needs all `input_bits` because of the most negative code.
    """
    two = input_signed and macro.input_form is InputForm.TWOS_COMPLEMENT
    magnitude = input_signed and not two
    plain = input_bits - 1 if two else input_bits
    found = [
        Phase(low, min(macro.dac_bits, plain - low), signed=magnitude)
        for low in range(0, plain, macro.dac_bits)
    ]
    if two:
        found.append(Phase(input_bits - 1, 1, negative=True))
    return tuple(found)
