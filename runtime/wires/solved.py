"""The analog sums of a tile of any cells: the voltages of all nodes are found for every drive.

Pulses of one row group start together and end one after the other; between two ends the circuit is
the same, so that it is solved once for each width.

The noise of reads is that of first order, from the voltage that each cell sees: of what its own
current changes, as much arrives at the converter as its bit line leads there past the other cells.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import final

import numpy as np

from mcc.ir.hardware import IdleRows, InputCoding, Selector, Target
from mcc.ir.hardware.encoding import paired, tile_columns
from mcc.ir.program.tables import Tile
from mcc.runtime.devices import Read, unit_siemens
from mcc.runtime.devices.current import check_volts
from mcc.runtime.drives import Driven, DriveTable
from mcc.runtime.wires.cells import Branches, branches_of
from mcc.runtime.wires.circuit import Floats, Wires
from mcc.runtime.wires.effective import apart, driven_groups, interleaved
from mcc.runtime.wires.newton import Solution, solve_cells
from mcc.runtime.wires.trimmed import Trimmed, read_alone


@final
class SolvedCurrents:
    """The currents of one tile between the word and bit lines of a programmed macro."""

    def __init__(
        self, tile: Tile, target: Target, cells: Read, table: DriveTable, threads: int = 1
    ) -> None:
        """Take the cells of the macro.

        Args:
            tile: Which of them are sensed, and how they are driven.
            target: The chip.
            cells: All cells of the macro (rows, cols).
            table: The levels of its drivers.
            threads: Threads to compute with.

        Raises:
            MccError: `read-voltage`.
        """
        self._tile, self._target, self._threads = tile, target, threads
        self._table, self._cells = table, cells
        self._pulses = target.macro.input_coding is InputCoding.PULSE_WIDTH
        top = 1 if self._pulses else 2**target.macro.dac_bits - 1
        self._volt = target.wires.read_volt / top
        self._paired, self._interleaved = paired(target.macro), target.wires.interleaved
        self._trimmed = Trimmed(target)
        count = tile_columns(target.macro, target.cell, tile.weight_bits, tile.cols)
        self._columns = slice(tile.col, tile.col + count)
        self.sums = count // (2 if self._paired else 1)
        self.noisy = cells.sigma is not None
        self._arrived: dict[int, Floats] = {}
        self._branches: dict[int, Branches] = {}

    def of(self, driven: Driven) -> tuple[Floats, Floats]:
        """Return the sums (inputs, sums) in digits, and their variances from read to read."""
        sums, variances = np.zeros((2, len(driven.codes), self.sums))
        scale = self._trimmed.factor / (unit_siemens(self._target.cell) * self._volt)
        for charge, levels in self._levels(driven):
            for index, row_levels in enumerate(levels):
                found, spread = self._sums(row_levels, driven.group)
                sums[index] += charge * scale * found
                variances[index] += (charge * scale) ** 2 * spread
        return sums, variances

    def columns(self, driven: Driven) -> Floats:
        """Return the currents of the columns for a volt at a line driven with digit 1.

        The second column of an interleaved pair counts as if it were driven as the first is.
        """
        found = np.zeros((len(driven.codes), self._columns.stop - self._columns.start))
        for charge, levels in self._levels(driven):
            for index, row_levels in enumerate(levels):
                for width, volts in self._drives(row_levels):
                    sensed = self._sensed(self._solve(volts, driven.group).currents)
                    found[index] += charge * width * sensed / self._volt
        if self._interleaved:
            found[:, 1::2] *= -1
        return found

    def shares(self) -> Floats:
        """Return what cells (rows, cols) are while all rows of their group are at full drive.

        In siemens: so much of the current of its column is that of a cell, for a volt.
        """
        found: list[Floats] = []
        for group, (first, end) in enumerate(driven_groups(self._tile, self._target)):
            volt = self._target.wires.read_volt
            solution = self._solve(np.full(end - first, volt), group)
            start = self._circuit(group)[0].start
            cells = self._apart(solution.currents)[first - start : end - start, self._columns]
            found.append(cells / volt)
        shares = np.concatenate(found)
        if self._interleaved:
            shares[:, 1::2] *= -1
        return shares

    def _levels(self, driven: Driven) -> Iterator[tuple[float, Floats]]:
        """Yield what each phase counts, and the levels of its drivers (inputs, rows)."""
        for index, phase in enumerate(driven.step.phases):
            digits = phase.drive(driven.codes)
            levels = self._table.at(self._table.drives[0], digits, driven.rows)
            if driven.noise is not None:
                numbers = driven.noise.of(driven.group, driven.first_phase + index)
                slopes = self._table.at(self._table.slopes[0], digits, driven.rows)
                levels = levels + self._table.noise * numbers[:, : digits.shape[1]] * slopes
            yield driven.step.charge(phase), levels

    def _drives(self, levels: Floats) -> Iterator[tuple[float, Floats]]:
        """Yield for how long which voltages (rows of the group,) drive an input."""
        if not self._pulses:
            if levels.any():
                yield 1.0, self._volt * levels
            return
        widths, before = np.abs(levels), 0.0
        for width in np.unique(widths[widths > 0]):
            yield width - before, self._volt * np.sign(levels) * (widths >= width)
            before = float(width)

    def _sums(self, levels: Floats, group: int) -> tuple[Floats, Floats]:
        """Return sums and variances (sums,) of one input, in ampere and its square."""
        sums, moved = np.zeros(self.sums), np.zeros((1, 1))
        for width, volts in self._drives(levels):
            solution = self._solve(volts, group)
            sensed = self._sensed(solution.currents)
            if self._paired:
                sensed = sensed[0::2] + (1 if self._interleaved else -1) * sensed[1::2]
            else:
                sensed = sensed - self._reference(volts)
            sums += width * sensed
            if self.noisy:
                moved = moved + width * self._moved(solution, group)
        spread = np.zeros(self.sums)
        if moved.any():
            squares = np.square(self._apart(moved)).sum(axis=0)[self._columns]
            spread = squares[0::2] + squares[1::2] if self._paired else squares
        return sums, spread

    def _solve(self, volts: Floats, group: int) -> Solution:
        """Return what flows while the rows of a group see voltages (rows of the group,)."""
        rows, wires = self._circuit(group)
        sources = np.zeros(rows.stop - rows.start)
        first, end = driven_groups(self._tile, self._target)[group]
        sources[first - rows.start : end - rows.start] = volts
        if self._interleaved:
            sources = np.stack([sources, -sources], axis=1).ravel()
        if group not in self._branches:
            cells = self._joined(self._cells.siemens[rows])
            self._branches[group] = branches_of(cells, self._target)
        solution = solve_cells(self._branches[group], wires, sources, threads=self._threads)
        check_volts(solution.nodes.across, self._target.cell.current)
        return solution

    def _circuit(self, group: int) -> tuple[slice, Wires]:
        """Return the rows that take part while a group is driven, and the lines around them.

        Beyond open switches only the segments of bit lines remain.
        """
        wires, rows = self._target.wires, self._target.macro.rows
        first, end = driven_groups(self._tile, self._target)[group]
        part = slice(first, end) if wires.selector is Selector.SWITCH else slice(0, rows)
        per_row = 2 if wires.interleaved else 1
        driver = np.full(part.stop - part.start, wires.driver_ohm)
        if wires.selector is Selector.NONE and wires.idle_rows is IdleRows.FLOATING:
            driver[:first], driver[end:] = np.inf, np.inf
        sense = wires.sense_ohm + per_row * (rows - part.stop) * wires.bit_ohm
        return part, Wires(wires.word_ohm, wires.bit_ohm, np.repeat(driver, per_row), sense)

    def _reference(self, volts: Floats) -> float:
        """Return what cells of the lowest state carry that are read alone."""
        lowest = np.full(volts.shape, self._target.cell.g_min_siemens)
        return float(branches_of(lowest, self._target).at(volts, np.zeros_like(volts))[0].sum())

    def _moved(self, solution: Solution, group: int) -> Floats:
        """Return how much the current of a line moves with each cell, by a standard deviation."""
        rows, wires = self._circuit(group)
        cells = self._cells[rows]
        assert cells.sigma is not None, "only noisy cells move"
        noisy = branches_of(self._joined(cells.siemens + cells.sigma), self._target)
        changed, _ = noisy.at(solution.nodes.rows, solution.nodes.cols)
        if group not in self._arrived:
            resistors, _ = read_alone(cells.siemens, self._target, switches=True)
            joined = self._joined(resistors)
            joined[np.isinf(np.broadcast_to(wires.driver_ohm, len(joined)))] = 0
            self._arrived[group] = _arriving(joined, wires)
        return (changed - solution.currents) * self._arrived[group]

    def _sensed(self, currents: Floats) -> Floats:
        """Return what the cells of each column of the tile carry, of all cells of the circuit."""
        return self._apart(currents).sum(axis=0)[self._columns]

    def _joined(self, cells: Floats) -> Floats:
        """Return cells as they lie between lines."""
        return interleaved(cells) if self._interleaved else cells

    def _apart(self, cells: Floats) -> Floats:
        """Undo `_joined`."""
        return apart(cells) if self._interleaved else cells


def _arriving(cells: Floats, wires: Wires) -> Floats:
    """Return the share of a current into each node of a bit line that leaves at its end.

    The other cells of the line lead away from it, to word lines that drivers hold. It is what the
    node sees of a volt at the end, for the line is reciprocal.
    """
    admitted, shares = np.zeros_like(cells), np.ones_like(cells)
    below = np.zeros_like(cells[0])
    for row, cell in enumerate(cells):
        below = cell + below / (1 + wires.bit_ohm * below)
        admitted[row] = below
    arrived = 1 / (1 + (wires.bit_ohm + wires.sense_ohm) * below)
    for row in range(len(cells) - 1, -1, -1):
        shares[row] = arrived
        if row:
            arrived = arrived / (1 + wires.bit_ohm * admitted[row - 1])
    return shares
