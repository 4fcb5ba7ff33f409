"""Executes a program: every core a coroutine, every instruction once for many samples."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from mcc.ir.diagnostics import MccError, error
from mcc.ir.program import Program
from mcc.ir.program.instructions import (
    EndLoop,
    Halt,
    Instruction,
    Loop,
    Mvm,
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

Tensors = Mapping[str, NDArray[Any]]


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
        return min(samples, max(1, self._limit // bytes_per_sample(self._program)))

    def run(
        self,
        feeds: Tensors,
        observer: Observer | None = None,
        order: int | None = None,
        fill: int = 0,
    ) -> dict[str, NDArray[Any]]:
        """Run the program on every sample.

        Args:
            feeds: Every input of the program, `(samples, *shape)`.
            observer: Is told of all codes and sums.
            order: Seed of the order of turns; None for that of the numbers of the cores.
            fill: Byte that memories hold at the start.

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
            for memory in (state.buffer, *state.memories):
                memory.batch = rows.stop - first
            for region in self._program.inputs:
                tensor(state.buffer, region)[...] = feeds[region.name][rows]
            state.first_sample = first
            self._arrays.start(first)
            with np.errstate(all="ignore"):
                turns.run()
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
    """Return the memory that one sample takes: what the chip uses, and the largest temporary."""
    largest = 0
    for instructions in program.cores:
        for it in instructions:
            if isinstance(it, Mvm):
                largest = max(largest, 3 * it.source.bytes + 2 * it.result.bytes)
    used = sum(pitch(size) for size in (program.buffer_bytes, *program.memory_bytes))
    return used + largest


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

    def run(self) -> None:
        """Run every core from its first instruction to its `halt`."""
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

    def _prepared(self, core: int) -> list[Action | Window | None]:
        """Return what data work, messages and the others need for every instruction."""
        actions = Actions(self._state, core)
        found: list[Action | Window | None] = []
        for index, it in enumerate(self._state.program.cores[core]):
            match it:
                case Send():
                    found.append(actions.local(it.source))
                case Recv():
                    found.append(actions.local(it.result))
                case Loop() | EndLoop() | Post() | Wait() | Halt():
                    found.append(None)
                case _:
                    found.append(actions.action(index, it))
        return found

    def _core(self, core: int) -> Iterator[Instruction]:
        """Run a core; yield the instruction at which it must wait."""
        instructions = self._state.program.cores[core]
        counters: list[int] = []
        loops: list[tuple[int, int]] = []
        index = 0
        while True:
            it, prepared = instructions[index], self._cores[core][index]
            index += 1
            match it:
                case Loop():
                    loops.append((index, it.count))
                    counters.append(0)
                case EndLoop():
                    counters[-1] += 1
                    if counters[-1] < loops[-1][1]:
                        index = loops[-1][0]
                    else:
                        loops.pop()
                        counters.pop()
                case Halt():
                    self._done += 1
                    return
                case Post() | Wait() | Send() | Recv():
                    yield from self._meet(core, it, prepared, counters)
                case _:
                    assert callable(prepared)
                    prepared(counters)
            self._done += 1

    def _meet(
        self, core: int, it: Instruction, prepared: Action | Window | None, counters: list[int]
    ) -> Iterator[Instruction]:
        """Execute an instruction that concerns other cores."""
        match it:
            case Post():
                self._semaphores[it.semaphore] += 1
            case Wait():
                while self._semaphores[it.semaphore] < it.count:
                    yield it
                self._semaphores[it.semaphore] -= it.count
            case Send():
                assert isinstance(prepared, Window)
                self._messages[core, it.core] = prepared.at(counters)
                self._done += 1
                while (core, it.core) in self._messages:
                    yield it
            case _:
                assert isinstance(it, Recv)
                assert isinstance(prepared, Window)
                while (it.core, core) not in self._messages:
                    yield it
                message = self._messages.pop((it.core, core))
                result = prepared.at(counters)
                result[...] = message.reshape(result.shape)


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
