"""What temperature does: to conductances, and to the speed at which they age."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from mcc.ir.hardware import Temperature

BOLTZMANN = 1.380649e-23
"""Joules per kelvin, exact by the definition of the SI."""


def at_kelvin(
    conductances: NDArray[np.float64], kelvin: float, law: Temperature
) -> NDArray[np.float64]:
    """Return conductances at a temperature: `G (1 + alpha (T - T_reference))`, not below 0."""
    factor = 1 + law.coefficient_per_kelvin * (kelvin - law.reference_kelvin)
    return conductances if factor == 1 else conductances * max(factor, 0.0)


def acceleration(kelvin: float, law: Temperature) -> float:
    """Return how much faster cells age than at the reference temperature (Arrhenius).

    `exp(E / k (1 / T_reference - 1 / T))`, at most 1e217.
    """
    inverse = 1 / law.reference_kelvin - 1 / kelvin
    exponent = law.activation_joules / BOLTZMANN * inverse
    return math.exp(min(exponent, 500.0))
