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
"""Phases that have numbers of their own, whether an input has so many or not."""
PHASES_OF_DRAW = 4
"""Phases that have their numbers of the same counters."""
UNIT_COLS = 32
"""Columns of one slice that have their numbers side by side."""


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

    def __init__(self, inputs: Inputs, *, cols: int, slices: int, groups: int) -> None:
        """Draw them for some row groups."""
        units = -(-cols // UNIT_COLS) * slices
        draws = groups * (PHASES // PHASES_OF_DRAW) * units * (UNIT_COLS // 2)
        reads, parts = inputs.reads, list[NDArray[np.int16]]()
        for sample, position, count in inputs.samples():
            drawn = _kernels.read_normals(
                seed=reads.seed,
                place=reads.place,
                event=reads.event,
                sample=sample,
                first=position * draws,
                count=count * draws,
            )
            halves = drawn.view(np.int16)  # the even column's half comes first
            parts.append(halves.reshape(count, groups, PHASES // PHASES_OF_DRAW, -1, 4, 2))
        self._numbers = np.concatenate(parts)
        col, part = np.divmod(np.arange(cols * slices), slices)
        self._column = (col // UNIT_COLS * slices + part) * UNIT_COLS + col % UNIT_COLS

    def of(self, group: int, phase: int) -> NDArray[np.float64]:
        """Return the number of each input and analog sum in a phase of a group."""
        drawn = self._numbers[:, group, phase // PHASES_OF_DRAW, :, phase % PHASES_OF_DRAW]
        numbers = drawn.reshape(len(drawn), -1)[:, self._column]
        return numbers * READ_VARIANCE**-0.5


@final
class DriveNoise:
    """Numbers for the drivers of the rows of a group (lines)."""

    def __init__(self, inputs: Inputs, place: int, *, lines: int, groups: int) -> None:
        """Draw them for some row groups; `place` is the last word of the counters."""
        words = groups * lines * PHASES // PHASES_OF_DRAW
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
            parts.append(drawn.reshape(count, groups, PHASES // PHASES_OF_DRAW, lines, 4))
        self._numbers = np.concatenate(parts)

    def of(self, group: int, phase: int) -> NDArray[np.float32]:
        """Return the number of each input and row in a phase of a group."""
        return self._numbers[:, group, phase // PHASES_OF_DRAW, :, phase % PHASES_OF_DRAW]
