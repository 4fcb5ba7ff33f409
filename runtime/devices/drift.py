"""How conductances change after programming: a power law, and a shift that spreads."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from mcc.ir.hardware import Drift, Relaxation


def exponent_moments(
    conductances: NDArray[np.float64], law: Drift
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return mean and standard deviation of the drift exponents of target conductances.

    Each is `slope ln(G / reference) + intercept` between its bounds (Joshi et al., Nature
    Communications 11, 2473, 2020, as fitted in AIHWKit).
    """
    smallest = np.finfo(np.float64).tiny
    logarithms = np.log(np.maximum(conductances / law.reference_siemens, smallest))
    means = law.exponent_slope * logarithms + law.exponent_intercept
    spreads = law.spread_slope * logarithms + law.spread_intercept
    return (
        np.clip(means, law.exponent_lowest, law.exponent_highest),
        np.clip(spreads, law.spread_lowest, law.spread_highest),
    )


def drifts(law: Drift) -> bool:
    """Whether any cell has an exponent other than 0."""
    return any((law.exponent_lowest, law.exponent_highest, law.spread_highest))


def drifted(
    conductances: NDArray[np.float64], exponents: NDArray[np.float64], elapsed: float
) -> NDArray[np.float64]:
    """Return `G elapsed**-nu`; `elapsed` is the time over that of the start, from 1 on."""
    return conductances * np.exp(-exponents * math.log(elapsed))


def shift_moments(law: Relaxation, elapsed: float) -> tuple[float, float]:
    """Return mean and standard deviation of the shift, in siemens.

    With `l = ln(elapsed)`: `mean l` and `sqrt((start_spread + spread l)**2 + diffusion**2 l)`. The
    first term is the law of the CMO/HfOx cells in AIHWKit, the second that of a random walk in
    logarithmic time, as measured relaxation shows it.
    """
    logarithm = math.log(elapsed)
    gathered = law.start_spread_siemens + law.spread_siemens * logarithm
    diffused = law.diffusion_siemens * math.sqrt(logarithm)
    return law.mean_siemens * logarithm, math.hypot(gathered, diffused)
