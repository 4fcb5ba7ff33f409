"""The converter whose codes change at whole levels."""

from __future__ import annotations

import numpy as np

from mcc.runtime.converters.staircase import Draw, Staircase, rising


def ideal(bits: int, mismatch: float, draw: Draw) -> Staircase:
    """Return the staircase of a converter without elements."""
    return rising(np.arange(1, 2**bits, dtype=np.float64))
