"""Noise that conductances gather after programming (1/f noise)."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from mcc.ir.hardware import Cell


def gathered(seconds: float, read_seconds: float) -> float:
    """Return `sqrt(ln((t + t_read) / (2 t_read)))`, 0 before `t_read`: the growth of 1/f noise."""
    return math.sqrt(max(math.log((seconds + read_seconds) / (2 * read_seconds)), 0.0))


def flicker_sigma(
    conductances: NDArray[np.float64], written: NDArray[np.float64], seconds: float, cell: Cell
) -> NDArray[np.float64] | None:
    """Return the standard deviation of the 1/f noise of every cell, in siemens; None without any.

    It is what has gathered since programming, which reads at that time find alike. Two independent
    sources: `G min(q x**-p, q_max) growth`, with `x` as written (phase-change cells in AIHWKit,
    after Joshi et al. 2020); and `l log10(G / 1 uS) growth` above 1 uS (CMO/HfOx cells in AIHWKit).

    Args:
        conductances: As they are now, in siemens.
        written: As they were after programming, of the same shape.
        seconds: Time since programming.
        cell: The device.
    """
    law = cell.flicker
    growth = gathered(seconds, law.read_seconds)
    if not growth or not (law.fraction or law.logarithmic_siemens):
        return None
    smallest = np.finfo(np.float64).tiny
    ratios = np.maximum(written / law.reference_siemens, smallest)
    relative = np.minimum(law.fraction * ratios**-law.exponent, law.limit)
    decades = np.log10(np.maximum(conductances / 1e-6, 1))
    return growth * np.hypot(conductances * relative, law.logarithmic_siemens * decades)
