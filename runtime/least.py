"""The least cycles that a program needs, from its instructions and their timing rules alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from mcc.ir.program import MOVER, Program, trip_counts
from mcc.ir.program.instructions import Send
from mcc.ir.program.timing import Pipeline
from mcc.ir.program.topology import topology
from mcc.ir.program.units import Unit
from mcc.runtime.cycles import units_per_core


@final
@dataclass(frozen=True)
class Work:
    """What a run asks of every part of the chip, if nothing ever waits."""

    units: NDArray[np.int64]
    """Cycles in which each unit executes; the units of core 0 by code, then of core 1."""
    resources: NDArray[np.int64]
    """Cycles in which each resource is held, added over its holders."""


@final
@dataclass(frozen=True)
class Bound:
    """The least cycles of a program: those of its busiest part."""

    cycles: int
    part: str
    """`core3.v`, `core0.a2`, `core1.memory`, `buffer`, `host`, a link."""


def work(program: Program) -> Work:
    """Return the work of a program; an instruction in loops counts as often as it is executed."""
    width = units_per_core(program)
    units = np.zeros(width * len(program.cores), np.int64)
    resources = np.zeros(topology(program.target).count, np.int64)
    for core, instructions in enumerate(program.cores):
        context = program.context(core)
        for it, trips in zip(instructions, trip_counts(instructions), strict=True):
            unit, pipeline = it.unit(context), it.timing(context)
            if unit is None or pipeline is None:
                continue
            cycles = trips * _alone(pipeline)
            units[core * width + unit.code] += cycles
            if isinstance(it, Send):
                units[it.core * width + MOVER.code] += cycles
            for step in pipeline.stages:
                for resource in step.resources:
                    resources[resource] += trips * pipeline.count * step.cycles
    return Work(units, resources)


def bound(program: Program) -> Bound:
    """Return the cycles below which no clock can come."""
    needed, chip = work(program), topology(program.target)
    capacities = np.array([chip.capacity(number) for number in range(chip.count)])
    held = -(-needed.resources // capacities)
    unit, resource = int(np.argmax(needed.units)), int(np.argmax(held))
    if held[resource] > needed.units[unit]:
        return Bound(int(held[resource]), chip.name(resource))
    core, code = divmod(unit, units_per_core(program))
    return Bound(int(needed.units[unit]), f"core{core}.{Unit.of(code)}")


def _alone(pipeline: Pipeline) -> int:
    """Return the cycles of a pipeline whose steps get their resources at once."""
    stages = [step.cycles for step in pipeline.stages]
    return sum(stages) + (pipeline.count - 1) * max(stages)
