"""When and how warm cells are read, and how worn they are."""

from __future__ import annotations

import math
from dataclasses import dataclass
from numbers import Real
from typing import final

from mcc.ir.diagnostics import Diagnostic, Severity, error
from mcc.ir.hardware import Cell


@final
@dataclass(frozen=True, kw_only=True)
class Conditions:
    """The conditions of a run; the default is right after programming, with new cells."""

    seconds: float = 0.0
    """Time since programming; before `start_seconds` cells are as they are then."""
    kelvin: float | None = None
    """Temperature since programming; that of the device's reference if None."""
    cycles: int = 0
    """How often every cell was written before."""

    def __post_init__(self) -> None:
        """Refuse what no cell can meet.

        Raises:
            MccError: `conditions`, for a time before programming, a temperature that is not above
                0 K, a negative number of writes, or what is no number.
        """
        if not _is_number(self.seconds) or self.seconds < 0:
            text = f"{self.seconds!r} s is no time after programming"
            raise error("conditions", text, "give seconds since programming, 0 or more")
        if self.kelvin is not None and (not _is_number(self.kelvin) or self.kelvin <= 0):
            text = f"{self.kelvin!r} K is no temperature"
            raise error("conditions", text, "give kelvins above 0, such as 300")
        if not _is_number(self.cycles) or self.cycles < 0 or self.cycles % 1:
            text = f"{self.cycles!r} is no number of writes"
            raise error("conditions", text, "give a whole number from 0")


def condition_warnings(conditions: Conditions, cell: Cell) -> list[Diagnostic]:
    """Return one warning, with the range, for each condition in which the device is not known."""
    valid, found = cell.valid, list[str]()
    seconds, kelvin = conditions.seconds, conditions.kelvin
    if seconds and not cell.start_seconds <= seconds <= valid.latest_seconds:
        reach = f"{cell.start_seconds:g} s to {valid.latest_seconds:g} s"
        found.append(f"{seconds:g} s after programming is outside of {reach}")
    if kelvin is not None and not valid.coldest_kelvin <= kelvin <= valid.hottest_kelvin:
        reach = f"{valid.coldest_kelvin:g} K to {valid.hottest_kelvin:g} K"
        found.append(f"{kelvin:g} K is outside of {reach}")
    if conditions.cycles > cell.endurance_cycles and not cell.endurance_shape:
        found.append(f"{conditions.cycles} writes are outside of 0 to {cell.endurance_cycles:g}")
    return [
        Diagnostic(
            "device-range",
            f"{text}, the range of the device model",
            "the laws are carried on beyond it; read the numbers with care",
            severity=Severity.WARNING,
        )
        for text in found
    ]


def _is_number(value: object) -> bool:
    return not isinstance(value, bool) and isinstance(value, Real) and math.isfinite(value)


NOW = Conditions()
"""Right after programming, at the reference temperature, with new cells."""
