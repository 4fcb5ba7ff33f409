"""Arrays that ngspice has solved: what they are, what it found, and how to ask it again.

`python -m tests.runtime.wires_cases` runs ngspice on every case and writes `wires_ngspice.npz`.
"""

from __future__ import annotations

import hashlib
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mcc.runtime.wires.cells import Branches, Passive, Polynomial, Sinh, Switched, Transistor
from mcc.runtime.wires.circuit import Wires
from mcc.runtime.wires.gated import SourceWires, solve_gated
from mcc.runtime.wires.netlist import crossbar_netlist, gated_netlist
from mcc.runtime.wires.newton import solve_cells

Floats = NDArray[np.float64]

FILE = Path(__file__).with_name("wires_ngspice.npz")
READ_VOLT = 0.2
SWITCH = Transistor(ohm=15e3, threshold_volt=0.4, gate_volt=1.1)
LAWS = ("linear", "polynomial", "sinh", "switched", "switched sinh")


@dataclass(frozen=True)
class Case:
    """One array, by the name of its regime."""

    topology: str
    """`passive` (other rows grounded), `floating` (half of the rows float) or `gated`."""
    law: str
    rows: int
    cols: int
    ohm: float
    """One segment of any wire."""

    @property
    def name(self) -> str:
        return f"{self.topology}, {self.law}, {self.rows} x {self.cols}, {self.ohm:g} ohm"

    @property
    def linear(self) -> bool:
        return self.law == "linear"

    @property
    def cells(self) -> Floats:
        """Cells of 10 kohm to 1 Mohm; a tenth of them are missing."""
        random = np.random.default_rng([self.rows, self.cols, 1])
        cells = 10 ** random.uniform(-6, -4, (self.rows, self.cols))
        cells[random.random(cells.shape) < 0.1] = 0
        return np.round(cells, 9)

    @property
    def branches(self) -> Branches:
        cells = self.cells
        if self.law == "linear":
            return Passive(Polynomial(cells))
        if self.law == "polynomial":
            return Passive(Polynomial(cells, 2 * cells, 20 * cells))
        if self.law == "sinh":
            return Passive(Sinh(cells, 8.0))
        law = Polynomial(cells) if self.law == "switched" else Sinh(cells, 8.0)
        return Switched(law, SWITCH)

    @property
    def volts(self) -> Floats:
        """Inputs; a quarter of them are 0."""
        random = np.random.default_rng([self.rows, self.cols, 2])
        volts = READ_VOLT * random.uniform(0.2, 1, self.rows)
        volts[random.random(self.rows) < 0.25] = 0
        return np.round(volts, 6)

    @property
    def opened(self) -> NDArray[np.bool_]:
        return np.broadcast_to(self.volts[:, None] > 0, (self.rows, self.cols))

    @property
    def wires(self) -> Wires:
        driver = np.full(self.rows, 200.0)
        if self.topology == "floating":
            driver[1::2] = np.inf
        return Wires(self.ohm, self.ohm, driver, 100.0)

    @property
    def source_wires(self) -> SourceWires:
        return SourceWires(self.ohm, self.ohm, 200.0, 100.0)

    @property
    def full_scale(self) -> float:
        """Largest current of a column without wires, in ampere."""
        if self.topology == "gated":
            rows = READ_VOLT * self.opened
        else:
            rows = np.where(np.isfinite(np.asarray(self.wires.driver_ohm)), self.volts, 0)[:, None]
        currents, _ = self.branches.at(rows + 0 * self.cells, 0 * self.cells)
        return float(np.abs(currents).sum(axis=0).max())

    def netlist(self) -> str:
        if self.topology == "gated":
            return gated_netlist(self.branches, self.opened, self.source_wires, READ_VOLT)
        return crossbar_netlist(self.branches, self.wires, self.volts)

    def digest(self) -> str:
        return hashlib.sha256(self.netlist().encode()).hexdigest()

    def solved(self) -> Floats:
        """Return the sensed currents as Newton's method finds them."""
        if self.topology == "gated":
            wires = self.source_wires
            return solve_gated(self.branches, self.opened, wires, READ_VOLT, 1e-10).sensed
        return solve_cells(self.branches, self.wires, self.volts, 1e-10).sensed


def cases() -> Iterator[Case]:
    """Yield every case: all regimes at 16 x 16, every size where it matters."""
    for ohm in (0.1, 1.0, 10.0):
        for topology in ("passive", "floating", "gated"):
            for law in LAWS:
                yield Case(topology, law, 16, 16, ohm)
        for topology in ("passive", "gated"):
            for rows, cols in ((8, 8), (12, 30), (32, 32), (64, 64)):
                for law in ("linear", "sinh", "switched"):
                    yield Case(topology, law, rows, cols, ohm)
    yield Case("passive", "linear", 16, 16, 0.0)
    yield Case("gated", "linear", 16, 16, 0.0)


def ngspice(netlist: str, cols: int) -> Floats:
    """Return the sensed currents (cols,) that ngspice finds."""
    with tempfile.TemporaryDirectory() as folder:
        source, result = Path(folder, "array.cir"), Path(folder, "array.raw")
        source.write_text(netlist)
        command = ["ngspice", "-b", "-r", str(result), str(source)]
        subprocess.run(command, check=True, capture_output=True, timeout=600)
        head, _, body = result.read_bytes().partition(b"Binary:\n")
    names = [line.split()[1].decode() for line in head.partition(b"\nVariables:\n")[2].splitlines()]
    values = np.frombuffer(body, np.float64)
    found = dict(zip(names, values, strict=True))
    return np.array([found[f"i(vsense{j})"] for j in range(cols)])


def stored() -> dict[str, Floats]:
    """Return what ngspice found: digests and currents by the name of the case."""
    with np.load(FILE) as file:
        return {name: file[name] for name in file.files}


def write(report: Callable[[str], object]) -> None:
    """Ask ngspice for every case."""
    found: dict[str, Floats] = {}
    for case in cases():
        found[f"{case.name}: {case.digest()}"] = ngspice(case.netlist(), case.cols)
        report(case.name)
    np.savez_compressed(FILE, allow_pickle=False, **found)


if __name__ == "__main__":
    write(lambda name: None)
