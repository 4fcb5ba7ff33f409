"""Cells of one law at a time, for the tests beside."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcc.backends.crossbar import targets
from mcc.ir.hardware import Cell
from mcc.runtime.random import MacroPlace

PLACE = MacroPlace(seed=7, core=1, macro=2)
SIDE = 256
STATES: NDArray[np.uint8] = np.random.default_rng(0).integers(0, 4, (SIDE, SIDE)).astype(np.uint8)


def cell_of(changes: dict[str, Any] | None = None, device: str = "ideal") -> Cell:
    """Return a two-bit cell of a device card, with other values at some paths below `cell`."""
    target = targets.load("isaac", device=device)
    wanted = {"bits": 2, "endurance_cycles": 1000, **(changes or {})}
    return target.with_values({f"cell.{path}": value for path, value in wanted.items()}).cell


def uniform(state: int) -> NDArray[np.uint8]:
    """Return a macro of cells of the same state."""
    return np.full((SIDE, SIDE), state, np.uint8)
