"""The clock: cycles of a program by the rules of docs/machine.md, event by event in C++."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import IntEnum
from typing import final

import numpy as np
from numpy.typing import NDArray

from mcc.ir.diagnostics import error
from mcc.ir.program.instructions import EndLoop, Halt, Instruction, Loop, Post, Recv, Send, Wait
from mcc.ir.program.instructions.base import Context
from mcc.ir.program.program import Program, trip_counts
from mcc.ir.program.timing import Pipeline, Step
from mcc.ir.program.topology import topology
from mcc.runtime import _kernels
from mcc.runtime.cycles import Cycles, fail_deadlock, sort_records, units_per_core

MOST_RECORDS = 1 << 24
"""Executed instructions that a trace holds at most; they take some 2 GB of memory."""


@final
class Kind(IntEnum):
    """What the sequencer does with an operation; the numbers of `clock_tables.hpp`."""

    LOOP = 0
    END = 1
    POST = 2
    WAIT = 3
    HALT = 4
    UNIT = 5
    SEND = 6
    RECV = 7


@final
@dataclass
class Tables:
    """A program as flat tables; offsets i to i + 1 are the range of item i."""

    units_per_core: int
    operations: list[int] = field(default_factory=list[int])
    """Kind, unit, pipeline and two numbers of every operation."""
    operation_offsets: list[int] = field(default_factory=lambda: [0])
    wait_offsets: list[int] = field(default_factory=lambda: [0])
    wait_units: list[int] = field(default_factory=list[int])
    pipeline_counts: list[int] = field(default_factory=list[int])
    step_offsets: list[int] = field(default_factory=lambda: [0])
    step_cycles: list[int] = field(default_factory=list[int])
    resource_offsets: list[int] = field(default_factory=lambda: [0])
    step_resources: list[int] = field(default_factory=list[int])
    pipelines: dict[Pipeline, int] = field(default_factory=dict[Pipeline, int])
    """Where each pipeline is in the tables."""

    def add_core(self, context: Context, instructions: Iterable[Instruction]) -> None:
        """Append the instructions of the next core."""
        for instruction in instructions:
            self.operations += self._operation(context, instruction)
            first = context.core * self.units_per_core
            self.wait_units += [first + unit.code for unit in instruction.wait]
            self.wait_offsets.append(len(self.wait_units))
        self.operation_offsets.append(len(self.wait_offsets) - 1)

    def _operation(self, context: Context, instruction: Instruction) -> tuple[int, ...]:
        match instruction:
            case Loop():
                return (Kind.LOOP, 0, 0, instruction.count, 0)
            case EndLoop():
                return (Kind.END, 0, 0, 0, 0)
            case Post():
                return (Kind.POST, 0, 0, instruction.semaphore, 0)
            case Wait():
                return (Kind.WAIT, 0, 0, instruction.semaphore, instruction.count)
            case Halt():
                return (Kind.HALT, 0, 0, 0, 0)
            case _:
                return self._unit_operation(context, instruction)

    def _unit_operation(self, context: Context, instruction: Instruction) -> tuple[int, ...]:
        unit, pipeline = instruction.unit(context), instruction.timing(context)
        assert unit is not None
        number = context.core * self.units_per_core + unit.code
        if isinstance(instruction, Recv):
            return (Kind.RECV, number, 0, instruction.core, 0)
        assert pipeline is not None
        place = self._pipeline(pipeline)
        if isinstance(instruction, Send):
            return (Kind.SEND, number, place, instruction.core, 0)
        return (Kind.UNIT, number, place, 0, 0)

    def _pipeline(self, pipeline: Pipeline) -> int:
        place = self.pipelines.setdefault(pipeline, len(self.pipelines))
        if place == len(self.pipeline_counts):
            self.pipeline_counts.append(pipeline.count)
            for step in pipeline.stages:
                self._step(step)
            self.step_offsets.append(len(self.step_cycles))
        return place

    def _step(self, step: Step) -> None:
        self.step_cycles.append(step.cycles)
        self.step_resources += step.resources
        self.resource_offsets.append(len(self.step_resources))


def clock(program: Program, trace: bool = False) -> Cycles:
    """Return the cycles of a legal program.

    Args:
        program: The program; `checks.check` accepts it.
        trace: Whether to record start and end of every executed instruction.

    Raises:
        MccError: `program-deadlock`, naming the cores that wait; `memory-exhausted` for a trace of
            more than `MOST_RECORDS`.
    """
    if trace:
        _refuse_long(program)
    tables = Tables(units_per_core(program))
    for core, instructions in enumerate(program.cores):
        tables.add_core(program.context(core), instructions)
    resources = topology(program.target)
    cycles, unit_busy, resource_busy, records, stopped_at = _kernels.run_clock(
        _array(tables.operations),
        _array(tables.operation_offsets),
        _array(tables.wait_offsets),
        _array(tables.wait_units),
        _array(tables.pipeline_counts),
        _array(tables.step_offsets),
        _array(tables.step_cycles),
        _array(tables.resource_offsets),
        _array(tables.step_resources),
        _array([resources.capacity(index) for index in range(resources.count)]),
        units_per_core=tables.units_per_core,
        semaphores=program.semaphores,
        queue_depth=program.target.core.queue_depth,
        sync_cycles=max(1, program.target.chip.sync_cycles),
        traced=trace,
    )
    if cycles < 0:
        fail_deadlock(program, stopped_at.tolist())
    return Cycles(cycles, unit_busy, resource_busy, sort_records(records.reshape(-1, 4)))


def _refuse_long(program: Program) -> None:
    """Refuse to record a program whose loops run very often."""
    contexts = [program.context(core) for core in range(len(program.cores))]
    count = sum(
        trips
        for context, instructions in zip(contexts, program.cores, strict=True)
        for instruction, trips in zip(instructions, trip_counts(instructions), strict=True)
        if instruction.unit(context) is not None
    )
    if count > MOST_RECORDS:
        text = f"a trace holds at most {MOST_RECORDS:,} instructions, this program runs {count:,}"
        raise error(
            "memory-exhausted", text, "run it without a trace, or compile a smaller network"
        )


def _array(values: list[int]) -> NDArray[np.int64]:
    return np.array(values, np.int64)
