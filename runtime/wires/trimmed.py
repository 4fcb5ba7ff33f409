"""Cells read alone, and the converters that are trimmed to them.

A cell and its switch are linearised at the read voltage: they are the resistor that carries what
the two carry there. The converters are trimmed to this: the currents of cells at `g_min_siemens`
and `g_max_siemens`, read alone, stand for the lowest and the highest state.

The switch lies between cell and bit line. `turned` is the array whose bit lines are driven: there
the drop over the cell lifts the source of the switch, which then has less of its gate voltage.
"""

from __future__ import annotations

from typing import final

import numpy as np

from mcc.ir.diagnostics import error
from mcc.ir.hardware import Selector, Target
from mcc.ir.hardware import Wires as Layout
from mcc.runtime.devices.current import (
    check_volts,
    currents,
    effective_siemens,
    is_linear,
    is_odd,
    slopes_by_siemens,
    slopes_by_volt,
)
from mcc.runtime.wires.circuit import Floats

STEPS = 100
"""Most steps to the voltage between a cell and its switch; a few are enough."""


def through_switches(
    conductances: Floats, wires: Layout, turned: bool = False
) -> tuple[Floats, Floats]:
    """Return conductances with the switches in series, and their derivatives by those without.

    With `x` across the switch of on-resistance `r`, `V` the read voltage and `o` the overdrive of
    the gate, `g (V - x) = (o x - x^2 / 2) / (r o)`, the square law in its triode region; turned,
    `g (V - x) = ((o - V) x + x^2 / 2) / (r o)`. Either is a quadratic equation of the share
    `1 - x / V`, solved so that only positive numbers are added and no share loses its digits.
    """
    if wires.selector is Selector.NONE:
        return conductances, np.ones_like(conductances)
    ratio, part = conductances * wires.switch_ohm, _part(wires)
    if turned:
        linear, root = ratio + 1, np.hypot(np.sqrt(ratio) * np.sqrt(ratio + 2), 1 - part)
    else:
        linear = ratio + (1 - part)
        root = np.hypot(linear, np.sqrt(part * (2 - part)))
    share = (2 - part) / (linear + root)
    narrowed = _narrowed(share, wires, turned)
    return conductances * share, share * narrowed / (ratio + narrowed)


def from_bit_lines(target: Target) -> Target:
    """Return the chip whose cells see the opposite voltage: the even terms of their law turn."""
    law = target.cell.current
    even = {f"square_{power}_ampere_per_volt2" for power in range(4)}
    changes = {f"cell.current.{name}": -getattr(law, name) for name in even}
    return target.with_values(changes, "driven by the bit lines") if not is_odd(law) else target


def is_symmetric(target: Target) -> bool:
    """Whether cells and switches carry the same current from word and from bit lines."""
    wires = target.wires
    switched = wires.selector is Selector.SWITCH and wires.switch_ohm > 0
    return is_odd(target.cell.current) and not switched


def _part(wires: Layout) -> float:
    """Return the read voltage as a part of the overdrive of the gates."""
    return wires.read_volt / (wires.gate_volt - wires.threshold_volt)


def _narrowed(share: Floats, wires: Layout, turned: bool) -> Floats:
    """Return what is left of the slope of open switches while cells have a share of the voltage."""
    part = _part(wires)
    return 1 - part * share if turned else (1 - part) + part * share


def read_alone(
    conductances: Floats, target: Target, switches: bool, turned: bool = False
) -> tuple[Floats, Floats]:
    """Return what cells are at the read voltage, and their derivatives by the conductances.

    Args:
        conductances: Of the cells at small voltages, in siemens.
        target: The chip.
        switches: Whether their switches have resistance.
        turned: Whether bit lines are driven.

    Raises:
        MccError: `read-voltage`.
    """
    law, wires = target.cell.current, target.wires
    check_volts(wires.read_volt, law)
    switches = switches and wires.selector is Selector.SWITCH and wires.switch_ohm > 0
    if is_linear(law):
        return (
            through_switches(conductances, wires, turned)
            if switches
            else (conductances, np.ones_like(conductances))
        )
    if not switches:
        seen = effective_siemens(conductances, wires.read_volt, law)
        return seen, slopes_by_siemens(conductances, wires.read_volt, law) / wires.read_volt
    seen, volts = _switched(conductances, target, turned)
    narrowed = _narrowed(volts / wires.read_volt, wires, turned)
    share = 1 / (1 + slopes_by_volt(conductances, volts, law) * wires.switch_ohm / narrowed)
    return seen, slopes_by_siemens(conductances, volts, law) * share / wires.read_volt


def _switched(conductances: Floats, target: Target, turned: bool) -> tuple[Floats, Floats]:
    """Return what cells with switches are, and the voltages of the cells.

    Each step takes a cell for the resistor that it was at the voltage before.
    """
    law, wires = target.cell.current, target.wires
    volts = np.full_like(conductances, wires.read_volt)
    for _ in range(STEPS):
        cells = currents(conductances, volts, law) / volts
        seen, _ = through_switches(cells, wires, turned)
        share = np.divide(seen, cells, out=np.ones_like(seen), where=cells != 0)
        before, volts = volts, wires.read_volt * share
        if np.allclose(volts, before, rtol=1e-12, atol=0):
            return seen, volts
    text = "the voltage between a cell and its switch was not found"
    raise error("read-voltage", text, "lower `wires.read_volt` or `wires.switch_ohm`")


@final
class Trimmed:
    """The scale of converters that are trimmed to cells read alone."""

    lowest: float
    """What a cell of the lowest state is, in siemens."""
    factor: float
    """By what converters multiply a difference of effective conductances."""

    def __init__(self, target: Target, switches: bool = True, turned: bool = False) -> None:
        """Read the ends of the scale off the target, with switches or without.

        Raises:
            MccError: `read-voltage`, also where the lowest state carries the most current.
        """
        low, high = target.cell.g_min_siemens, target.cell.g_max_siemens
        ends, _ = read_alone(np.array([low, high]), target, switches, turned)
        if not 0 <= ends[0] < ends[1]:
            text = f"at {target.wires.read_volt:g} V the highest state carries not the most current"
            help = "lower `wires.read_volt`, or change `cell.current`"
            raise error("read-voltage", text, help)
        self._low, self.lowest = low, float(ends[0])
        self.factor = (high - low) / float(ends[1] - ends[0])

    def conductances(self, seen: Floats) -> Floats:
        """Return the conductances for which converters take effective ones."""
        return self._low + self.changes(seen - self.lowest)

    def seen(self, conductances: Floats) -> Floats:
        """Return the effective conductances that converters take for these."""
        return self.lowest + (conductances - self._low) / self.factor

    def changes(self, seen: Floats) -> Floats:
        """Return the differences for which converters take those of effective ones."""
        return self.factor * seen
