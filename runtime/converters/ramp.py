"""The ramp converter: a counter steps a reference up until it exceeds the level."""

from __future__ import annotations

import numpy as np

from mcc.runtime.converters.staircase import Draw, Staircase, rising


def ramp(bits: int, mismatch: float, draw: Draw) -> Staircase:
    """Return the staircase of a ramp from a string of 2**bits unit resistors between references.

    Errors of the steps add up along the ramp and are zero at its ends, a random bridge: the
    deviation of level k of n is `mismatch * sqrt(k * (1 - k / n))` steps (Razavi, Principles of
    Data Conversion System Design). Levels rise whatever the mismatch.
    """
    units = 1 + mismatch * draw(2**bits)
    return rising(2**bits * np.cumsum(units)[:-1] / units.sum())
