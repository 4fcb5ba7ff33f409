"""The cores of a chip as coroutines that run in turn, each until it must wait for another one."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, final

from numpy.typing import NDArray

from mcc.ir.diagnostics import MccError, error
from mcc.ir.program import trip_counts
from mcc.ir.program.instructions import (
    EndLoop,
    Halt,
    Instruction,
    Loop,
    Post,
    Recv,
    Send,
    Wait,
)
from mcc.runtime.actions import Action, Actions, State
from mcc.runtime.memory import Window


@final
@dataclass(frozen=True, slots=True)
class _Step:
    """An instruction, ready to be executed."""

    instruction: Instruction
    action: Action | None = None
    """For data work."""
    window: Window | None = None
    """For messages: what is sent, or where it goes."""


@final
class Turns:
    """Lets the cores run in turn until all have ended."""

    def __init__(self, state: State, order: int | None = None) -> None:
        """Prepare the cores; `order` seeds the order of turns, which changes no result."""
        self._state = state
        self._random = random.Random(order) if order is not None else None
        self._done = 0
        self._semaphores: list[int] = []
        self._messages: dict[tuple[int, int], NDArray[Any]] = {}
        self._cores = [self._prepared(core) for core in range(len(state.program.cores))]
        self._work = sum(sum(trip_counts(core)) for core in state.program.cores)

    def run(self) -> Iterator[float]:
        """Run every core from its first instruction to its `halt`; yield the fraction done.

        Raises:
            MccError: `program-deadlock`, naming what each core waits for.
        """
        self._done = 0
        self._semaphores = [0] * self._state.program.semaphores
        self._messages.clear()
        live = {core: self._core(core) for core in range(len(self._cores))}
        while live:
            before = self._done
            waiting: dict[int, Instruction] = {}
            turns = list(live)
            if self._random is not None:
                self._random.shuffle(turns)
            for core in turns:
                blocked = next(live[core], None)
                if blocked is None:
                    del live[core]
                else:
                    waiting[core] = blocked
            if live and self._done == before:
                raise _deadlock(waiting)
            yield min(self._done / self._work, 1.0) if live else 1.0

    def _prepared(self, core: int) -> list[_Step]:
        """Return the instructions of a core with what they need to be executed."""
        actions = Actions(self._state, core)
        found: list[_Step] = []
        for index, it in enumerate(self._state.program.cores[core]):
            match it:
                case Send():
                    found.append(_Step(it, window=actions.local(it.source)))
                case Recv():
                    found.append(_Step(it, window=actions.local(it.result)))
                case Loop() | EndLoop() | Post() | Wait() | Halt():
                    found.append(_Step(it))
                case _:
                    found.append(_Step(it, action=actions.action(index, it)))
        return found

    def _core(self, core: int) -> Iterator[Instruction]:
        """Run a core; yield the instruction at which it must wait."""
        steps = self._cores[core]
        counters: list[int] = []
        loops: list[tuple[int, int]] = []
        index = 0
        while True:
            step = steps[index]
            index += 1
            self._done += 1
            if step.action is not None:
                step.action(counters)
                continue
            match step.instruction:
                case Loop(count=count):
                    loops.append((index, count))
                    counters.append(0)
                case EndLoop():
                    counters[-1] += 1
                    if counters[-1] < loops[-1][1]:
                        index = loops[-1][0]
                    else:
                        loops.pop()
                        counters.pop()
                case Halt():
                    return
                case _:
                    self._done -= 1
                    yield from self._meet(core, step, counters)
                    self._done += 1

    def _meet(self, core: int, step: _Step, counters: list[int]) -> Iterator[Instruction]:
        """Execute an instruction that concerns other cores."""
        match step.instruction:
            case Post(semaphore=semaphore):
                self._semaphores[semaphore] += 1
            case Wait(semaphore=semaphore, count=count):
                while self._semaphores[semaphore] < count:
                    yield step.instruction
                self._semaphores[semaphore] -= count
            case Send(core=other):
                assert step.window is not None
                self._messages[core, other] = step.window.at(counters)
                self._done += 1
                while (core, other) in self._messages:
                    yield step.instruction
            case Recv(core=other):
                assert step.window is not None
                while (other, core) not in self._messages:
                    yield step.instruction
                result = step.window.at(counters)
                result[...] = self._messages.pop((other, core)).reshape(result.shape)
            case _:
                raise AssertionError(f"{step.instruction.MNEMONIC} has no action")


def _deadlock(waiting: Mapping[int, Instruction]) -> MccError:
    lines = [f"core {core} at {_reason(it)}" for core, it in sorted(waiting.items())]
    return error("program-deadlock", f"the cores wait for each other: {'; '.join(lines)}")


def _reason(it: Instruction) -> str:
    match it:
        case Wait():
            return f"`wait` for semaphore {it.semaphore} to reach {it.count}"
        case Send():
            return f"`send` to core {it.core}"
        case Recv():
            return f"`recv` from core {it.core}"
        case _:
            return f"`{it.MNEMONIC}`"
