"""How much of the physics a run includes."""

from __future__ import annotations

from enum import StrEnum
from typing import final

from mcc.ir.hardware import Feed, Solver, Target


@final
class Fidelity(StrEnum):
    """How much of the physics a run includes; each adds to the one before."""

    EXACT = "exact"
    """Converters never clip or round."""
    CONVERTER = "converter"
    """Converters have their bits."""
    DEVICE = "device"
    """Cells differ from what was written, age, are noisy, and some are stuck; so are converters."""
    WIRE = "wire"
    """Lines, drivers and switches have resistance, so that no cell sees the whole voltage."""

    @property
    def real_cells(self) -> bool:
        """Whether cells are those of one chip, drawn from its seed."""
        return self in (Fidelity.DEVICE, Fidelity.WIRE)


def input_by_input(target: Target, fidelity: Fidelity) -> bool:
    """Whether every input is a circuit of its own, so that no matrix is good for all.

    So it is where inputs open cells, and where cells and switches are not linearised.
    """
    wires = target.wires
    alone = wires.feed is Feed.SOURCE_LINE or wires.solver is Solver.NEWTON
    return fidelity is Fidelity.WIRE and alone
