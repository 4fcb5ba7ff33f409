"""Normal numbers of some inputs after each other: one for each line, row group and phase.

Those of reads are the ones that the kernel draws, at the same addresses.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from mcc.runtime import _kernels
from mcc.runtime.analog_oracle import READ_VARIANCE
from mcc.runtime.reads import Reads

PHASES = 8
"""Phases in which drivers have numbers of their own, whether an input has so many or not."""
READS_OF_DRAW = 4
"""Reads that have their numbers of the same counters."""
UNIT_SUMS = 32
"""Analog sums, at most, that have their numbers side by side: whole columns of weights."""


@final
@dataclass(frozen=True)
class Inputs:
    """Some of the inputs of a read."""

    reads: Reads
    first: int
    count: int

    def samples(self) -> Iterator[tuple[int, int, int]]:
        """Yield each sample with its first position and how many there are."""
        first, left = self.first, self.count
        while left > 0:
            sample, position = divmod(first, self.reads.positions)
            count = min(left, self.reads.positions - position)
            yield self.reads.sample + sample, position, count
            first, left = first + count, left - count


@final
class ReadNoise:
    """Numbers for the analog sums of columns of weights (cols * slices)."""

    def __init__(self, inputs: Inputs, *, sums: int, slices: int, phases: int) -> None:
        """Take how many sums there are and how often a row group of an input is read."""
        self._inputs, self._phases = inputs, phases
        of_unit = UNIT_SUMS // slices * slices
        unit, place = np.divmod(np.arange(sums), of_unit)
        self._place = unit * UNIT_SUMS + place
        self._counters = -(-sums // of_unit) * UNIT_SUMS // 2

    def of(self, group: int) -> NDArray[np.float64]:
        """Return the number of each input, phase and analog sum of a row group."""
        parts = list[NDArray[np.int16]]()
        positions = self._inputs.reads.positions
        for sample, position, count in self._inputs.samples():
            first = (group * positions + position) * self._phases
            parts.append(self._drawn(sample, first, count * self._phases))
        numbers = np.concatenate(parts)[:, self._place]
        return numbers.reshape(-1, self._phases, len(self._place)) * READ_VARIANCE**-0.5

    def _drawn(self, sample: int, first: int, count: int) -> NDArray[np.int16]:
        """Return the numbers (reads, places) of some reads of a sample."""
        draw, before = divmod(first, READS_OF_DRAW)
        draws = -(-(before + count) // READS_OF_DRAW)
        reads = self._inputs.reads
        drawn = _kernels.read_normals(
            seed=reads.seed,
            place=reads.place,
            event=reads.event,
            sample=sample,
            first=draw * self._counters,
            count=draws * self._counters,
        )
        halves = drawn.view(np.int16).reshape(draws, -1, UNIT_SUMS // 2, READS_OF_DRAW, 2)
        numbers = halves.transpose(0, 3, 1, 4, 2).reshape(draws * READS_OF_DRAW, -1)
        return numbers[before : before + count]


@final
class DriveNoise:
    """Numbers for the drivers of the rows of a group (lines)."""

    def __init__(self, inputs: Inputs, place: int, *, lines: int, groups: int) -> None:
        """Draw them for some row groups; `place` is the last word of the counters."""
        words = groups * lines * PHASES // READS_OF_DRAW
        reads, parts = inputs.reads, list[NDArray[np.float32]]()
        for sample, position, count in inputs.samples():
            drawn = _kernels.random_normals(
                seed=reads.seed,
                place=place,
                event=reads.event,
                sample=sample,
                first=position * words,
                count=count * words,
            )
            parts.append(drawn.reshape(count, groups, PHASES // READS_OF_DRAW, lines, 4))
        self._numbers = np.concatenate(parts)

    def of(self, group: int, phase: int) -> NDArray[np.float32]:
        """Return the number of each input and row in a phase of a group."""
        return self._numbers[:, group, phase // READS_OF_DRAW, :, phase % READS_OF_DRAW]
