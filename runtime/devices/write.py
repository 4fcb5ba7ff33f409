"""How far a written conductance is from its target, afresh at every write (cycle to cycle)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mcc.ir.hardware import Cell
from mcc.runtime import _kernels
from mcc.runtime.random import MacroPlace, Purpose


def write_sigma(targets: NDArray[np.float64], cell: Cell) -> NDArray[np.float64]:
    """Return the standard deviation of written conductances, in siemens, for targets of any shape.

    `write_error G + sum(factor_k (G / reference)**k)`, not below 0. With `write_error` 0 this is
    the form of Wan et al. 2022, Joshi et al. 2020 and Le Gallo et al. 2023 (HERMES); with only
    `constant` and `linear`, that of Milo et al. 2021 and of the CMO/HfOx cells.
    """
    law = cell.write
    factors = (
        law.constant_siemens,
        law.linear_siemens,
        law.quadratic_siemens,
        law.cubic_siemens,
        law.quartic_siemens,
    )
    relative = cell.write_error * targets
    if not any(factors):
        return relative
    polynomial = np.polynomial.polynomial.polyval(targets / law.reference_siemens, factors)
    return np.maximum(relative + polynomial, 0)


def written(
    states: NDArray[np.uint8],
    targets: NDArray[np.float64],
    sigma: NDArray[np.float64],
    place: MacroPlace,
    image: int,
    earlier: int,
    threads: int,
) -> NDArray[np.float64]:
    """Return the conductances of a macro after a write (rows, cols), in siemens, not below 0.

    Args:
        states: Target state of every cell (rows, cols).
        targets: Conductance that each state stands for (states,).
        sigma: Standard deviation of a write of each state (states,).
        place: Which macro of which chip.
        image: Index of the image that is written.
        earlier: How often this macro was written before.
        threads: Threads to draw with.
    """
    return _kernels.written_cells(
        np.ascontiguousarray(states),
        targets,
        sigma,
        seed=place.seed,
        place=place.word(Purpose.WRITE),
        event=earlier,
        sample=image,
        threads=threads,
    )
