"""What one run of a program costs: cycles, seconds and joules, whatever the data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from mcc.ir.program import Events, Program, count_events
from mcc.runtime.clock import clock
from mcc.runtime.cycles import Cycles
from mcc.runtime.energy import Joules, joules_of_run


@final
@dataclass(frozen=True)
class Costs:
    """The costs of one sample."""

    timing: Cycles
    seconds: float
    events: Events
    joules: Joules

    @property
    def cycles(self) -> int:
        """Cycles of the chip."""
        return self.timing.cycles


def costs_of(program: Program, trace: bool = False) -> Costs:
    """Let the clock run over a program and charge its events.

    Args:
        program: A legal program.
        trace: Whether `timing` keeps start and end of every executed instruction.

    Raises:
        MccError: `program-deadlock`.
    """
    timing = clock(program, trace=trace)
    seconds = timing.cycles / program.target.chip.clock_hertz
    events = count_events(program)
    return Costs(timing, seconds, events, joules_of_run(events, seconds, program.target))
