"""The flash converter: a comparator for every code."""

from __future__ import annotations

import numpy as np

from mcc.runtime.converters.staircase import Draw, Staircase, rising


def flash(bits: int, mismatch: float, draw: Draw) -> Staircase:
    """Return the staircase of comparators with offsets.

    The code is the number of comparators that fire, so bubbles in their thermometer code do no
    more than sort the thresholds. In steps, the deviation of a threshold is `mismatch` and that of
    the width of a code `sqrt(2) * mismatch` (Razavi, Principles of Data Conversion System
    Design).
    """
    count = 2**bits - 1
    return rising(np.arange(1, count + 1, dtype=np.float64) + mismatch * draw(count))
