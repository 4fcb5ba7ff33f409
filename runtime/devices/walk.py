"""A Gaussian walk that can be looked at at any time alone."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
FINEST = 2.0**-6
"""Interval of times within which increments are no longer independent."""


def walked(
    time: float, variance: Callable[[float], float], normals: Callable[[float], Floats]
) -> Floats:
    """Return where walks of a rising variance are at a time from 0 on.

    Increments are independent, so that the correlation of two times is
    `sqrt(variance(first) / variance(second))`. A walk goes from one whole time to the next, and
    between them by halves as a Brownian bridge does (Levy 1948). In the last interval all times
    share one normal number, scaled such that the variance at each is exact.

    Args:
        time: When to look.
        variance: Variance at a time.
        normals: Standard normal numbers (rows, cols) by address, a number of their own each.
    """
    low = float(math.floor(time))
    first = math.sqrt(variance(0)) * normals(0.0)
    for step in range(int(low)):
        first = first + _stride(step, variance, normals)
    if low == time:
        return first
    high, last = low + 1, first + _stride(int(low), variance, normals)
    while True:
        middle = (low + high) / 2
        at = middle if high - low > FINEST else time
        gap = variance(high) - variance(low)
        share = (variance(at) - variance(low)) / gap if gap > 0 else 0.0
        bridge = math.sqrt(max(share * (1 - share) * gap, 0.0))
        between = first + share * (last - first) + bridge * normals(middle)
        if at == time:
            return between
        if at < time:
            low, first = at, between
        else:
            high, last = at, between


def _stride(
    step: int, variance: Callable[[float], float], normals: Callable[[float], Floats]
) -> Floats:
    """Return what a walk gains from one whole time to the next."""
    gain = max(variance(step + 1) - variance(step), 0.0)
    return math.sqrt(gain) * normals(step + 1.0)
