"""The cyclic (algorithmic) converter: one stage of a pipeline, used again and again."""

from __future__ import annotations

import numpy as np

from mcc.runtime.converters.pipeline import stages, staircase_of
from mcc.runtime.converters.staircase import Draw, Staircase


def cyclic(bits: int, mismatch: float, draw: Draw) -> Staircase:
    """Return the staircase of a pipeline all of whose stages have the same two capacitors."""
    pair = 1 + mismatch * draw(2)
    return staircase_of(bits, np.full(stages(bits), pair[0] / pair[1]))
