"""Executes a program: every core a coroutine, every instruction once for many samples."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from threading import Lock
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from mcc.ir.diagnostics import error
from mcc.ir.program import Program, Stream
from mcc.ir.program.instructions import ProgramMacro
from mcc.runtime.actions import Arrays, Host, State, tensor
from mcc.runtime.memory import Memory, pitch
from mcc.runtime.observation import Observer
from mcc.runtime.turns import Turns

MEMORY_LIMIT = 1 << 30
"""Bytes that the memories of all samples of a chunk may take together."""

NEAR_BYTES = 1 << 24
"""Bytes that stay near the processor: a chunk takes no more, but for few samples."""
KEPT_BYTES = 1 << 26
"""Memories that an executor keeps from one run to the next take no more."""
FEW_SAMPLES = 32
"""Samples over which the cost of interpreting an instruction is spread well enough."""

Tensors = Mapping[str, NDArray[Any]]
Progress = Callable[[float], None]
"""Is told a fraction between 0 and 1."""


@final
class Executor:
    """Runs the instructions of a program on arrays and a host.

    The memories of a chunk of samples exist at the same time, and an instruction works on all of
    them at once. Threads work on chunks of their own, unless the program writes macros anew, of
    which there is one. Cores run in turn, each until it must wait for another one; no order of
    turns changes a result.
    """

    def __init__(
        self,
        program: Program,
        arrays: Arrays,
        host: Host,
        memory_limit: int = MEMORY_LIMIT,
        threads: int = 1,
    ) -> None:
        """Prepare to run `program`."""
        self._program, self._arrays, self._host = program, arrays, host
        self._limit, self._threads = memory_limit, threads
        self._rewrites = any(isinstance(it, ProgramMacro) for core in program.cores for it in core)
        self._kept: list[Lane] = []

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what is made anew, and cannot be copied."""
        return {**self.__dict__, "_kept": []}

    def chunk(self, samples: int, threads: int = 1) -> int:
        """Return how many samples each of some threads works on at once."""
        each = bytes_per_sample(self._program)
        wanted = max(FEW_SAMPLES, NEAR_BYTES // each)
        return max(1, min(-(-samples // threads), wanted, self._limit // (threads * each)))

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
            observer: Is told of all codes and sums, in the order of the samples.
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
        outputs = {
            region.name: np.empty((samples, *region.shape), region.dtype.numpy)
            for region in self._program.outputs
        }
        apart = not self._rewrites and observer is None
        threads = max(min(self._threads, samples), 1) if apart else 1
        chunk = self.chunk(samples, threads)
        chunks = [slice(first, min(first + chunk, samples)) for first in range(0, samples, chunk)]
        work = Work(chunks, samples, first_sample, feeds, outputs, progress)
        plain = fill == 0 and order is None
        used = min(threads, len(chunks)) or 1
        lanes = self._taken(used, chunk) if plain else []
        lanes = lanes or [self._lane(chunk, fill, order) for _ in range(used)]
        if used == 1:
            lanes[0].run(work, self._arrays, observer)
        else:
            self._run_together(lanes, work)
        if plain and sum(lane.bytes for lane in lanes) <= KEPT_BYTES:
            self._kept = lanes
        return outputs

    def _run_together(self, lanes: Sequence[Lane], work: Work) -> None:
        """Run each lane in a thread of its own; the first error ends all of them."""
        twins = [self._arrays.beside(self._threads // len(lanes)) for _ in lanes]
        with ThreadPoolExecutor(len(lanes)) as pool:
            try:
                pairs = zip(lanes, twins, strict=True)
                futures = [pool.submit(lane.run, work, arrays) for lane, arrays in pairs]
                for future in as_completed(futures):
                    future.result()
            finally:
                work.end()

    def _taken(self, count: int, batch: int) -> list[Lane]:
        """Return lanes of an earlier run, which nobody else gets; none where they do not fit."""
        kept, self._kept = self._kept, []
        return kept if len(kept) == count and kept[0].batch == batch else []

    def _lane(self, batch: int, fill: int, order: int | None) -> Lane:
        """Return memories for some samples, with everything that works on them."""
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
        return Lane(State(program, self._arrays, self._host, buffer, memories), order)


@final
class Work:
    """Chunks of samples, each of which one thread takes."""

    def __init__(
        self,
        chunks: Sequence[slice],
        samples: int,
        first_sample: int,
        feeds: Tensors,
        outputs: Tensors,
        progress: Progress | None,
    ) -> None:
        """Take what is run, and who is told of it."""
        self.first_sample, self.feeds, self.outputs = first_sample, feeds, outputs
        self._left, self._samples, self._progress = deque(chunks), samples, progress
        self._done, self._lock = 0.0, Lock()

    def take(self) -> slice | None:
        """Return samples that nobody has taken; None where there are no more."""
        with self._lock:
            return self._left.popleft() if self._left else None

    def tell(self, samples: float) -> None:
        """Report that so many more samples are done, or parts of them."""
        with self._lock:
            self._done += samples
            if self._progress is not None:
                self._progress(min(round(self._done / self._samples, 9), 1.0))

    def end(self) -> None:
        """Let nobody begin with another chunk."""
        with self._lock:
            self._left.clear()


@final
class Lane:
    """The memories of a chunk of samples and the cores that work on it."""

    def __init__(self, state: State, order: int | None) -> None:
        """Prepare the cores."""
        self._state, self._turns = state, Turns(state, order)
        self.batch = state.buffer.batch
        self.bytes = sum(memory.rows.nbytes for memory in (state.buffer, *state.memories))

    def run(self, work: Work, arrays: Arrays, observer: Observer | None = None) -> None:
        """Run one chunk after another on these arrays until none is left."""
        self._state.arrays, self._state.observer = arrays, observer
        while (rows := work.take()) is not None:
            self._state.select(rows)
            arrays.start(work.first_sample + rows.start)
            done = 0.0
            for part in self._run_chunk(work, rows):
                work.tell((part - done) * (rows.stop - rows.start))
                done = part

    def _run_chunk(self, work: Work, rows: slice) -> Iterator[float]:
        """Run some of the samples; yield the fraction of them that is done."""
        state = self._state
        for region in state.program.inputs:
            tensor(state.buffer, region)[...] = work.feeds[region.name][rows]
        with np.errstate(all="ignore"):
            yield from self._turns.run()
        for region in state.program.outputs:
            work.outputs[region.name][rows] = tensor(state.buffer, region)


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
