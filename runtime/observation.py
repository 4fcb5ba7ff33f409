"""Watching the integers that a running program makes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from mcc.ir.program.places import Places
from mcc.runtime.memory import Memory


@final
class Integers(StrEnum):
    """What is seen."""

    CODES = "codes"
    """What `quantize` writes."""
    SUMS = "sums"
    """What `dequantize` reads: sums over all tiles, or codes."""


@final
@dataclass(frozen=True, slots=True)
class Observation:
    """What one execution of an instruction made or found."""

    core: int
    index: int
    """Of the instruction in its core."""
    node: str
    """Network node it works for."""
    counters: tuple[int, ...]
    """Iterations of the loops around it."""
    kind: Integers
    first_sample: int
    values: NDArray[Any]
    """`(batch, *counts)`, a view that is valid during the call only."""


Observer = Callable[[Observation], None]


@final
class Collector:
    """Puts the observed integers together to the values of the network they belong to."""

    def __init__(self, places: Places, samples: int) -> None:
        """Prepare for a run of `samples` samples of the program that `places` describes."""
        self._places = places
        self._samples = samples
        self._values: dict[str, Memory] = {}
        self._seen: dict[str, Memory] = {}
        self.unplaced: set[str] = set()
        """Nodes that made integers without a place."""

    def __call__(self, observation: Observation) -> None:
        """Take note of an observation.

        Raises:
            ValueError: An element was seen before with another value.
        """
        place = self._places.get((observation.core, observation.index))
        if place is None:
            self.unplaced.add(observation.node)
            return
        if place.value not in self._values:
            size = int(np.prod(place.shape, dtype=np.int64)) * place.stream.dtype.itemsize
            self._values[place.value] = Memory(place.value, size, self._samples)
            self._seen[place.value] = Memory(place.value, size, self._samples)
        first = observation.first_sample
        rows = slice(first, first + len(observation.values))
        known = self._values[place.value].at(place.stream, observation.counters)[rows]
        seen = self._seen[place.value].at(place.stream, observation.counters)[rows]
        if np.any((known != observation.values) & (seen != 0)):
            raise ValueError(f"an element of {place.value} was made twice, with two values")
        known[...] = observation.values
        seen[...] = 1

    def values(self) -> dict[str, NDArray[Any]]:
        """Return every value by name, `(samples, *shape)`.

        Raises:
            ValueError: Part of a value was never seen.
        """
        shapes = {place.value: (place.shape, place.stream.dtype) for place in self._places.values()}
        found: dict[str, NDArray[Any]] = {}
        for name, (shape, dtype) in shapes.items():
            seen = self._flat(self._seen.get(name), dtype.numpy)
            if name not in self._values or not np.all(seen):
                raise ValueError(f"not every element of {name} was made")
            flat = self._flat(self._values[name], dtype.numpy)
            found[name] = flat.reshape(self._samples, *shape)
        return found

    def _flat(self, memory: Memory | None, dtype: np.dtype[Any]) -> NDArray[Any]:
        if memory is None:
            return np.zeros((self._samples, 0), dtype)
        return np.ascontiguousarray(memory.rows[:, : memory.size]).view(dtype)
