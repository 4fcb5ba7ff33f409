"""Cells that stay at one conductance whatever is written, drawn or as a measured map."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from mcc.ir.diagnostics import error
from mcc.ir.hardware import Cell, Target
from mcc.ir.hardware.derived import cores
from mcc.runtime.random import MacroPlace, Purpose, uniform_numbers


@final
class Stuck:
    """The entries of a map of stuck cells (rows, cols), uint8."""

    FREE = 0
    LOW = 1
    """The cell stays at `g_min_siemens`."""
    HIGH = 2
    """The cell stays at `g_max_siemens`."""


def drawn_map(shape: tuple[int, int], cell: Cell, place: MacroPlace) -> NDArray[np.uint8]:
    """Return a map of the fractions of cells that the device has stuck."""
    found = np.full(shape, Stuck.FREE, np.uint8)
    low, high = cell.stuck_low_fraction, cell.stuck_high_fraction
    if low > 0 or high > 0:
        luck = uniform_numbers(place, Purpose.STUCK, shape)
        found[luck < low] = Stuck.LOW
        found[luck >= 1 - high] = Stuck.HIGH
    return found


def checked_map(table: NDArray[Any], shape: tuple[int, int]) -> NDArray[np.uint8]:
    """Return a measured map.

    Raises:
        MccError: `stuck-map`, for another shape, another type, or an entry above 2.
    """
    table = np.asarray(table)
    help = f"give uint8 of shape {shape}: 0 free, 1 stuck low, 2 stuck high"
    if table.dtype != np.uint8 or table.shape != shape:
        text = f"a map of stuck cells is {table.dtype} of shape {table.shape}"
        raise error("stuck-map", text, help)
    if table.size and table.max() > Stuck.HIGH:
        raise error("stuck-map", f"a map of stuck cells has an entry {table.max()}", help)
    return table.copy()


def checked_maps(
    maps: Mapping[tuple[int, int], NDArray[Any]], target: Target
) -> dict[tuple[int, int], NDArray[np.uint8]]:
    """Return measured maps by core and macro.

    Raises:
        MccError: `stuck-map`, if a map does not fit or the chip has no such macro.
    """
    macro, found = target.macro, dict[tuple[int, int], NDArray[np.uint8]]()
    for place, table in maps.items():
        if not (0 <= place[0] < cores(target) and 0 <= place[1] < target.core.macros):
            text = f"a map of stuck cells is for core {place[0]}, macro {place[1]}"
            help = f"the chip has {cores(target)} cores of {target.core.macros} macros, from 0"
            raise error("stuck-map", text, help)
        found[place] = checked_map(table, (macro.rows, macro.cols))
    return found


def hold(conductances: NDArray[np.float64], stuck: NDArray[np.uint8], cell: Cell) -> None:
    """Set the stuck cells of an array (rows, cols) to their conductance, in place."""
    if stuck.any():
        conductances[stuck == Stuck.LOW] = cell.g_min_siemens
        conductances[stuck == Stuck.HIGH] = cell.g_max_siemens
