"""Netlists of crossbars for ngspice, which judges the solvers of this folder.

The current into the virtual ground of column `j` is that of the voltage source `vsense<j>`.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from mcc.runtime.wires.cells import Branches, Passive, Polynomial, Sinh, Switched
from mcc.runtime.wires.circuit import Floats, Wires, checked_ends, invalid
from mcc.runtime.wires.gated import SourceWires

OPTIONS = ".options reltol=1e-10 abstol=1e-18 vntol=1e-13 gmin=1e-20 itl1=1000"
"""Tolerances far below those of the comparison; `gmin` would else leak beside every switch."""


def crossbar_netlist(branches: Branches, wires: Wires, volts: Floats) -> str:
    """Return the operating point of an array with its inputs on the word lines.

    Args:
        branches: `Passive` or `Switched` cells (rows, cols) of a law of `mcc.runtime.wires.cells`.
        wires: Resistances.
        volts: Sources of the rows (rows,).

    Raises:
        MccError: `wires-invalid`: the law of the cells has no netlist.
    """
    siemens = _siemens(branches)
    rows, cols = siemens.shape
    ends = checked_ends(wires, (1, rows, cols))
    lines = ["crossbar, inputs on the word lines"]
    for i in range(rows):
        if np.isfinite(ends.driver_ohm[0, i]):
            lines.append(f"vsource{i} source{i} 0 {volts[i]:.17g}")
            feed = wires.word_ohm + float(ends.driver_ohm[0, i])
            lines += _resistor(f"driver{i}", f"source{i}", f"r{i}_0", feed)
        for j in range(1, cols):
            lines += _resistor(f"word{i}_{j}", f"r{i}_{j - 1}", f"r{i}_{j}", wires.word_ohm)
    senses = ends.sense_ohm[0] + wires.bit_ohm
    lines += _bit_lines(rows, wires.bit_ohm, senses)
    lines += _cells(branches, np.ones((rows, cols), np.bool_))
    return _finished(lines, cols)


def gated_netlist(
    branches: Branches, opened: NDArray[np.bool_], wires: SourceWires, read_volt: float
) -> str:
    """Return the operating point of an array with its inputs on the gates.

    Args:
        branches: As in `crossbar_netlist`.
        opened: Which cells the input opens (rows, cols); closed ones are left out.
        wires: Resistances.
        read_volt: Voltage of the sources.

    Raises:
        MccError: `wires-invalid`: the law of the cells has no netlist.
    """
    rows, cols = _siemens(branches).shape
    lines = ["crossbar, inputs on the gates", f"vread read 0 {read_volt:.17g}"]
    for j in range(cols):
        feed = wires.source_ohm + wires.driver_ohm
        lines += _resistor(f"driver{j}", "read", f"r0_{j}", feed)
        for i in range(1, rows):
            lines += _resistor(f"line{i}_{j}", f"r{i - 1}_{j}", f"r{i}_{j}", wires.source_ohm)
    senses = np.broadcast_to(np.asarray(wires.sense_ohm) + wires.bit_ohm, (cols,))
    lines += _bit_lines(rows, wires.bit_ohm, senses)
    lines += _cells(branches, opened)
    return _finished(lines, cols)


def _bit_lines(rows: int, bit_ohm: float, senses: Floats) -> Iterator[str]:
    for j, sense in enumerate(senses):
        for i in range(1, rows):
            yield from _resistor(f"bit{i}_{j}", f"c{i - 1}_{j}", f"c{i}_{j}", bit_ohm)
        yield from _resistor(f"sense{j}", f"c{rows - 1}_{j}", f"sense{j}", float(sense))
        yield f"vsense{j} sense{j} 0 0"


def _resistor(name: str, one: str, two: str, ohm: float) -> Iterator[str]:
    """Yield a resistor; one of 0 ohm is a source of 0 V, for ngspice has no such resistor."""
    yield f"v{name} {one} {two} 0" if ohm == 0 else f"r{name} {one} {two} {ohm:.17g}"


def _cells(branches: Branches, opened: NDArray[np.bool_]) -> Iterator[str]:
    siemens = _siemens(branches)
    switched = isinstance(branches, Switched)
    if isinstance(branches, Switched):
        switch = branches.switch
        yield f"vgate gate 0 {switch.gate_volt:.17g}"
        yield (
            f".model switch nmos(level=1 vto={switch.threshold_volt:.17g} kp={switch.gain:.17g}"
            " gamma=0 lambda=0 is=1e-40)"
        )
    for i, j in np.argwhere(opened & (siemens > 0)):
        under = f"x{i}_{j}" if switched else f"c{i}_{j}"
        yield _cell(_law(branches), i, j, f"r{i}_{j}", under)
        if switched:
            yield f"mswitch{i}_{j} {under} gate c{i}_{j} 0 switch l=1u w=1u"


def _cell(law: Polynomial | Sinh, i: int, j: int, one: str, two: str) -> str:
    def number(values: Floats | float) -> float:
        return float(np.broadcast_to(values, law.siemens.shape)[i, j])

    volts = f"v({one},{two})"
    if isinstance(law, Polynomial):
        g, n2, n3 = number(law.siemens), number(law.n2), number(law.n3)
        if n2 == n3 == 0:
            return f"rcell{i}_{j} {one} {two} {1 / g:.17g}"
        text = f"{volts}*({g:.17g}+{volts}*({n2:.17g}+{volts}*{n3:.17g}))"
        return f"bcell{i}_{j} {one} {two} i={text}"
    g, a = number(law.siemens), number(law.per_volt)
    return f"bcell{i}_{j} {one} {two} i={g / a:.17g}*sinh({a:.17g}*{volts})"


def _law(branches: Branches) -> Polynomial | Sinh:
    law = branches.cells if isinstance(branches, Passive | Switched) else None
    if isinstance(law, Polynomial | Sinh):
        return law
    raise invalid("the law of the cells has no netlist", "use `Polynomial` or `Sinh` cells")


def _siemens(branches: Branches) -> Floats:
    return _law(branches).siemens


def _finished(lines: list[str], cols: int) -> str:
    saved = " ".join(f"i(vsense{j})" for j in range(cols))
    return "\n".join([*lines, OPTIONS, f".save {saved}", ".op", ".end", ""])
