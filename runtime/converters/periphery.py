"""What surrounds the cells of one macro, as far as it is not ideal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from mcc.ir.hardware import Macro
from mcc.runtime.converters.bank import Bank, bank_of
from mcc.runtime.converters.drivers import driver_levels
from mcc.runtime.converters.staircase import Levels
from mcc.runtime.random import MacroPlace, Purpose


@final
@dataclass(frozen=True, eq=False)
class Periphery:
    """The converters and drivers of a macro."""

    bank: Bank | None
    """Converters; None where their codes change halfway between steps."""
    conversion_noise: float
    """Root mean square of what a conversion adds, in steps."""
    levels: Levels | None
    """Level of each digit of each driver (rows of the macro, digits); None where they are exact."""
    drive_noise: float
    """Root mean square of what a drive adds, in digits."""
    drive_place: int
    """Last word of the counters of that noise."""

    @property
    def exact_drives(self) -> bool:
        """Whether drivers drive what they should."""
        return self.levels is None and self.drive_noise == 0


IDEAL = Periphery(None, 0.0, None, 0.0, 0)
"""Converters and drivers without errors."""


def periphery_of(macro: Macro, place: MacroPlace) -> Periphery:
    """Return what surrounds the cells of a macro of a chip instance."""
    return Periphery(
        bank=bank_of(macro, place),
        conversion_noise=macro.adc.noise,
        levels=driver_levels(macro, place),
        drive_noise=macro.dac.noise,
        drive_place=place.word(Purpose.DRIVE),
    )
