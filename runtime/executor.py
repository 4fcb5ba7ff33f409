"""Executes a program: every core a coroutine, every instruction once for many samples."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from mcc.ir.diagnostics import MccError, error
from mcc.ir.program import Program, Stream, trip_counts
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
from mcc.runtime.actions import Action, Actions, Arrays, Host, State, tensor
from mcc.runtime.memory import Memory, Window, pitch
from mcc.runtime.observation import Observer

MEMORY_LIMIT = 1 << 30
"""Bytes that the memories of all samples of a chunk may take together."""

NEAR_BYTES = 1 << 24
"""Bytes that stay near the processor: a chunk takes no more, but for few samples."""
FEW_SAMPLES = 32
"""Samples over which the cost of interpreting an instruction is spread well enough."""

Tensors = Mapping[str, NDArray[Any]]
Progress = Callable[[float], None]
"""Is told a fraction between 0 and 1."""


@final
class Executor:
    """Runs the instructions of a program on arrays and a host.

    The memories of a chunk of samples exist at the same time, and an instruction works on all of
    them at once. Cores run in turn, each until it must wait for another one; no order of turns
    changes a result.
    """

    def __init__(
        self, program: Program, arrays: Arrays, host: Host, memory_limit: int = MEMORY_LIMIT
    ) -> None:
        """Prepare to run `program`."""
        self._program = program
        self._arrays = arrays
        self._host = host
        self._limit = memory_limit

    def chunk(self, samples: int) -> int:
        """Return how many samples are worked on at once."""
        each = bytes_per_sample(self._program)
        wanted = max(FEW_SAMPLES, NEAR_BYTES // each)
        return max(1, min(samples, wanted, self._limit // each))

    def run(
        self,
        feeds: Tensors,
        observer: Observer | None = None,
        order: int | None = None,
        fill: int = 0,
        progress: Progress | None = None,
        first_sample: int = 0,
    ) -> dict[str, NDArray[Any]]:
        """Run the program on every sample.

        Args:
            feeds: Every input of the program, `(samples, *shape)`.
            observer: Is told of all codes and sums.
            order: Seed of the order of turns; None for that of the numbers of the cores.
            fill: Byte that memories hold at the start.
            progress: Is told now and then which fraction of the work is done.
            first_sample: Number of the first sample, on which its read noise depends.

        Returns:
            Every output of the program, `(samples, *shape)`.

        Raises:
            MccError: `program-invalid`, `program-deadlock` or `host-failed`.
        """
        samples = _samples(self._program, feeds)
        chunk = self.chunk(samples)
        state = self._state(chunk, fill)
        state.observer = observer
        turns = _Turns(state, order)
        outputs = {
            region.name: np.empty((samples, *region.shape), region.dtype.numpy)
            for region in self._program.outputs
        }
        for first in range(0, samples, chunk):
            rows = slice(first, min(first + chunk, samples))
            state.select(rows)
            for region in self._program.inputs:
                tensor(state.buffer, region)[...] = feeds[region.name][rows]
            self._arrays.start(first_sample + first)
            with np.errstate(all="ignore"):
                for part in turns.run():
                    if progress is not None:
                        progress((first + part * (rows.stop - first)) / samples)
            for region in self._program.outputs:
                outputs[region.name][rows] = tensor(state.buffer, region)
        return outputs

    def _state(self, batch: int, fill: int) -> State:
        program = self._program
        buffer = Memory("global buffer", program.buffer_bytes, batch)
        memories = [
            Memory(f"local memory of core {core}", size, batch)
            for core, size in enumerate(program.memory_bytes)
        ]
        if fill:
            for memory in (buffer, *memories):
                memory.rows[:] = fill
        for constant in program.constants:
            tensor(buffer, constant.region)[...] = constant.array
        return State(program, self._arrays, self._host, buffer, memories)


def bytes_per_sample(program: Program) -> int:
    """Return the memory that one sample takes: what the chip uses, and room for temporaries."""
    largest = 0
    for instructions in program.cores:
        for it in instructions:
            streams = (getattr(it, name, None) for name in ("result", "source"))
            sizes = [4 * stream.elements for stream in streams if isinstance(stream, Stream)]
            largest = max(largest, 2 * sum(sizes))
    used = sum(pitch(size) for size in (program.buffer_bytes, *program.memory_bytes))
    return used + largest


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
class _Turns:
    """Lets the cores run in turn until all have ended."""

    def __init__(self, state: State, order: int | None) -> None:
        self._state = state
        self._random = random.Random(order) if order is not None else None
        self._done = 0
        self._semaphores: list[int] = []
        self._messages: dict[tuple[int, int], NDArray[Any]] = {}
        self._cores = [self._prepared(core) for core in range(len(state.program.cores))]
        self._work = sum(sum(trip_counts(core)) for core in state.program.cores)

    def run(self) -> Iterator[float]:
        """Run every core from its first instruction to its `halt`; yield the fraction done."""
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


def _samples(program: Program, feeds: Tensors) -> int:
    """Return how many samples the feeds hold, refusing feeds of a wrong form."""
    counts: set[int] = set()
    for region in program.inputs:
        if region.name not in feeds:
            raise error("input-missing", f"there is no input `{region.name}`")
        array = feeds[region.name]
        if array.shape[1:] != region.shape or array.ndim == 0:
            wanted = ", ".join(["samples", *map(str, region.shape)])
            raise error("input-shape", f"`{region.name}` is {array.shape}, not ({wanted})")
        if array.dtype != region.dtype.numpy:
            raise error(
                "input-dtype", f"`{region.name}` is {array.dtype}, not {region.dtype.numpy}"
            )
        counts.add(len(array))
    if len(counts) > 1:
        raise error("input-shape", f"the inputs hold different numbers of samples: {counts}")
    return counts.pop() if counts else 1


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
