"""The conductances that states stand for."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mcc.ir.hardware import Cell
from mcc.ir.hardware.significance import largest_digit


def unit_siemens(cell: Cell) -> float:
    """Return the conductance between neighbouring states: one digit."""
    return (cell.g_max_siemens - cell.g_min_siemens) / largest_digit(cell)


def target_siemens(states: NDArray[np.uint8], cell: Cell) -> NDArray[np.float64]:
    """Return the conductance that each state stands for."""
    return cell.g_min_siemens + states.astype(np.float64) * unit_siemens(cell)
