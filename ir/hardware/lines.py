"""The hardware language of what lies around the cells of a macro."""

from __future__ import annotations

from typing import final

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from mcc.ir.hardware.choices import Feed, IdleRows, Selector, Solver
from mcc.ir.hardware.quantities import Ohms, PositiveVolt

STRICT = ConfigDict(strict=True, extra="forbid")


@final
@dataclass(frozen=True, kw_only=True, config=STRICT)
class Wires:
    """What lies around the cells of a macro; all but `read_volt` show at fidelity `wire` only.

    Row 0 is farthest from the converters, column 0 nearest to the drivers of the word lines.
    """

    feed: Feed
    """Where the current of the cells comes from."""
    selector: Selector
    """What keeps the cells of other rows out of a sum."""
    idle_rows: IdleRows
    """What is done with the rows that are not driven; matters only without a `selector`."""
    interleaved: bool
    """Whether the two cells of a differential pair share a bit line, one after the other.

    They are then driven by opposite voltages on two word lines, and the bit line carries the
    difference of their currents. Can be true only in the differential encoding.
    """
    word_ohm: Ohms
    """One segment of a word line, from cell to cell; matters only with the feed `word_line`."""
    bit_ohm: Ohms
    """One segment of a bit line."""
    source_ohm: Ohms
    """One segment of a source line; matters only with the feed `source_line`."""
    driver_ohm: Ohms
    """Between the source of a voltage and the line that it feeds."""
    sense_ohm: Ohms
    """Between a bit line and the virtual ground of its converter."""
    switch_ohm: Ohms
    """An open switch at small voltages, in series with the conductances of `cell`."""
    threshold_volt: PositiveVolt
    """Threshold of a switch; its resistance rises with the voltage that it bears."""
    gate_volt: PositiveVolt
    """Voltage on the gate of an open switch."""
    read_volt: PositiveVolt
    """Voltage of the highest digit, at which converters are trimmed to cells with their switches.

    At `device` it shows only with laws of `cell.current`.
    """
    solver: Solver
    """How the currents of cells and switches between lines are found."""
