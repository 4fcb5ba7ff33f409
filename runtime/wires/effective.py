"""The cells of a macro as its converters see them through drivers, lines and switches.

Converters are trimmed to cells that are read alone (`Trimmed`). What remains is what lines and
drivers take away, and states in between that lie closer to the highest.

To first order in the noise, a cell moves the current of its column by its own deviation times the
voltage that it sees times the share of its current that arrives, which is what the effective
conductance is to the conductance (reciprocity). The voltage depends on all inputs, for lines rise
with the current of every row; it is taken as if half of the rows were driven (`WiredCells._volts`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import final

import numpy as np

from mcc.ir.hardware import IdleRows, Selector, Target
from mcc.ir.program.tables import Tile
from mcc.runtime.devices import Read
from mcc.runtime.wires.circuit import Floats, Wires
from mcc.runtime.wires.transfer import transfer_matrices
from mcc.runtime.wires.trimmed import Trimmed, read_alone

Group = tuple[int, int]
"""The first row of a group of rows that are driven together, and the row after its last."""


def driven_groups(tile: Tile, target: Target) -> list[Group]:
    """Return the groups of rows of a macro that are driven one after another for a tile."""
    step, end = target.macro.active_rows, tile.row + tile.rows
    return [(row, min(row + step, end)) for row in range(tile.row, end, step)]


@final
class WiredCells:
    """The cells of one programmed macro, effective for each group of rows."""

    def __init__(
        self,
        cells: Read,
        target: Target,
        groups: Iterable[Group],
        threads: int = 1,
        turned: bool = False,
    ) -> None:
        """Solve the macro for groups of rows.

        Turned, bit lines are driven and the rows of one group sensed after the other. Every end
        keeps its resistance, so that the lines are the same circuit, and reciprocal: what a row
        carries for a volt at a column is what the column would for a volt at the row.

        Args:
            cells: All cells of the macro (rows, cols).
            target: The chip.
            groups: What will be asked for.
            threads: Threads to compute with.
            turned: Whether bit lines are driven.

        Raises:
            MccError: `wires-invalid`: the lines have no solution.
        """
        self._target, self._threads, self._turned = target, threads, turned
        self._trimmed = Trimmed(target, turned=turned)
        self._seen, slopes = read_alone(cells.siemens, target, switches=True, turned=turned)
        self._deviations = None if cells.sigma is None else cells.sigma * slopes
        self._solved = self._solve(sorted(set(groups)))

    def of(self, groups: Sequence[Group]) -> Read:
        """Return the rows of groups (rows, cols of the macro) as they are seen."""
        effective = np.concatenate([self._solved[group] for group in groups])
        conductances = self._trimmed.conductances(effective)
        if self._deviations is None:
            return Read(conductances, None)
        rows = np.concatenate([np.arange(*group) for group in groups])
        seen = self._seen[rows]
        share = np.divide(effective, seen, out=np.zeros_like(seen), where=seen > 0)
        volts = np.concatenate([self._volts(group) for group in groups])
        spread = self._trimmed.changes(self._deviations[rows] * share * volts)
        return Read(conductances, spread)

    def _volts(self, group: Group) -> Floats:
        """Return the root mean square of what cells see, per volt at a driven row (rows, cols).

        With all rows driven, lines rise so far that cells see `1 - d` of a volt, where the currents
        of a line balance if `1 - d` is what the sum of its effective conductances is to that of its
        cells. With half of them driven, a cell sees `1 - d / 2` if its row is one of them, and
        `d / 2` if not; both squares are counted for the driven rows, which are as many.
        """
        effective, seen = self._solved[group], self._seen[slice(*group)]
        wires = self._target.wires
        if wires.interleaved or wires.selector is Selector.NONE:
            return np.ones_like(seen)  # pairs pull a line to both sides; idle rows take currents
        axis = 1 if self._turned else 0
        whole = seen.sum(axis=axis, keepdims=True)
        share = effective.sum(axis=axis, keepdims=True)
        drop = 1 - np.divide(share, whole, out=np.ones_like(whole), where=whole > 0)
        return np.broadcast_to(np.sqrt(1 - drop + drop**2 / 2), seen.shape)

    def _solve(self, groups: Sequence[Group]) -> dict[Group, Floats]:
        """Return the effective conductances of each group, rows by columns of the macro."""
        wires = self._target.wires
        if wires.selector is Selector.SWITCH:
            return self._switched(groups)
        driver = np.full(len(self._seen), wires.driver_ohm)
        if wires.idle_rows is IdleRows.GROUNDED:
            whole = self._transfer(self._seen[None], driver[None], np.zeros(1))[0]
            return {group: whole[slice(*group)] for group in groups}
        found: dict[Group, Floats] = {}
        for group in groups:
            ends = np.full_like(driver, np.inf)
            ends[slice(*group)] = driver[slice(*group)]
            whole = self._transfer(self._seen[None], ends[None], np.zeros(1))[0]
            found[group] = whole[slice(*group)]
        return found

    def _switched(self, groups: Sequence[Group]) -> dict[Group, Floats]:
        """Return what groups are whose other rows are closed: only their wires remain."""
        found: dict[Group, Floats] = {}
        for size in {end - start for start, end in groups}:
            alike = [group for group in groups if group[1] - group[0] == size]
            cells = np.stack([self._seen[slice(*group)] for group in alike])
            driver = np.full(cells.shape[:2], self._target.wires.driver_ohm)
            after = np.array([len(self._seen) - end for _, end in alike], np.float64)
            found |= dict(zip(alike, self._transfer(cells, driver, after), strict=True))
        return found

    def _transfer(self, cells: Floats, driver: Floats, rows_after: Floats) -> Floats:
        """Solve arrays (arrays, rows, cols) with so many rows between them and the converters."""
        wires = self._target.wires
        per_row = 2 if wires.interleaved else 1
        sense = wires.sense_ohm + per_row * rows_after * wires.bit_ohm
        if not wires.interleaved:
            ends = np.broadcast_to(sense[:, None], (len(cells), cells.shape[2]))
            lines = Wires(wires.word_ohm, wires.bit_ohm, driver, ends)
            return transfer_matrices(cells, lines, self._threads)
        ends = np.broadcast_to(sense[:, None], (len(cells), cells.shape[2] // 2))
        lines = Wires(wires.word_ohm, wires.bit_ohm, np.repeat(driver, 2, axis=1), ends)
        return apart(transfer_matrices(interleaved(cells), lines, self._threads))


def interleaved(cells: Floats) -> Floats:
    """Return pairs of columns as one column of pairs of rows: (..., 2 rows, cols / 2)."""
    *arrays, rows, cols = cells.shape
    paired = cells.reshape(*arrays, rows, cols // 2, 2)
    return np.swapaxes(paired, -1, -2).reshape(*arrays, 2 * rows, cols // 2)


def apart(cells: Floats) -> Floats:
    """Undo `interleaved`."""
    *arrays, rows, cols = cells.shape
    paired = cells.reshape(*arrays, rows // 2, 2, cols)
    return np.swapaxes(paired, -1, -2).reshape(*arrays, rows // 2, 2 * cols)
