"""How many writes cells survive: Weibull's distribution of lives."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mcc.ir.hardware import Cell
from mcc.runtime.random import MacroPlace, Purpose, uniform_numbers


def failed_cells(
    shape: tuple[int, int], writes: int, cell: Cell, place: MacroPlace
) -> NDArray[np.bool_]:
    """Return which cells (rows, cols) have failed after a number of writes.

    Their fraction is `1 - exp(-(writes / endurance_cycles)**endurance_shape)` (Weibull 1951). Every
    cell has one life, so that a failed cell stays failed; with shape 0 none fails.
    """
    shape_factor = cell.endurance_shape
    if shape_factor == 0 or writes == 0:
        return np.zeros(shape, np.bool_)
    spent = (writes / cell.endurance_cycles) ** shape_factor
    luck = uniform_numbers(place, Purpose.ENDURANCE, shape)
    return luck < -np.expm1(-spent)
