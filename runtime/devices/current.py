"""The current of a cell at a voltage, for cells that are no plain resistors."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mcc.ir.diagnostics import error
from mcc.ir.hardware import Current


def polynomials(
    conductances: NDArray[np.float64], law: Current
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return `n2` (A/V2) and `n3` (A/V3) of every cell; the form is that of CrossSim's Milo model.

    Outside of the conductances of the fit they are in proportion to the conductance.
    """
    fitted = np.clip(conductances, law.low_siemens, law.high_siemens)
    decades, share = np.log10(fitted), conductances / fitted
    square = (
        law.square_0_ampere_per_volt2,
        law.square_1_ampere_per_volt2,
        law.square_2_ampere_per_volt2,
        law.square_3_ampere_per_volt2,
    )
    cube = (
        law.cube_0_ampere_per_volt3,
        law.cube_1_ampere_per_volt3,
        law.cube_2_ampere_per_volt3,
    )
    polyval = np.polynomial.polynomial.polyval
    return polyval(decades, square) * share, polyval(decades, cube) * share


def is_linear(law: Current) -> bool:
    """Whether every current is `G V`."""
    factors = (
        law.sinh_per_volt,
        law.square_0_ampere_per_volt2,
        law.square_1_ampere_per_volt2,
        law.square_2_ampere_per_volt2,
        law.square_3_ampere_per_volt2,
        law.cube_0_ampere_per_volt3,
        law.cube_1_ampere_per_volt3,
        law.cube_2_ampere_per_volt3,
    )
    return not any(factors)


def currents(
    conductances: NDArray[np.float64], volts: NDArray[np.float64] | float, law: Current
) -> NDArray[np.float64]:
    """Return `G sinh(a V) / a + n2 V**2 + n3 V**3` in amperes; arguments broadcast.

    Raises:
        MccError: `read-voltage`, for a voltage that is no number or above the limit of the law.
    """
    volts = np.asarray(volts, np.float64)
    highest = float(np.abs(volts).max(initial=0))
    if not np.isfinite(highest) or (law.limit_volt and highest > law.limit_volt):
        text = f"the current of a cell at {highest:g} V is not known"
        help = f"the law of the device holds up to {law.limit_volt:g} V"
        raise error("read-voltage", text, help)
    slope = law.sinh_per_volt
    first = conductances * (np.sinh(slope * volts) / slope if slope else volts)
    square, cube = polynomials(conductances, law)
    return first + square * volts**2 + cube * volts**3


def effective_siemens(
    conductances: NDArray[np.float64], read_volt: float, law: Current
) -> NDArray[np.float64]:
    """Return `I(V) / V` at the read voltage: what a cell is to drives of 0 and `read_volt`.

    Raises:
        MccError: `read-voltage`, for a voltage that is not above 0 or that the law does not reach.
    """
    if is_linear(law):
        return conductances
    if not read_volt > 0:
        text = f"a read voltage of {read_volt:g} V drives no current"
        raise error("read-voltage", text, "give a voltage above 0")
    return currents(conductances, read_volt, law) / read_volt
