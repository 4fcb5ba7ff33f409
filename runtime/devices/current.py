"""The current of a cell at a voltage, for cells that are no plain resistors."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcc.ir.diagnostics import error
from mcc.ir.hardware import Current

Terms = list[NDArray[np.float64]]
"""One factor of each term of the law."""


def polynomials(
    conductances: NDArray[np.float64], law: Current
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return `n2` (A/V2) and `n3` (A/V3) of every cell; the form is that of CrossSim's Milo model.

    Outside of the conductances of the fit they are in proportion to the conductance.
    """
    fitted = np.clip(conductances, law.low_siemens, law.high_siemens)
    decades, share = np.log10(fitted), conductances / fitted
    square, cube = _factors(law)
    polyval = np.polynomial.polynomial.polyval
    return polyval(decades, square) * share, polyval(decades, cube) * share


def is_linear(law: Current) -> bool:
    """Whether every current is `G V`."""
    square, cube = _factors(law)
    return not any((law.sinh_per_volt, *square, *cube))


def is_odd(law: Current) -> bool:
    """Whether currents only change their sign with the voltage."""
    return not any(_factors(law)[0])


def check_volts(volts: NDArray[np.float64] | float, law: Current) -> None:
    """Refuse voltages that the law does not reach.

    Raises:
        MccError: `read-voltage`, for a voltage that is no number or above the limit of the law.
    """
    highest = float(np.abs(volts).max(initial=0))
    if not np.isfinite(highest) or (law.limit_volt and highest > law.limit_volt):
        text = f"the current of a cell at {highest:g} V is not known"
        help = f"the law of the device holds up to {law.limit_volt:g} V; lower `wires.read_volt`"
        raise error("read-voltage", text, help)


def currents(
    conductances: NDArray[np.float64], volts: NDArray[np.float64] | float, law: Current
) -> NDArray[np.float64]:
    """Return `G sinh(a V) / a + n2 V**2 + n3 V**3` in amperes; arguments broadcast.

    Raises:
        MccError: `read-voltage`, for a voltage that is no number or above the limit of the law.
    """
    return summed(of_siemens(conductances, law), of_volts(volts, law))


def slopes_by_volt(
    conductances: NDArray[np.float64], volts: NDArray[np.float64] | float, law: Current
) -> NDArray[np.float64]:
    """Return the derivatives of `currents` by the voltage, in siemens."""
    return summed(of_siemens(conductances, law), slopes_of_volts(volts, law))


def slopes_by_siemens(
    conductances: NDArray[np.float64], volts: NDArray[np.float64] | float, law: Current
) -> NDArray[np.float64]:
    """Return the derivatives of `currents` by the conductance, in volts."""
    return summed(slopes_of_siemens(conductances, law), of_volts(volts, law))


def of_siemens(conductances: NDArray[np.float64], law: Current) -> Terms:
    """Return what each term of the law has of the conductance: `G`, and `n2` and `n3` if any.

    A current is the sum, over the terms, of this times `of_volts`.
    """
    return _used((conductances, *polynomials(conductances, law)), law)


def slopes_of_siemens(conductances: NDArray[np.float64], law: Current) -> Terms:
    """Return the derivatives of `of_siemens` by the conductance."""
    fitted = np.clip(conductances, law.low_siemens, law.high_siemens)
    inside = (conductances > law.low_siemens) & (conductances < law.high_siemens)
    by_decade = np.log(10) * fitted
    square, cube = (
        np.where(inside, _polyslope(np.log10(fitted), factors) / by_decade, found / fitted)
        for factors, found in zip(_factors(law), polynomials(fitted, law), strict=True)
    )
    return _used((np.ones_like(conductances), square, cube), law)


def of_volts(volts: NDArray[np.float64] | float, law: Current) -> Terms:
    """Return what each term of the law has of the voltage: `sinh(a V) / a`, `V**2`, `V**3`.

    Raises:
        MccError: `read-voltage`, for a voltage that is no number or above the limit of the law.
    """
    check_volts(volts, law)
    volts, slope = np.asarray(volts, np.float64), law.sinh_per_volt
    first = np.sinh(slope * volts) / slope if slope else volts
    return _used((first, volts * volts, volts * volts * volts), law)


def slopes_of_volts(volts: NDArray[np.float64] | float, law: Current) -> Terms:
    """Return the derivatives of `of_volts` by the voltage."""
    volts = np.asarray(volts, np.float64)
    return _used((np.cosh(law.sinh_per_volt * volts), 2 * volts, 3 * volts**2), law)


def _used(terms: tuple[Any, Any, Any], law: Current) -> Terms:
    """Return the terms that the law has."""
    found = (True, *(any(factors) for factors in _factors(law)))
    return [np.asarray(term) for term, used in zip(terms, found, strict=True) if used]


def summed(cells: Terms, drives: Terms) -> NDArray[np.float64]:
    """Return the currents of cells by what each term has of the conductance and of the voltage."""
    return np.asarray(sum(cell * drive for cell, drive in zip(cells, drives, strict=True)))


def _factors(law: Current) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return the factors of `n2` and of `n3`, the constant first."""
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
    return square, cube


def _polyslope(x: NDArray[np.float64], factors: tuple[float, ...]) -> NDArray[np.float64]:
    slopes = [power * factor for power, factor in enumerate(factors)][1:]
    return np.asarray(np.polynomial.polynomial.polyval(x, slopes), np.float64)


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
