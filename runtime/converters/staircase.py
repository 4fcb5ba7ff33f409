"""What a converter does to a level: a staircase, and the figures by which staircases are judged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

Levels = NDArray[np.float64]

Draw = Callable[[int], Levels]
"""Returns that many normal numbers, the same ones whenever it is asked."""


@final
@dataclass(frozen=True, eq=False)
class Staircase:
    """One converter: where its code changes, and its code in every interval between.

    Levels are in units of one step. As the laws of the kinds state it, the range of a converter of
    n bits is from level 0 to level 2**n, and level x of an ideal one has the code floor(x).
    """

    breakpoints: Levels
    """Sorted (steps,); equal ones enclose an interval that no level falls into."""
    codes: NDArray[np.int32]
    """Code of each interval (steps + 1,); a level on a breakpoint is in the interval above it."""


def convert(levels: NDArray[Any], staircase: Staircase) -> NDArray[np.int32]:
    """Return the code of each level."""
    return staircase.codes[np.searchsorted(staircase.breakpoints, levels, side="right")]


def rising(thresholds: Levels) -> Staircase:
    """Return the staircase that counts how many thresholds are reached."""
    return Staircase(np.sort(thresholds), np.arange(len(thresholds) + 1, dtype=np.int32))


def transitions(staircase: Staircase, bits: int) -> Levels:
    """Return the lowest level at which each code from 1 on, or a higher one, appears.

    The shape is (2**bits - 1,). A missing code appears where the next one does, at infinity where
    there is none.
    """
    reached = np.maximum.accumulate(staircase.codes)
    starts = np.concatenate([[-np.inf], staircase.breakpoints, [np.inf]])
    return starts[np.searchsorted(reached, np.arange(1, 2**bits, dtype=np.int32))]


def differential_nonlinearity(staircase: Staircase, bits: int) -> Levels:
    """Return how much wider than a step the codes from 1 to 2**bits - 2 are, in steps.

    The step is the mean one, between the first and the last transition (IEEE 1241, end points).
    """
    edges = transitions(staircase, bits)
    return np.diff(edges) / ((edges[-1] - edges[0]) / (len(edges) - 1)) - 1


def integral_nonlinearity(staircase: Staircase, bits: int) -> Levels:
    """Return how far the transitions are from a line through the first and the last, in steps."""
    return np.concatenate([[0.0], np.cumsum(differential_nonlinearity(staircase, bits))])
