"""What a clock finds out about a run of a program."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NoReturn, final

import numpy as np
from numpy.typing import NDArray

from mcc.ir.diagnostics import error
from mcc.ir.program.program import Program

FIXED_UNITS = 3
"""Units of a core besides its macros."""


@final
@dataclass(frozen=True)
class Cycles:
    """The cycles of a run."""

    cycles: int
    """From the first cycle to the last, both included."""
    unit_busy: NDArray[np.int64]
    """Cycles in which each unit executed an instruction; the units of core 0 by code, then of 1."""
    resource_busy: NDArray[np.int64]
    """Cycles in which each resource was held, added over its holders."""
    records: NDArray[np.int64]
    """Core, index of the instruction, start, end (exclusive) of every executed instruction of a
    unit, sorted (instructions, 4); empty unless asked for."""


def units_per_core(program: Program) -> int:
    """Return the number of units of a core."""
    return FIXED_UNITS + program.target.core.macros


def sort_records(records: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return records ordered by core, instruction and start."""
    return records[np.lexsort((records[:, 2], records[:, 1], records[:, 0]))]


def fail_deadlock(program: Program, stopped_at: list[int]) -> NoReturn:
    """Refuse a program whose cores stopped at these instructions, -1 for those that ended."""
    blocked = [
        f"core {core} at instruction {index} ({program.cores[core][index].MNEMONIC})"
        for core, index in enumerate(stopped_at)
        if index >= 0
    ]
    message = f"the cores wait for each other for ever: {', '.join(blocked)}"
    raise error("program-deadlock", message, "look for a missing post, send or recv")
