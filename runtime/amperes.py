"""The mean currents at the ends of the sensed lines of one tile, before any converter."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from mcc.ir.hardware import InputCoding, Target
from mcc.ir.hardware.phases import Step, phases
from mcc.ir.program.tables import Tile
from mcc.runtime.arrays import Content
from mcc.runtime.converters.periphery import Periphery
from mcc.runtime.devices import Read
from mcc.runtime.devices.current import of_siemens
from mcc.runtime.drives import Driven, Matrix, level_table, voltage_table
from mcc.runtime.fidelity import Fidelity
from mcc.runtime.probes import groups_of, read_of
from mcc.runtime.wires.currents import GatedCurrents
from mcc.runtime.wires.solved import SolvedCurrents
from mcc.runtime.wires.trimmed import Trimmed


@final
class LineCurrents:
    """What the lines of one tile carry, the highest digit driving `wires.read_volt`.

    Of pulse widths it is what all pulses of a digit carry together. Cells of the fidelities without
    real ones are resistors.
    """

    def __init__(
        self,
        tile: Tile,
        target: Target,
        fidelity: Fidelity,
        content: Content,
        periphery: Periphery,
        solved: GatedCurrents | SolvedCurrents | None = None,
        turned: bool = False,
    ) -> None:
        """Take the cells (rows, columns) as converters see them.

        Args:
            tile: Where the cells lie and how they are driven.
            target: The macro.
            fidelity: What the cells are.
            content: The cells.
            periphery: Whose drivers drive them.
            solved: What solves every input for itself.
            turned: Whether bit lines are driven.
        """
        self._tile, self._target = tile, target
        top = (
            1
            if target.macro.input_coding is InputCoding.PULSE_WIDTH
            else 2**target.macro.dac_bits - 1
        )
        self._volt = target.wires.read_volt / top
        cells = read_of(content, target.cell)
        wired = isinstance(content, Read) and fidelity is Fidelity.WIRE
        self._solved = solved
        if isinstance(content, Read) and not wired:
            self._terms = of_siemens(cells.siemens, target.cell.current)
            self._table = voltage_table(tile, target, periphery)
        else:
            seen = Trimmed(target, turned=turned).seen(cells.siemens) if wired else cells.siemens
            self._terms = [seen]
            self._table = level_table(tile, target, periphery)

    def of(self, codes: NDArray[Any]) -> Iterator[tuple[int, int, Matrix]]:
        """Yield row group, phase and amperes (inputs, columns) for codes (inputs, rows)."""
        tile = self._tile
        found = phases(self._target.macro, tile.input_bits, tile.input_signed)
        for group, rows in enumerate(groups_of(tile, self._target)):
            for index, phase in enumerate(found):
                step = Step((phase,), phase.worth)
                driven = Driven(codes[:, rows], rows, group, step, index, None)
                yield group, index, self._volt * self._columns(driven)

    def _columns(self, driven: Driven) -> Matrix:
        """Return the currents (inputs, columns) for a volt at a line driven with digit 1."""
        if self._solved is not None:
            return self._solved.columns(driven)
        digits = driven.step.drive(driven.codes)
        found = np.zeros((len(digits), self._terms[0].shape[1]))
        for values, cells in zip(self._table.drives, self._terms, strict=True):
            found += self._table.at(values, digits, driven.rows) @ cells[driven.rows]
        return found
