"""Crossbars in which the word lines, the bit lines or both have no resistance along them.

A wire without resistance is one node; it is treated as such, not as a wire of little resistance.
"""

from __future__ import annotations

import numpy as np

from mcc.runtime.wires.circuit import Ends, Floats, Wires


def ideal_transfer(cells: Floats, wires: Wires, ends: Ends) -> Floats:
    """Return the effective conductances (arrays, rows, cols) where a segment has 0 ohm."""
    found = np.empty_like(cells)
    for index, (driver, sense) in enumerate(zip(ends.driver_ohm, ends.sense_ohm, strict=True)):
        array = cells[index]
        if wires.word_ohm == 0:
            found[index] = _ideal_rows(array, wires.bit_ohm, driver, sense)
        else:
            # By reciprocity: seen from the virtual grounds, columns are the rows.
            turned = _ideal_rows(array[:, ::-1].T, wires.word_ohm, sense[::-1], driver)
            found[index] = turned[::-1].T
    return found


def _ideal_rows(cells: Floats, bit_ohm: float, driver: Floats, sense: Floats) -> Floats:
    """Return the transfer (rows, cols) of one array whose rows are nodes.

    With all rows held, the current of a column follows from its ladder alone. What a row then
    draws meets its driver: `volts + driver * drawn(volts) = source`; a floating row draws nothing.
    """
    ladders = [_ladder(column, bit_ohm, ohm) for column, ohm in zip(cells.T, sense, strict=True)]
    held = np.stack([grounded for grounded, _ in ladders], axis=1)
    if not driver.any():
        return held
    between = np.stack([between for _, between in ladders]).sum(axis=0)
    driven = np.isfinite(driver)
    weight = np.where(driven, driver, 1.0)
    system = -between * weight[:, None]
    np.fill_diagonal(system, (held.sum(axis=1) + between.sum(axis=1)) * weight + driven)
    system = np.asarray(system.T, np.float64)
    return np.where(driven[:, None], np.linalg.solve(system, held), 0.0)


def _ladder(column: Floats, bit_ohm: float, sense: float) -> tuple[Floats, Floats]:
    """Return what one bit line makes of its cells (rows,) and rows that are held.

    Returns:
        The conductance from each row to the virtual ground (rows,), and those between the rows by
        way of the bit line (rows, rows), zero on the diagonal.
    """
    rows = len(column)
    if bit_ohm == 0:
        share = column / (1 + sense * column.sum())
        between = sense * column[:, None] * share
        grounded = share
    else:
        segments = np.full(rows - 1, 1 / bit_ohm)
        ground = 1 / (bit_ohm + sense)
        laplacian = -np.diag(segments, 1) - np.diag(segments, -1)
        np.fill_diagonal(laplacian, column + np.r_[0.0, segments] + np.r_[segments, ground])
        inverse = np.linalg.inv(laplacian)
        between = column[:, None] * inverse * column
        grounded = column * inverse[:, -1] * ground
    np.fill_diagonal(between, 0)
    return grounded, between
