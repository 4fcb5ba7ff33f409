"""The voltage of every node of a crossbar with resistive wires, for one vector of sources."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

from mcc.ir.diagnostics import error
from mcc.runtime import _kernels
from mcc.runtime.wires.circuit import (
    Floats,
    Wires,
    checked_cells,
    checked_ends,
    driven,
    invalid,
)

ITERATIONS = 2000
"""Most iterations of the conjugate gradients; usual arrays take ten."""


@final
@dataclass(frozen=True)
class Nodes:
    """Voltages of the nodes of one array, in volt."""

    rows: Floats
    """Where the word line meets each cell (rows, cols)."""
    cols: Floats
    """Where the bit line meets each cell (rows, cols)."""

    @property
    def across(self) -> Floats:
        """Voltage across each cell with its switch (rows, cols)."""
        return self.rows - self.cols


@final
class Network:
    """The wires of one array (rows, cols), ready to be solved for cells and currents."""

    def __init__(self, wires: Wires, rows: int, cols: int, threads: int = 1) -> None:
        """Take the wires.

        Raises:
            MccError: `wires-invalid`.
        """
        self.wires, self.threads = wires, threads
        self.ends = checked_ends(wires, (1, rows, cols))
        self.floating = np.isinf(self.ends.driver_ohm[0])
        with np.errstate(divide="ignore"):
            self.word, self.bit = _inverse(wires.word_ohm), _inverse(wires.bit_ohm)
            self.first_word = 1 / (wires.word_ohm + self.ends.driver_ohm[0])
            self.first_bit = 1 / (wires.bit_ohm + self.ends.sense_ohm[0])

    def sources(self, volts: Floats) -> Floats:
        """Return the voltages of the sources (rows,), 0 where a row floats.

        Raises:
            MccError: `wires-invalid`: of another shape, or not finite.
        """
        given = np.asarray(volts, np.float64)
        if given.shape != self.first_word.shape or not np.isfinite(given).all():
            help = f"give one finite voltage for each of the {len(self.first_word)} rows"
            raise invalid(f"sources of shape {given.shape} do not drive the rows", help)
        return np.where(self.floating, 0.0, given)

    def response(
        self, cells: Floats, into_rows: Floats, into_cols: Floats, amperes: float
    ) -> Nodes:
        """Return the voltages that currents into the nodes cause while all sources are at 0 V.

        Args:
            cells: Conductances (rows, cols), in siemens.
            into_rows: Currents into the row nodes (rows, cols), in ampere.
            into_cols: Currents into the column nodes (rows, cols).
            amperes: What the unbalanced currents of a column may add up to.

        Raises:
            MccError: `wires-unsolved`.
        """
        driver = driven(cells[None], self.ends).driver_ohm[0]
        idle = self.floating & np.isfinite(driver)
        # The kernel counts rows from the virtual grounds.
        volts, iterations = _kernels.wire_voltages(
            np.ascontiguousarray(cells[::-1]),
            word=self.word,
            bit=self.bit,
            first_word=np.where(idle, 1.0, self.first_word)[::-1].copy(),
            first_bit=self.first_bit,
            into_rows=np.ascontiguousarray(into_rows[::-1]),
            into_cols=np.ascontiguousarray(into_cols[::-1]),
            tolerance=amperes,
            most_iterations=ITERATIONS,
            threads=self.threads,
        )
        volts = volts[:, ::-1]
        if iterations > ITERATIONS or not np.isfinite(volts).all():
            message = f"the voltages did not settle within {ITERATIONS} iterations"
            help = "ask for less accuracy, or compare the resistances of wires and cells"
            raise error("wires-unsolved", message, help)
        return Nodes(volts[0], volts[1])


def _inverse(ohm: float) -> float:
    return float(np.divide(1.0, ohm))


def solve_linear(
    conductances: Floats,
    wires: Wires,
    volts: Floats,
    tolerance: float = 1e-10,
    threads: int = 1,
) -> Nodes:
    """Return all node voltages of an array of linear cells.

    Args:
        conductances: Cells with their switches (rows, cols), in siemens; 0 is no cell.
        wires: Resistances.
        volts: Sources of the rows (rows,), in volt.
        tolerance: What the unbalanced currents of a column may add up to, as a fraction of the
            largest current that a column would carry without wires.
        threads: Threads to compute with; the result does not depend on it.

    Raises:
        MccError: `wires-invalid` or `wires-unsolved`.
    """
    cells = checked_cells(conductances, 2)
    network = Network(wires, cells.shape[0], cells.shape[1], threads)
    sources = network.sources(volts)[:, None]
    currents = cells * sources
    scale = np.abs(currents).sum(axis=0).max()
    # Solved for is the distance from the voltages without wires, in which the sources are at rest.
    found = network.response(cells, -currents, currents, tolerance * scale)
    return Nodes(found.rows + sources, found.cols)


def sensed(across: Floats, conductances: Floats) -> Floats:
    """Return the currents into the virtual grounds (cols,): those of the cells of each column."""
    return (across * conductances).sum(axis=0)
