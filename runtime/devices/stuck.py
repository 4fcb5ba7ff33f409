"""Cells that stay at one conductance whatever is written, drawn or as a measured map."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any, cast, final

import numpy as np
from numpy.typing import NDArray

from mcc.ir.diagnostics import error
from mcc.ir.hardware import Cell, Target
from mcc.ir.hardware.derived import cores
from mcc.runtime.random import MacroPlace, Purpose, uniform_numbers

_PLACES = "give a map for each place, a core and a macro: `{(0, 1): array}`"


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
    help = f"give uint8 of shape {shape}: 0 free, 1 stuck low, 2 stuck high"
    try:
        table = np.asarray(table)
    except ValueError:
        raise error("stuck-map", "a map of stuck cells is no array", help) from None
    if table.dtype != np.uint8 or table.shape != shape:
        text = f"a map of stuck cells is {table.dtype} of shape {table.shape}"
        raise error("stuck-map", text, help)
    if table.size and table.max() > Stuck.HIGH:
        raise error("stuck-map", f"a map of stuck cells has an entry {table.max()}", help)
    return table.copy()


def checked_maps(maps: object, target: Target) -> dict[tuple[int, int], NDArray[np.uint8]]:
    """Return measured maps by core and macro; none for None.

    Raises:
        MccError: `stuck-map`, if this is no mapping of maps by (core, macro), a map does not fit,
            or the chip has no such macro.
    """
    if maps is None:
        return {}
    if not isinstance(maps, Mapping):
        text = f"maps of stuck cells are given as {type(maps).__name__}, not as a mapping"
        raise error("stuck-map", text, _PLACES)
    macro, found = target.macro, dict[tuple[int, int], NDArray[np.uint8]]()
    for key, table in cast(Mapping[Any, Any], maps).items():
        place = _place(key)
        if not (0 <= place[0] < cores(target) and 0 <= place[1] < target.core.macros):
            text = f"a map of stuck cells is for core {place[0]}, macro {place[1]}"
            help = f"the chip has {cores(target)} cores of {target.core.macros} macros, from 0"
            raise error("stuck-map", text, help)
        found[place] = checked_map(table, (macro.rows, macro.cols))
    return found


def check_used(maps: Iterable[tuple[int, int]], programmed: Collection[tuple[int, int]]) -> None:
    """Refuse maps of macros into which nothing is programmed: nothing would change.

    Raises:
        MccError: `stuck-map`.
    """
    for core, macro in maps:
        if (core, macro) not in programmed:
            text = f"a map of stuck cells is for core {core}, macro {macro}: nothing is there"
            help = f"leave it out; {len(programmed)} macros are programmed"
            raise error("stuck-map", text, f"{help}, the first is {min(programmed, default=None)}")


def _place(key: object) -> tuple[int, int]:
    parts = cast(tuple[object, ...], key) if isinstance(key, tuple) else ()
    whole = [int(cast(int, part)) for part in parts if isinstance(part, int | np.integer)]
    if len(parts) != 2 or len(whole) != 2:
        raise error("stuck-map", f"a map of stuck cells is for {key!r}, which is no place", _PLACES)
    return whole[0], whole[1]


def hold(conductances: NDArray[np.float64], stuck: NDArray[np.uint8], cell: Cell) -> None:
    """Set the stuck cells of an array (rows, cols) to their conductance, in place."""
    if stuck.any():
        conductances[stuck == Stuck.LOW] = cell.g_min_siemens
        conductances[stuck == Stuck.HIGH] = cell.g_max_siemens
