"""Executes a program: every core a coroutine, every instruction once for many samples."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from mcc.ir.diagnostics import error
from mcc.ir.program import Program, Stream
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
        self._kept: Prepared | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what is made anew, and cannot be copied."""
        return {**self.__dict__, "_kept": None}

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
        plain = fill == 0 and order is None
        ready = (self._taken(chunk) if plain else None) or self._prepared(chunk, fill, order)
        ready.state.observer = observer
        outputs = {
            region.name: np.empty((samples, *region.shape), region.dtype.numpy)
            for region in self._program.outputs
        }
        for first in range(0, samples, chunk):
            rows = slice(first, min(first + chunk, samples))
            ready.state.select(rows)
            self._arrays.start(first_sample + first)
            for part in self._chunk(ready, feeds, outputs, rows):
                if progress is not None:
                    progress((first + part * (rows.stop - first)) / samples)
        if plain and ready.state.bytes <= KEPT_BYTES:
            self._kept = ready
        return outputs

    def _taken(self, batch: int) -> Prepared | None:
        """Return what an earlier run left, which nobody else gets; None where it does not fit."""
        kept, self._kept = self._kept, None
        return kept if kept is not None and kept.batch == batch else None

    def _chunk(
        self, ready: Prepared, feeds: Tensors, outputs: Tensors, rows: slice
    ) -> Iterator[float]:
        """Run some of the samples; yield the fraction of them that is done."""
        state = ready.state
        for region in self._program.inputs:
            tensor(state.buffer, region)[...] = feeds[region.name][rows]
        with np.errstate(all="ignore"):
            yield from ready.turns.run()
        for region in self._program.outputs:
            outputs[region.name][rows] = tensor(state.buffer, region)

    def _prepared(self, batch: int, fill: int, order: int | None) -> Prepared:
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
        state = State(program, self._arrays, self._host, buffer, memories)
        return Prepared(batch, state, Turns(state, order))


@final
@dataclass(frozen=True)
class Prepared:
    """The memories of a chunk of samples, and the cores that work on them."""

    batch: int
    state: State
    turns: Turns


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
