"""The normal numbers of the reads of a macro, at the addresses at which the kernel draws them."""

from __future__ import annotations

from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from mcc.runtime import _kernels
from mcc.runtime.reads import Reads

PHASES = 8
"""Phases that have numbers of their own, whether an input has so many or not."""


@final
class ReadNoise:
    """Numbers of some inputs after each other: one for each line, row group and phase."""

    def __init__(
        self, reads: Reads, place: int, *, lines: int, groups: int, first: int, inputs: int
    ) -> None:
        """Draw them.

        Args:
            reads: The address of the reads.
            place: Last word of the counters.
            lines: Lines, columns or rows, that have a number each.
            groups: Row groups.
            first: Number of the first input within the reads.
            inputs: Inputs.
        """
        words = groups * lines * PHASES // 4
        parts: list[NDArray[Any]] = []
        while inputs > 0:
            sample, position = divmod(first, reads.positions)
            count = min(inputs, reads.positions - position)
            drawn = _kernels.random_normals(
                seed=reads.seed,
                place=place,
                event=reads.event,
                sample=reads.sample + sample,
                first=position * words,
                count=count * words,
            )
            parts.append(drawn.reshape(count, groups, PHASES // 4, lines, 4))
            first, inputs = first + count, inputs - count
        self._numbers = np.concatenate(parts)

    def of(self, group: int, phase: int) -> NDArray[np.float32]:
        """Return the number of each input and line (inputs, lines) in a phase of a group."""
        return self._numbers[:, group, phase // 4, :, phase % 4]
