"""What becomes of the states that are written into the cells of a macro."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mcc.ir.hardware import Cell
from mcc.ir.hardware.encoding import largest_digit
from mcc.runtime import _kernels
from mcc.runtime.random import MacroPlace, Purpose, uniform_numbers


def unit_siemens(cell: Cell) -> float:
    """Return the conductance between neighbouring states: one digit."""
    return (cell.g_max_siemens - cell.g_min_siemens) / largest_digit(cell)


def target_siemens(states: NDArray[np.uint8], cell: Cell) -> NDArray[np.float64]:
    """Return the conductance that each state stands for."""
    return cell.g_min_siemens + states.astype(np.float64) * unit_siemens(cell)


def written_siemens(
    states: NDArray[np.uint8],
    cell: Cell,
    place: MacroPlace,
    image: int = 0,
    earlier: int = 0,
    threads: int = 1,
) -> NDArray[np.float64]:
    """Return the conductances of a macro after writing, the same for the same arguments.

    A cell takes its target times `1 + write_error * normal`, never below zero; a stuck cell has
    its lowest or highest conductance in every image.

    Args:
        states: Target state of every cell of the macro (rows, cols).
        cell: The device.
        place: Which macro of which chip.
        image: Index of the image that is written.
        earlier: How often this macro was written before.
        threads: Threads to draw with.
    """
    targets = target_siemens(np.arange(largest_digit(cell) + 1, dtype=np.uint8), cell)
    conductances = _kernels.written_cells(
        np.ascontiguousarray(states),
        targets,
        cell.write_error * targets,
        seed=place.seed,
        place=place.word(Purpose.WRITE),
        event=earlier,
        sample=image,
        threads=threads,
    )
    if cell.stuck_low_fraction or cell.stuck_high_fraction:
        low, high = stuck_cells(states.shape, cell, place)
        conductances[low] = cell.g_min_siemens
        conductances[high] = cell.g_max_siemens
    return conductances


def stuck_cells(
    shape: tuple[int, ...], cell: Cell, place: MacroPlace
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return which cells of a macro are stuck low and which are stuck high."""
    low, high = cell.stuck_low_fraction, cell.stuck_high_fraction
    if low == high == 0:
        return np.zeros(shape, np.bool_), np.zeros(shape, np.bool_)
    luck = uniform_numbers(place, Purpose.STUCK, shape)
    return luck < low, luck >= 1 - high
