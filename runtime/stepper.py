"""The stepper: the rules of docs/machine.md written down plainly, one cycle after another.

It is the oracle of the clock and shares nothing with it but what instructions declare. Cycles of
rest, in which no rule can apply, pass one by one too, but without trying every rule.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import final

import numpy as np

from mcc.ir.program.instructions import EndLoop, Halt, Instruction, Loop, Post, Recv, Send, Wait
from mcc.ir.program.program import Program
from mcc.ir.program.timing import Pipeline, Step
from mcc.ir.program.topology import topology
from mcc.ir.program.units import MOVER, Unit
from mcc.runtime.cycles import Cycles, fail_deadlock, sort_records, units_per_core

TOLD_EVERY = 1 << 16
"""Cycles between two reports of progress."""


@final
@dataclass(eq=False)
class Running:
    """An instruction that a unit executes; stage s has started and ended so many iterations."""

    index: int
    instruction: Instruction
    start: int
    pipeline: Pipeline | None
    """None for `recv`, which ends with its `send`."""
    started: list[int]
    ended: list[int]
    asked: list[int]
    """Cycle in which each stage requested its next step, -1 where it does not."""


@final
@dataclass(eq=False)
class UnitState:
    """A unit: what it executes, and what waits for it."""

    core: int
    code: int
    queue: deque[int] = field(default_factory=deque[int])
    running: Running | None = None
    busy: int = 0

    @property
    def idle(self) -> bool:
        """Whether it executes nothing and nothing is queued."""
        return self.running is None and not self.queue


@final
@dataclass
class CoreState:
    """A sequencer with the units of its core."""

    instructions: tuple[Instruction, ...]
    executed_by: list[Unit | None]
    """The unit of every instruction."""
    pipelines: list[Pipeline | None]
    """The timing of every instruction."""
    units: list[UnitState]
    next: int = 0
    loops: list[list[int]] = field(default_factory=list[list[int]])
    """First instruction and iterations left of every open loop."""
    halted: bool = False


def core_state(program: Program, core: int, units: int) -> CoreState:
    """Return a core before the first cycle."""
    context = program.context(core)
    instructions = program.cores[core]
    return CoreState(
        instructions,
        [instruction.unit(context) for instruction in instructions],
        [instruction.timing(context) for instruction in instructions],
        [UnitState(core, code) for code in range(units)],
    )


@final
class Stepper:
    """The state of a chip in the cycle `now`."""

    def __init__(self, program: Program) -> None:
        self.program = program
        chip = topology(program.target)
        count = units_per_core(program)
        self.cores = [core_state(program, core, count) for core in range(len(program.cores))]
        self.running = len(self.cores)
        """Cores that are not halted."""
        self.active: list[UnitState] = []
        """Units that are not idle."""
        self.now = 0
        self.capacity = [chip.capacity(index) for index in range(chip.count)]
        self.held = [0] * chip.count
        self.resource_busy = [0] * chip.count
        self.semaphores = [0] * program.semaphores
        self.rising: list[tuple[int, int]] = []
        """Cycle and semaphore of every post that is not visible yet."""
        self.steps: list[tuple[int, UnitState, int]] = []
        """Cycle of the end, unit and stage of every step that runs."""
        self.due: set[int] = set()
        """Cycles in which a step ends or a semaphore rises."""
        self.stirred = True
        """Whether the last cycle changed anything but the time."""
        self.records: list[tuple[int, int, int, int]] = []

    def step(self) -> bool:
        """Pass one cycle; say whether anything happened, runs or is about to happen."""
        # No rule looks at the time but phase 1: what a cycle without changes leaves as it is, the
        # next one leaves as it is, unless a step ends or a semaphore rises.
        if self.stirred or self.now in self.due:
            self.end()
            issued, begun, granted = self.issue(), self.start(), self.grant()
            self.stirred = issued or begun or granted
        self.now += 1
        return self.stirred or bool(self.steps) or bool(self.rising)

    def end(self) -> None:
        """Phase 1: steps end, semaphores rise."""
        self.due.discard(self.now)
        ending = [item for item in self.steps if item[0] == self.now]
        self.steps = [item for item in self.steps if item[0] != self.now]
        for _, unit, stage in ending:
            running = unit.running
            assert running is not None
            assert running.pipeline is not None
            for resource in running.pipeline.stages[stage].resources:
                self.held[resource] -= 1
            running.ended[stage] += 1
            if running.ended[-1] == running.pipeline.count:
                if isinstance(running.instruction, Send):
                    self.finish(self.cores[running.instruction.core].units[MOVER.code])
                self.finish(unit)
        for when, semaphore in self.rising:
            self.semaphores[semaphore] += when == self.now
        self.rising = [item for item in self.rising if item[0] != self.now]
        self.active = [unit for unit in self.active if not unit.idle]

    def finish(self, unit: UnitState) -> None:
        """End the instruction of a unit."""
        running = unit.running
        assert running is not None
        unit.busy += self.now - running.start
        self.records.append((unit.core, running.index, running.start, self.now))
        unit.running = None

    def issue(self) -> bool:
        """Phase 2: every sequencer issues at most one instruction."""
        issued = False
        for core in self.cores:
            if not core.halted and self.may_issue(core):
                self.execute(core)
                issued = True
        return issued

    def may_issue(self, core: CoreState) -> bool:
        """Say whether the next instruction of a core can issue."""
        instruction = core.instructions[core.next]
        waits = isinstance(instruction, Wait)
        if waits and self.semaphores[instruction.semaphore] < instruction.count:
            return False
        if not all(core.units[unit.code].idle for unit in instruction.wait):
            return False
        if isinstance(instruction, Post | Halt):
            return all(unit.idle for unit in core.units)
        unit = core.executed_by[core.next]
        if unit is None:
            return True
        return len(core.units[unit.code].queue) < self.program.target.core.queue_depth

    def execute(self, core: CoreState) -> None:
        """Issue the next instruction of a core."""
        index = core.next
        instruction = core.instructions[index]
        core.next += 1
        if isinstance(instruction, Loop):
            core.loops.append([core.next, instruction.count])
        elif isinstance(instruction, EndLoop):
            core.loops[-1][1] -= 1
            if core.loops[-1][1]:
                core.next = core.loops[-1][0]
            else:
                core.loops.pop()
        elif isinstance(instruction, Post):
            delay = max(1, self.program.target.chip.sync_cycles)
            self.rising.append((self.now + delay, instruction.semaphore))
            self.due.add(self.now + delay)
        elif isinstance(instruction, Wait):
            self.semaphores[instruction.semaphore] -= instruction.count
        elif isinstance(instruction, Halt):
            core.halted = True
            self.running -= 1
        else:
            which = core.executed_by[index]
            assert which is not None
            unit = core.units[which.code]
            if unit.idle:
                self.active.append(unit)
            unit.queue.append(index)

    def start(self) -> bool:
        """Phase 3: free units take the first instruction of their queue."""
        begun = False
        for unit in self.active:
            if unit.running is not None or not unit.queue:
                continue
            instruction = self.cores[unit.core].instructions[unit.queue[0]]
            if isinstance(instruction, Recv):
                continue
            if isinstance(instruction, Send):
                other = self.cores[instruction.core].units[MOVER.code]
                if not self.receives(other, unit.core):
                    continue
                self.begin(other)
            self.begin(unit)
            begun = True
        return begun

    def receives(self, mover: UnitState, sender: int) -> bool:
        """Say whether a mover is free to receive from `sender`."""
        if mover.running is not None or not mover.queue:
            return False
        instruction = self.cores[mover.core].instructions[mover.queue[0]]
        return isinstance(instruction, Recv) and instruction.core == sender

    def begin(self, unit: UnitState) -> None:
        """Let a unit take the first instruction of its queue."""
        index = unit.queue.popleft()
        core = self.cores[unit.core]
        pipeline = core.pipelines[index]
        stages = len(pipeline.stages) if pipeline else 0
        zeros = [0] * stages
        unit.running = Running(
            index, core.instructions[index], self.now, pipeline, zeros, [*zeros], [-1] * stages
        )

    def grant(self) -> bool:
        """Phase 4: rounds of requests and grants, until a round starts nothing."""
        any_granted, granted = False, True
        while granted:
            granted = False
            requests = sorted(self.requests(), key=lambda item: item[:4])
            for _, _, _, stage, unit in requests:
                running = unit.running
                assert running is not None
                assert running.pipeline is not None
                step = running.pipeline.stages[stage]
                if self.free(step):
                    self.take(step)
                    running.started[stage] += 1
                    running.asked[stage] = -1
                    self.steps.append((self.now + step.cycles, unit, stage))
                    self.due.add(self.now + step.cycles)
                    any_granted = granted = True
        return any_granted

    def requests(self) -> Iterator[tuple[int, int, int, int, UnitState]]:
        """Yield cycle, core, unit and stage of every step that requests its resources."""
        for unit in self.active:
            running = unit.running
            if running is None or running.pipeline is None:
                continue
            for stage in range(len(running.pipeline.stages)):
                if self.ready(running, running.pipeline, stage):
                    if running.asked[stage] < 0:
                        running.asked[stage] = self.now
                    yield running.asked[stage], unit.core, unit.code, stage, unit

    @staticmethod
    def ready(running: Running, pipeline: Pipeline, stage: int) -> bool:
        """Say whether a stage has a next step that nothing but resources holds up."""
        started, ended = running.started, running.ended
        iteration = started[stage]
        if iteration == pipeline.count or ended[stage] < iteration:
            return False
        if stage > 0 and ended[stage - 1] <= iteration:
            return False
        handed_on = stage + 1 == len(started) or started[stage + 1] >= iteration
        return handed_on

    def free(self, step: Step) -> bool:
        """Say whether every resource of a step has a free place."""
        return all(self.held[item] < self.capacity[item] for item in step.resources)

    def take(self, step: Step) -> None:
        """Hold the resources of a step."""
        for resource in step.resources:
            self.held[resource] += 1
            self.resource_busy[resource] += step.cycles


def step_through(program: Program, progress: Callable[[int], None] | None = None) -> Cycles:
    """Return the cycles of a legal program, with records.

    Args:
        program: The program.
        progress: Is told now and then how many cycles have passed.

    Raises:
        MccError: `program-deadlock`, naming the cores that wait.
    """
    chip = Stepper(program)
    while chip.running:
        if not chip.step():
            fail_deadlock(program, [-1 if core.halted else core.next for core in chip.cores])
        if progress is not None and chip.now % TOLD_EVERY == 0:
            progress(chip.now)
    return Cycles(
        chip.now,
        np.array([unit.busy for core in chip.cores for unit in core.units], np.int64),
        np.array(chip.resource_busy, np.int64),
        sort_records(np.array(chip.records, np.int64).reshape(-1, 4)),
    )
