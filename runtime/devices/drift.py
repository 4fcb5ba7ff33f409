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

    With `l = ln(elapsed)`: `mean l` and the root of `shift_variance`.
    """
    logarithm = math.log(elapsed)
    return law.mean_siemens * logarithm, math.sqrt(shift_variance(law, logarithm))


def shift_variance(law: Relaxation, logarithm: float) -> float:
    """Return `(start_spread + spread l)**2 + diffusion**2 l` in square siemens, at a logarithm `l`.

    The first term is the law of the CMO/HfOx cells in AIHWKit, which says of every time alone how
    far cells have spread; the second is the variance of a random walk in `l`. What two times have
    in common is here that of a walk for both (`walk.py`). Measured cells of `foundry_c` spread in
    time as the second says, and change between 1 s and 1e5 s a fifth more than the walk.
    """
    gathered = law.start_spread_siemens + law.spread_siemens * logarithm
    return gathered**2 + law.diffusion_siemens**2 * logarithm
