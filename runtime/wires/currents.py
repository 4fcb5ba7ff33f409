"""The analog sums of a tile between source lines and bit lines: each input is its own circuit.

Which cells an input opens decides what the lines carry, so there is no matrix; each phase of each
input is solved, exactly and slowly. The drivers of the gates open or close: they have no levels
that could be wrong.
"""

from __future__ import annotations

from typing import final

import numpy as np
from numpy.typing import NDArray

from mcc.ir.hardware import Solver, Target
from mcc.ir.hardware.encoding import paired
from mcc.ir.program.tables import Tile
from mcc.runtime.devices import Read, unit_siemens
from mcc.runtime.drives import Driven
from mcc.runtime.wires.cells import branches_of
from mcc.runtime.wires.circuit import Floats
from mcc.runtime.wires.effective import driven_groups
from mcc.runtime.wires.gated import SourceWires, gated_currents, gated_nodes, solve_gated
from mcc.runtime.wires.trimmed import Trimmed, read_alone

CHUNK = 2**20
"""Cells whose circuits are solved together, over inputs."""


@final
class GatedCurrents:
    """The currents of one tile in the cells of a programmed macro with source lines."""

    def __init__(self, tile: Tile, target: Target, cells: Read) -> None:
        """Take the cells (rows, physical columns) of the tile."""
        self._tile, self._target = tile, target
        self._siemens = cells.siemens
        self._seen, slopes = read_alone(cells.siemens, target, switches=True)
        self._deviations = None if cells.sigma is None else cells.sigma * slopes
        self._trimmed, self._paired = Trimmed(target), paired(target.macro)
        self.sums = cells.shape[1] // (2 if self._paired else 1)
        self.noisy = cells.sigma is not None

    def of(self, driven: Driven) -> tuple[Floats, Floats]:
        """Return the sums (inputs, sums) in digits, and their variances from read to read."""
        shape = (len(driven.codes), self.sums)
        sums, variances = np.zeros(shape), np.zeros(shape)
        for phase in driven.step.phases:
            charge = driven.step.charge(phase)
            found, spread = self._phase(phase.drive(driven.codes).astype(np.bool_), driven)
            sums += charge * found
            variances += charge**2 * spread
        return sums, variances

    def shares(self) -> Floats:
        """Return what cells (rows, cols) are while all rows of their group are open, in siemens.

        So much of the current of its column is that of a cell, for a volt at the source lines.
        """
        found: list[Floats] = []
        for group, (first, end) in enumerate(driven_groups(self._tile, self._target)):
            cells = self._seen[first - self._tile.row : end - self._tile.row]
            nodes = gated_nodes(cells, np.zeros_like(cells), self._lines(group), 1.0)
            found.append(cells * nodes.across)
        return np.concatenate(found)

    def columns(self, driven: Driven) -> Floats:
        """Return the currents of the columns for a volt at the source lines (inputs, cols)."""
        found = np.zeros((len(driven.codes), self._seen.shape[1]))
        for phase in driven.step.phases:
            opened = phase.drive(driven.codes).astype(np.bool_)
            part, _ = self._together(opened, driven)
            found += driven.step.charge(phase) * part
        return found

    def _phase(self, opened: NDArray[np.bool_], driven: Driven) -> tuple[Floats, Floats]:
        """Return sums and variances for the rows (inputs, rows) that are open."""
        found, spread = self._together(opened, driven)
        unit = unit_siemens(self._target.cell)
        if self._paired:
            digits = self._trimmed.changes(found[:, 0::2] - found[:, 1::2])
            spread = spread[:, 0::2] + spread[:, 1::2]
        else:
            reference = opened.sum(axis=1, keepdims=True) * self._trimmed.lowest
            digits = self._trimmed.changes(found - reference)
        return digits / unit, spread * (self._trimmed.factor / unit) ** 2

    def _together(self, opened: NDArray[np.bool_], driven: Driven) -> tuple[Floats, Floats]:
        """Return the conductances of columns (inputs, cols) and the variances of their reads."""
        lines, rows = self._lines(driven.group), driven.rows
        step = max(1, CHUNK // self._seen[rows].size)
        starts = range(0, max(len(opened), 1), step)
        parts = [self._solved(opened[at : at + step], rows, lines) for at in starts]
        found, spread = (np.concatenate(part) for part in zip(*parts, strict=True))
        return found, spread

    def _lines(self, group: int) -> SourceWires:
        """Return the lines of a row group; what lies beyond it is in series with its ends."""
        first, end = driven_groups(self._tile, self._target)[group]
        wires, below = self._target.wires, self._target.macro.rows - end
        return SourceWires(
            wires.source_ohm,
            wires.bit_ohm,
            wires.driver_ohm + first * wires.source_ohm,
            wires.sense_ohm + below * wires.bit_ohm,
        )

    def _solved(
        self, opened: NDArray[np.bool_], rows: slice, lines: SourceWires
    ) -> tuple[Floats, Floats]:
        """Return the conductances of columns (inputs, cols) and the variances of their reads.

        A column is one resistor, which a cell moves by its own change times the square of the
        share of the voltage that it sees.
        """
        cells = self._seen[rows] * opened[:, :, None]
        if self._target.wires.solver is Solver.NEWTON:
            found = np.stack([self._by_newton(it, rows, lines) for it in opened])
        else:
            found = gated_currents(cells, lines, 1.0)
        if self._deviations is None:
            return found, np.zeros_like(found)
        volts = gated_nodes(cells, np.zeros_like(cells), lines, 1.0).across
        moved = self._deviations[rows] * opened[:, :, None] * np.square(volts)
        return found, np.square(moved).sum(axis=1)

    def _by_newton(self, opened: NDArray[np.bool_], rows: slice, lines: SourceWires) -> Floats:
        """Return the conductances of columns (cols,) for one input (rows,)."""
        volt, siemens = self._target.wires.read_volt, self._siemens[rows]
        wide = np.broadcast_to(opened[:, None], siemens.shape)
        return solve_gated(branches_of(siemens, self._target), wide, lines, volt).sensed / volt
