"""Current of a cell against its voltage, for cells that are not resistors, and their switches."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol, final

import numpy as np

from mcc.ir.hardware import Current, Selector, Target
from mcc.runtime.devices.current import of_siemens, of_volts, slopes_of_volts, summed
from mcc.runtime.wires.circuit import Floats, invalid

STEPS = 200
"""Most steps to the voltage between a cell and its switch; halving an interval needs 60."""


class Cells(Protocol):
    """Cells of an array (rows, cols), each between two nodes."""

    def current(self, volts: Floats) -> Floats:
        """Return the currents in ampere at voltages across the cells, rising with them."""
        ...

    def slope(self, volts: Floats) -> Floats:
        """Return the derivatives of the currents, in siemens."""
        ...


class Branches(Protocol):
    """What joins the lines of an array: cells, with switches or without."""

    def at(self, rows: Floats, cols: Floats) -> tuple[Floats, Floats]:
        """Return currents and their derivatives with respect to the voltages of the rows.

        Args:
            rows: Voltages of the row nodes (rows, cols).
            cols: Voltages of the column nodes (rows, cols).
        """
        ...


@final
@dataclass(frozen=True)
class Polynomial:
    """`I = G V + n2 V^2 + n3 V^3`; linear where both coefficients are 0."""

    siemens: Floats
    n2: Floats | float = 0.0
    """In ampere per square volt."""
    n3: Floats | float = 0.0
    """In ampere per cubic volt."""

    def current(self, volts: Floats) -> Floats:
        """Return the currents."""
        return volts * (self.siemens + volts * (self.n2 + volts * self.n3))

    def slope(self, volts: Floats) -> Floats:
        """Return the derivatives."""
        return self.siemens + volts * (2 * self.n2 + 3 * volts * self.n3)


@final
@dataclass(frozen=True)
class Sinh:
    """`I = G sinh(a V) / a`: conduction through a barrier."""

    siemens: Floats
    """At small voltages."""
    per_volt: Floats | float
    """`a`, above 0."""

    def current(self, volts: Floats) -> Floats:
        """Return the currents."""
        return self.siemens * np.sinh(self.per_volt * volts) / self.per_volt

    def slope(self, volts: Floats) -> Floats:
        """Return the derivatives."""
        return self.siemens * np.cosh(self.per_volt * volts)


@final
class Lawful:
    """Cells with the law of a target."""

    def __init__(self, siemens: Floats, law: Current) -> None:
        """Take conductances at small voltages; the law is continued beyond its voltages."""
        self._law = replace(law, limit_volt=0.0)
        self._terms = of_siemens(siemens, law)

    def current(self, volts: Floats) -> Floats:
        """Return the currents."""
        return summed(self._terms, of_volts(volts, self._law))

    def slope(self, volts: Floats) -> Floats:
        """Return the derivatives."""
        return summed(self._terms, slopes_of_volts(volts, self._law))


@final
@dataclass(frozen=True)
class Passive:
    """Cells without switches."""

    cells: Cells

    def at(self, rows: Floats, cols: Floats) -> tuple[Floats, Floats]:
        """Return currents and slopes."""
        across = rows - cols
        return self.cells.current(across), self.cells.slope(across)


@final
@dataclass(frozen=True)
class Transistor:
    """A switch by the square law, its source and drain alike (H. Shichman and D. Hodges, 1968).

    `I = k / 2 ((V_gate - V_t - V_source)^2 - (V_gate - V_t - V_drain)^2)`, each bracket at least 0:
    the triode region, saturation and the closed switch in one. `k` is such that the open switch
    has `ohm` at small voltages: `k = 1 / (ohm (gate_volt - threshold_volt))`.
    """

    ohm: float
    threshold_volt: float
    gate_volt: float

    def __post_init__(self) -> None:
        if not (np.isfinite(self.ohm) and self.ohm > 0 and self.overdrive > 0):
            text = f"a switch of {self.ohm} ohm with {self.overdrive} V above its threshold"
            raise invalid(text, "give it a resistance above 0 and a gate above the threshold")

    @property
    def overdrive(self) -> float:
        """Gate voltage above the threshold, in volt."""
        return self.gate_volt - self.threshold_volt

    @property
    def gain(self) -> float:
        """`k`, in ampere per square volt."""
        return 1 / (self.ohm * self.overdrive)


@final
@dataclass(frozen=True)
class Switched:
    """Cells between row and switch; the switch leads to the column."""

    cells: Cells
    switch: Transistor

    def at(self, rows: Floats, cols: Floats) -> tuple[Floats, Floats]:
        """Return currents and slopes.

        The slope holds for a voltage that rises at the row; what the column does to the gate's
        voltage over the source is in the current only.
        """
        inner = self.inner(rows, cols)
        own, through = self.cells.slope(rows - inner), self._conductance(inner)
        together = own + through
        slope = np.divide(own * through, together, out=np.zeros_like(own), where=together > 0)
        return self.cells.current(rows - inner), slope

    def inner(self, rows: Floats, cols: Floats) -> Floats:
        """Return the voltages between cells and switches.

        What the cell carries less what the switch carries falls with the inner voltage, and has
        its zero between the nodes: Newton's steps, halving where they leave the interval.
        """
        low, high = np.minimum(rows, cols), np.maximum(rows, cols)
        inner = 0.5 * (low + high)
        for _ in range(STEPS):
            excess = self.cells.current(rows - inner) - self._current(inner, cols)
            low = np.where(excess > 0, inner, low)
            high = np.where(excess > 0, high, inner)
            slope = self.cells.slope(rows - inner) + self._conductance(inner)
            step = np.divide(excess, slope, out=np.zeros_like(excess), where=slope > 0)
            following = inner + step
            outside = (following < low) | (following > high) | (slope <= 0)
            following = np.where(outside, 0.5 * (low + high), following)
            if (np.abs(following - inner) <= 1e-15 * (1 + np.abs(inner))).all():
                return following
            inner = following
        return inner

    def _current(self, drain: Floats, source: Floats) -> Floats:
        over = self.switch.overdrive
        at_source, at_drain = np.maximum(over - source, 0), np.maximum(over - drain, 0)
        return 0.5 * self.switch.gain * (at_source - at_drain) * (at_source + at_drain)

    def _conductance(self, drain: Floats) -> Floats:
        return self.switch.gain * np.maximum(self.switch.overdrive - drain, 0)


def branches_of(siemens: Floats, target: Target) -> Branches:
    """Return what cells of these conductances and their switches are on a chip."""
    wires, cells = target.wires, Lawful(siemens, target.cell.current)
    if wires.selector is Selector.NONE or wires.switch_ohm == 0:
        return Passive(cells)
    return Switched(cells, Transistor(wires.switch_ohm, wires.threshold_volt, wires.gate_volt))
