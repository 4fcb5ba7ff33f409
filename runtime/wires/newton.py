"""Crossbars whose cells are not resistors: Newton's method on the solvers of linear cells."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import numpy as np

from mcc.ir.diagnostics import error
from mcc.runtime.wires.cells import Branches
from mcc.runtime.wires.circuit import Floats, Wires
from mcc.runtime.wires.nodes import Network, Nodes

STEPS = 60
"""Most linearisations; usual arrays take four."""

Linearised = Callable[[Floats, Floats, float], Nodes]
"""Solves the wires for branches of `slope * volts + current`, all (rows, cols), so that the
unbalanced currents of no column add up to more than the last argument."""


@final
@dataclass(frozen=True)
class Solution:
    """Voltages and currents of one array."""

    nodes: Nodes
    currents: Floats
    """Through each cell (rows, cols), in ampere."""

    @property
    def sensed(self) -> Floats:
        """Currents into the virtual grounds (cols,)."""
        return self.currents.sum(axis=-2)


def solve_cells(
    branches: Branches, wires: Wires, volts: Floats, tolerance: float = 1e-9, threads: int = 1
) -> Solution:
    """Return all voltages and currents of an array of any cells, inputs on the word lines.

    Args:
        branches: Cells and their switches.
        wires: Resistances; one number or one for each column for the virtual grounds.
        volts: Sources of the rows (rows,), in volt.
        tolerance: What the unbalanced currents of a column may add up to, as a fraction of the
            largest current that a column would carry without wires.
        threads: Threads to compute with.

    Raises:
        MccError: `wires-invalid`, or `wires-unsolved` where Newton's method does not converge.
    """
    rows = len(np.asarray(volts))
    cols = branches.at(np.zeros((rows, 1)), np.zeros((rows, 1)))[0].shape[1]
    network = Network(wires, rows, cols, threads)
    sources = np.broadcast_to(network.sources(volts)[:, None], (rows, cols))

    def linearised(slopes: Floats, currents: Floats, amperes: float) -> Nodes:
        pushed = slopes * sources + currents
        found = network.response(slopes, -pushed, pushed, amperes)
        return Nodes(found.rows + sources, found.cols)

    return converged(branches, linearised, Nodes(sources, np.zeros((rows, cols))), tolerance)


def converged(
    branches: Branches, linearised: Linearised, start: Nodes, tolerance: float
) -> Solution:
    """Return the voltages at which branches carry what the wires bring them.

    Args:
        branches: Cells and their switches.
        linearised: The wires.
        start: Voltages of wires without resistance.
        tolerance: As in `solve_cells`.

    Raises:
        MccError: `wires-unsolved`.
    """
    nodes = start
    currents, slopes = branches.at(nodes.rows, nodes.cols)
    amperes = tolerance * float(np.abs(currents).sum(axis=-2).max())
    brought, missing = currents, np.inf  # no state of the wires is known before the first step
    for _ in range(STEPS):
        slopes = np.maximum(slopes, 0)
        found = linearised(slopes, currents - slopes * nodes.across, 0.1 * amperes)
        carried = currents + slopes * (found.across - nodes.across)
        part = 1.0
        while True:
            trial = _between(nodes, found, part)
            tried = brought + part * (carried - brought)
            there, slopes_there = branches.at(trial.rows, trial.cols)
            now = float(np.abs(there - tried).sum(axis=-2).max())
            if now < missing:
                break
            part *= 0.5
            if part < 1e-6:
                raise _unsolved(missing, amperes)
        nodes, brought, currents, slopes, missing = trial, tried, there, slopes_there, now
        if missing <= 0.9 * amperes:
            return Solution(nodes, currents)
    raise _unsolved(missing, amperes)


def _between(one: Nodes, two: Nodes, part: float) -> Nodes:
    return Nodes(one.rows + part * (two.rows - one.rows), one.cols + part * (two.cols - one.cols))


def _unsolved(missing: float, amperes: float) -> Exception:
    message = f"{missing:.3g} A stay unbalanced where {amperes:.3g} A are asked for"
    help = "lower the voltages or the tolerance; currents of cells must rise with their voltage"
    return error("wires-unsolved", message, help)
