"""Arrays with a source line of their own: inputs gate the cells, a read voltage drives them.

A source line runs beside every bit line. It is fed at row 0, the end far from the virtual ground,
and each open cell joins it to the bit line, so that every column is a ladder for itself and what
it carries depends on which cells are open.

    read_volt --driver-- source -- o -- source -- o ...      (source nodes, row 0 first)
                                   |cell          |cell
                                   o ---- bit --- o ... bit -- sense -- 0 V
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from mcc.runtime.wires.cells import Branches
from mcc.runtime.wires.circuit import Floats, invalid
from mcc.runtime.wires.newton import Solution, converged
from mcc.runtime.wires.nodes import Nodes


@final
@dataclass(frozen=True)
class SourceWires:
    """The resistances around the cells of every column, in ohm; 0 is a wire without resistance."""

    source_ohm: float
    """One segment of a source line."""
    bit_ohm: float
    """One segment of a bit line."""
    driver_ohm: float = 0.0
    """Between the read voltage and a source line."""
    sense_ohm: float | Floats = 0.0
    """Between bit line and virtual ground: one number, or one for each column."""

    def __post_init__(self) -> None:
        for name in ("source_ohm", "bit_ohm", "driver_ohm", "sense_ohm"):
            value = np.asarray(getattr(self, name))
            if not (np.isfinite(value) & (value >= 0)).all():
                raise invalid(f"`{name}` is {value}", "give 0 or more ohm, and not infinite")


def gated_currents(conductances: Floats, wires: SourceWires, read_volt: float) -> Floats:
    """Return the currents into the virtual grounds, exactly.

    Args:
        conductances: Open cells with their switches (..., rows, cols), in siemens; 0 where the
            input closes a switch.
        wires: Resistances.
        read_volt: Voltage of the sources.

    Returns:
        Currents (..., cols) in ampere.

    Raises:
        MccError: `wires-invalid`.
    """
    cells = _checked(conductances)
    admitted, through = np.zeros_like(cells[..., 0, :]), np.zeros_like(cells[..., 0, :])
    impedance = np.zeros_like(admitted) + wires.bit_ohm + wires.sense_ohm
    rest = np.ones_like(admitted)
    for row in range(cells.shape[-2] - 1, -1, -1):
        cell = cells[..., row, :]
        share = 1 / (1 + cell * impedance)
        admitted = admitted + rest * rest * cell * share
        through, rest = through + impedance * share * cell * rest, share * rest
        impedance = impedance * share
        if row:
            onward = 1 / (1 + wires.source_ohm * admitted)
            impedance = impedance + wires.bit_ohm + wires.source_ohm * through**2 * onward
            through, rest = through * onward, (rest + wires.source_ohm * admitted) * onward
            admitted = admitted * onward
    feed = wires.source_ohm + wires.driver_ohm
    return admitted * read_volt / (1 + feed * admitted)


def gated_nodes(slopes: Floats, currents: Floats, wires: SourceWires, read_volt: float) -> Nodes:
    """Return all voltages where branches carry `slopes * volts + currents`.

    Below each row the ladder is known by what it does: with `v` the voltage of the source node and
    `i` the current that comes from above into the bit node, it takes `a v - h i + p` from the
    source line and holds the bit node at `h v + z i + q`. `u = 1 - h` is kept beside `h`: without
    currents of their own, branches then add positive numbers only, and no share of the voltage
    loses its digits however large the resistances.

    Args:
        slopes: Conductances of the branches (..., rows, cols).
        currents: What they carry at 0 V (..., rows, cols).
        wires: Resistances.
        read_volt: Voltage of the sources.
    """
    rows = slopes.shape[-2]
    below: list[_Below] = []
    a = h = p = q = np.zeros_like(slopes[..., 0, :])
    u = onward = a + 1
    z = a + wires.bit_ohm + wires.sense_ohm
    for row in range(rows - 1, -1, -1):
        below.append(_Below(h, u, z, p, q, onward))
        g, j = slopes[..., row, :], currents[..., row, :]
        share = 1 / (1 + g * z)
        own = share * (j - g * q)
        a, p = a + u**2 * g * share, p + u * own
        h, u, z, q = h + z * share * g * u, u * share, z * share, share * (q + z * j)
        if row:
            onward = 1 / (1 + wires.source_ohm * a)
            z = z + wires.bit_ohm + wires.source_ohm * h * h * onward
            q = q - wires.source_ohm * h * onward * p
            u = (u + wires.source_ohm * a) * onward
            a, h, p = a * onward, h * onward, p * onward
    feed = wires.source_ohm + wires.driver_ohm
    return _descended(slopes, currents, below, wires, (read_volt - feed * p) / (1 + feed * a))


@final
@dataclass(frozen=True)
class _Below:
    """What lies below a row, its segments included, by the names in `gated_nodes`."""

    h: Floats
    u: Floats
    z: Floats
    p: Floats
    q: Floats
    onward: Floats
    """The share of the voltage that the segment of the source line hands on without `i`."""


def _descended(
    slopes: Floats, currents: Floats, below: list[_Below], wires: SourceWires, volts: Floats
) -> Nodes:
    """Walk down from the source node of row 0 and its voltage."""
    sources, bits = np.empty_like(slopes), np.empty_like(slopes)
    carried = np.zeros_like(volts)
    for row in range(slopes.shape[-2]):
        rest = below[-1 - row]
        g, j = slopes[..., row, :], currents[..., row, :]
        drop = rest.u * volts - rest.z * carried - rest.q
        carried = carried + (g * drop + j) / (1 + g * rest.z)
        sources[..., row, :] = volts
        bits[..., row, :] = rest.h * volts + rest.z * carried + rest.q
        volts = volts * rest.onward + wires.source_ohm * (rest.h * carried - rest.p)
    return Nodes(sources, bits)


def solve_gated(
    branches: Branches,
    opened: NDArray[np.bool_],
    wires: SourceWires,
    read_volt: float,
    tolerance: float = 1e-9,
) -> Solution:
    """Return all voltages and currents of an array of any cells, inputs on the gates.

    Args:
        branches: Cells and their switches, all open.
        opened: Which cells the input opens (rows, cols).
        wires: Resistances.
        read_volt: Voltage of the sources.
        tolerance: As in `solve_cells`.

    Raises:
        MccError: `wires-invalid` or `wires-unsolved`.
    """
    if not np.isfinite(read_volt):
        raise invalid(f"the read voltage is {read_volt}", "give a finite voltage")

    def linearised(slopes: Floats, currents: Floats, amperes: float) -> Nodes:
        return gated_nodes(slopes, currents, wires, read_volt)

    start = Nodes(np.full(opened.shape, float(read_volt)), np.zeros(opened.shape))
    return converged(_Opened(branches, opened), linearised, start, tolerance)


@final
@dataclass(frozen=True)
class _Opened:
    """Branches of which some are closed."""

    branches: Branches
    opened: NDArray[np.bool_]

    def at(self, rows: Floats, cols: Floats) -> tuple[Floats, Floats]:
        """Return currents and slopes."""
        currents, slopes = self.branches.at(rows, cols)
        return np.where(self.opened, currents, 0), np.where(self.opened, slopes, 0)


def _checked(conductances: Floats) -> Floats:
    cells = np.asarray(conductances, np.float64)
    if cells.ndim < 2 or 0 in cells.shape:
        raise invalid(f"conductances of shape {cells.shape} are no array", "give (..., rows, cols)")
    if not np.isfinite(cells).all() or (cells < 0).any():
        raise invalid("a conductance is negative or not finite", "give 0 S or more")
    return cells
