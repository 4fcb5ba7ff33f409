"""The circuit of a crossbar whose wires have resistance.

Row `i` is a word line: a source of `volts[i]` behind `driver_ohm[i]`, then one segment of
`word_ohm` before each cell. Column `j` is a bit line: one segment of `bit_ohm` after each cell,
then `sense_ohm[j]` into a virtual ground. Row 0 is farthest from the virtual grounds, column 0
nearest to the sources. A cell joins the node of its row to the node of its column.

    volts[i] --driver-- word -- o -- word -- o ...       (row nodes)
                                |cell        |cell
                                o            o           (column nodes)
                               bit          bit
                                |            |
                             next row ... sense -- 0 V
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from mcc.ir.diagnostics import MccError, error

Floats = NDArray[np.float64]


@final
@dataclass(frozen=True)
class Wires:
    """The resistances around the cells of a crossbar, in ohm; 0 is a wire without resistance."""

    word_ohm: float
    """One segment of a word line."""
    bit_ohm: float
    """One segment of a bit line."""
    driver_ohm: float | Floats = 0.0
    """Between source and word line: one number, or one for each row; infinite floats the row."""
    sense_ohm: float | Floats = 0.0
    """Between bit line and virtual ground: one number, or one for each column."""

    def scaled(self, factor: float) -> Wires:
        """Return wires, drivers and senses of so many times the resistance."""
        return Wires(
            factor * self.word_ohm,
            factor * self.bit_ohm,
            factor * self.driver_ohm,
            factor * self.sense_ohm,
        )


@final
@dataclass(frozen=True)
class Ends:
    """The resistances of drivers (arrays, rows) and senses (arrays, cols) of a stack of arrays."""

    driver_ohm: Floats
    sense_ohm: Floats


def invalid(message: str, help: str) -> MccError:
    """Return the exception for a circuit that cannot be solved as asked."""
    return error("wires-invalid", message, help)


def checked_cells(conductances: Floats, axes: int) -> Floats:
    """Return conductances as float64 after checking them.

    Raises:
        MccError: `wires-invalid`: another number of axes, no cells, or a conductance that is
            negative or not finite.
    """
    cells = np.ascontiguousarray(conductances, np.float64)
    if cells.ndim != axes or 0 in cells.shape:
        layout = "(rows, cols)" if axes == 2 else "(arrays, rows, cols)"
        shape = cells.shape
        raise invalid(f"conductances of shape {shape} are no array", f"give {layout}, none zero")
    if not np.isfinite(cells).all() or (cells < 0).any():
        wrong = cells[~(np.isfinite(cells) & (cells >= 0))][0]
        help = "conductances are finite and at least 0 S; 0 is a cell that is not there"
        raise invalid(f"a cell has a conductance of {wrong} S", help)
    return cells


def checked_ends(wires: Wires, shape: tuple[int, ...]) -> Ends:
    """Return the resistances at the ends of all wires of a stack (arrays, rows, cols).

    Raises:
        MccError: `wires-invalid`: a resistance is negative or not a number, infinite where the
            current must flow, or of another shape.
    """
    arrays, rows, cols = shape
    for name, value in (("word_ohm", wires.word_ohm), ("bit_ohm", wires.bit_ohm)):
        if not (np.isfinite(value) and value >= 0):
            raise invalid(f"`{name}` is {value}", "a segment has 0 ohm or more, and not infinite")
    return Ends(
        _end("driver_ohm", wires.driver_ohm, (arrays, rows), open_ends=True),
        _end("sense_ohm", wires.sense_ohm, (arrays, cols), open_ends=False),
    )


def _end(name: str, value: float | Floats, shape: tuple[int, int], open_ends: bool) -> Floats:
    try:
        ohms = np.array(np.broadcast_to(np.asarray(value, np.float64), shape))
    except ValueError:
        help = f"give one number, or {shape[1]}, one for each wire"
        raise invalid(f"`{name}` has the shape {np.shape(value)}", help) from None
    if np.isnan(ohms).any() or (ohms < 0).any():
        raise invalid(f"`{name}` holds a resistance below 0 or not a number", "give 0 or more ohm")
    if not open_ends and np.isinf(ohms).any():
        help = "a bit line must reach its virtual ground; leave the column out instead"
        raise invalid(f"`{name}` holds an infinite resistance", help)
    return ohms


def driven(cells: Floats, ends: Ends) -> Ends:
    """Return the ends with a driver at floating rows without cells, where it changes nothing.

    Such rows have no voltage of their own, and no current either.
    """
    idle = np.isinf(ends.driver_ohm) & ~cells.any(axis=-1)
    return Ends(np.where(idle, 1.0, ends.driver_ohm), ends.sense_ohm)
