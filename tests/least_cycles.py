"""What a program needs at least, from its instructions and the rules of the manual alone."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcc.ir.program import Program, trip_counts
from mcc.ir.program.timing import Pipeline
from mcc.ir.program.topology import topology
from mcc.runtime.cycles import Cycles, units_per_core


def least_cycles(program: Program) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the least busy cycles of every unit, and the cycles that every resource is held."""
    width = units_per_core(program)
    units = np.zeros(width * len(program.cores), np.int64)
    resources = np.zeros(topology(program.target).count, np.int64)
    for core, code in enumerate(program.cores):
        context = program.context(core)
        for item, trips in zip(code, trip_counts(code), strict=True):
            unit, pipeline = item.unit(context), item.timing(context)
            if unit is None or pipeline is None:
                continue
            units[core * width + unit.code] += trips * _without_waiting(pipeline)
            for step in pipeline.stages:
                for resource in step.resources:
                    resources[resource] += trips * pipeline.count * step.cycles
    return units, resources


def _without_waiting(pipeline: Pipeline) -> int:
    stages = [step.cycles for step in pipeline.stages]
    return sum(stages) + (pipeline.count - 1) * max(stages, default=0)


def assert_not_too_fast(program: Program, result: Cycles) -> None:
    units, held = least_cycles(program)
    resources = topology(program.target)
    found: Any = [resources.capacity(index) for index in range(resources.count)]
    assert (result.unit_busy >= units).all()
    np.testing.assert_array_equal(result.resource_busy, held)
    assert result.cycles >= max(units.max(), (-(-held // np.array(found))).max())
