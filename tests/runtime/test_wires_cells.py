"""Crossbars of any cells and both feeds against ngspice, whose results are kept beside the tests.

`tests/runtime/wires_cases.py` says how they were made; a case whose netlist has changed since
fails until ngspice is asked again.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest
from numpy.typing import NDArray

from mcc.ir.diagnostics import MccError
from mcc.runtime.wires.cells import Branches, Passive, Polynomial, Sinh, Switched, Transistor
from mcc.runtime.wires.circuit import Wires
from mcc.runtime.wires.gated import SourceWires, gated_currents, gated_nodes, solve_gated
from mcc.runtime.wires.netlist import crossbar_netlist
from mcc.runtime.wires.newton import solve_cells
from mcc.runtime.wires.nodes import sensed, solve_linear
from mcc.runtime.wires.transfer import transfer_matrix
from tests.runtime.wires_cases import READ_VOLT, SWITCH, Case, cases, ngspice, stored

Floats = NDArray[np.float64]

RESULTS = stored()


@pytest.mark.parametrize("case", list(cases()), ids=lambda case: case.name)
def test_currents_are_those_of_ngspice(case: Case) -> None:
    key = f"{case.name}: {case.digest()}"
    assert key in RESULTS, "run: python -m tests.runtime.wires_cases"
    limit = 1e-6 if case.linear else 1e-2
    error = np.abs(case.solved() - RESULTS[key]).max() / case.full_scale
    assert error <= min(limit, 1e-8), "both solve the same equations to more than eight digits"


@pytest.mark.parametrize(
    "case",
    [case for case in cases() if case.linear and case.topology != "gated"],
    ids=lambda case: case.name,
)
def test_the_matrix_of_linear_cells_is_that_of_ngspice(case: Case) -> None:
    found = case.volts @ transfer_matrix(case.cells, case.wires)
    expected = RESULTS[f"{case.name}: {case.digest()}"]
    assert np.abs(found - expected).max() <= 1e-8 * case.full_scale


@pytest.mark.skipif(shutil.which("ngspice") is None, reason="ngspice is not installed")
@pytest.mark.parametrize("topology", ["passive", "floating", "gated"])
@pytest.mark.parametrize("law", ["linear", "switched sinh"])
def test_ngspice_says_so_again(topology: str, law: str) -> None:
    case = Case(topology, law, 6, 5, 3.0)
    found = ngspice(case.netlist(), case.cols)
    assert np.abs(case.solved() - found).max() <= 1e-8 * case.full_scale


def cells_of(rows: int = 20, cols: int = 12) -> Floats:
    return 10 ** np.random.default_rng(0).uniform(-6, -4, (rows, cols))


def test_linear_laws_need_no_newton() -> None:
    cells, wires = cells_of(), Wires(1.0, 2.0, 100.0, 50.0)
    volts = np.linspace(-0.2, 0.2, 20)
    found = solve_cells(Passive(Polynomial(cells)), wires, volts, 1e-11)
    linear = solve_linear(cells, wires, volts, 1e-12)
    assert np.abs(found.sensed - sensed(linear.across, cells)).max() < 1e-10 * cells.sum()


LAWS: list[Callable[[Floats], Branches]] = [
    lambda cells: Passive(Polynomial(cells, cells, 9 * cells)),
    lambda cells: Passive(Sinh(cells, 10.0)),
    lambda cells: Switched(Sinh(cells, 10.0), SWITCH),
]


@pytest.mark.parametrize("law", LAWS)
def test_slopes_are_the_derivatives(law: Callable[[Floats], Branches]) -> None:
    branches, cells = law(cells_of(4, 3)), cells_of(4, 3)
    rows = np.random.default_rng(1).uniform(-0.2, 0.4, cells.shape)
    cols, step = np.zeros_like(cells), 1e-6
    ahead, behind = (branches.at(rows + side * step, cols)[0] for side in (1, -1))
    slope = branches.at(rows, cols)[1]
    np.testing.assert_allclose((ahead - behind) / (2 * step), slope, rtol=1e-6)


def test_switch_follows_the_square_law_in_all_regions() -> None:
    """Behind a cell of next to no resistance all of the voltage is on the switch."""
    switch = Transistor(ohm=1e4, threshold_volt=0.4, gate_volt=1.0)
    wide = Switched(Polynomial(np.full((1, 5), 1e6)), switch)
    drain = np.array([[-0.2, 0.0, 0.3, 0.6, 2.0]])
    found, _ = wide.at(drain, np.zeros((1, 5)))
    gain, over = 1 / (1e4 * 0.6), 0.6
    triode = gain * (over * drain - drain**2 / 2)
    expected = np.where(drain > over, gain * over**2 / 2, triode)
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-15)
    closed = Switched(Polynomial(np.full((1, 1), 1e-4)), switch)
    assert closed.at(np.array([[2.0]]), np.array([[1.5]]))[0] == 0


def test_source_lines_without_resistance_change_nothing() -> None:
    cells = cells_of()
    found = gated_currents(cells, SourceWires(0, 0), READ_VOLT)
    np.testing.assert_allclose(found, READ_VOLT * cells.sum(axis=0), rtol=1e-13)


def test_gated_columns_are_those_of_their_nodes() -> None:
    cells, wires = cells_of(), SourceWires(2.0, 3.0, 40.0, 50.0)
    nodes = gated_nodes(cells, np.zeros_like(cells), wires, READ_VOLT)
    branch = cells * nodes.across
    np.testing.assert_allclose(
        branch.sum(axis=0), gated_currents(cells, wires, READ_VOLT), rtol=1e-12
    )
    down_source = (nodes.rows[:-1] - nodes.rows[1:]) / 2.0
    down_bit = (nodes.cols[:-1] - nodes.cols[1:]) / 3.0
    np.testing.assert_allclose(down_source, branch.sum(axis=0) - branch.cumsum(axis=0)[:-1], 1e-9)
    np.testing.assert_allclose(down_bit, branch.cumsum(axis=0)[:-1], rtol=1e-9)


def exact_shares(cells: Floats, wires: SourceWires) -> Floats:
    """Return the voltages across the cells of one column per volt, from its exact equations.

    Unknown are the currents of the cells: `v - b` of a row is a sum of resistances times currents.
    """
    rows = len(cells)
    feed, source, bit, sense = (
        Fraction(float(ohm))
        for ohm in (wires.driver_ohm, wires.source_ohm, wires.bit_ohm, np.max(wires.sense_ohm))
    )

    def shared(i: int, j: int) -> Fraction:
        return feed + source * (min(i, j) + 1) + bit * (rows - max(i, j)) + sense

    ohms = [Fraction(1) / Fraction(float(cell)) for cell in cells]
    table = [[shared(i, j) + (ohms[i] if i == j else 0) for j in range(rows)] + [Fraction(1)]
             for i in range(rows)]  # fmt: skip
    for k in range(rows):
        table[k] = [item / table[k][k] for item in table[k]]
        for i in set(range(rows)) - {k}:
            own = table[i][k]
            table[i] = [item - own * pivot for item, pivot in zip(table[i], table[k], strict=True)]
    return np.array([float(table[i][rows] * ohms[i]) for i in range(rows)])


@pytest.mark.parametrize("source", [0.0, 1.0, 1e5, 1e9, 1e15])
@pytest.mark.parametrize("bit", [0.0, 1.0, 1e9])
@pytest.mark.parametrize("ends", [0.0, 1e9])
def test_gated_cells_see_exact_shares_of_the_voltage(
    source: float, bit: float, ends: float
) -> None:
    cells, wires = cells_of(12, 1), SourceWires(source, bit, ends, ends)
    expected = exact_shares(cells[:, 0], wires)
    nodes = gated_nodes(cells, np.zeros_like(cells), wires, 1.0)
    assert np.abs(nodes.across[:, 0] - expected).max() <= 1e-14 * nodes.rows.max()
    currents = gated_currents(cells, wires, 1.0)
    np.testing.assert_allclose(currents, cells[:, 0] @ expected, rtol=1e-13)


def test_gated_columns_do_not_touch_and_inputs_are_solved_together() -> None:
    cells, wires = cells_of(), SourceWires(2.0, 3.0, 40.0, 50.0)
    opened = np.random.default_rng(2).random((7, 20)) < 0.5
    together = gated_currents(cells * opened[:, :, None], wires, READ_VOLT)
    for row, found in zip(opened, together, strict=True):
        for j in range(12):
            alone = gated_currents((cells * row[:, None])[:, j : j + 1], wires, READ_VOLT)
            assert alone[0] == found[j]


def test_voltages_that_cannot_be_found_are_refused() -> None:
    falling = Passive(Polynomial(cells_of(), -1e-3, 0.0))
    with pytest.raises(MccError, match="wires-unsolved"):
        solve_cells(falling, Wires(100.0, 100.0), np.full(20, 5.0))


@pytest.mark.parametrize(
    ("ohm", "threshold", "gate"), [(0.0, 0.4, 1.0), (1e4, 1.0, 1.0), (-1.0, 0.4, 1.0)]
)
def test_switches_that_cannot_be(ohm: float, threshold: float, gate: float) -> None:
    with pytest.raises(MccError, match="wires-invalid"):
        Transistor(ohm, threshold, gate)


def test_source_wires_are_checked() -> None:
    with pytest.raises(MccError, match="bit_ohm"):
        SourceWires(1.0, -1.0)
    with pytest.raises(MccError, match="sense_ohm"):
        SourceWires(1.0, 1.0, 0.0, np.array([np.nan]))
    with pytest.raises(MccError, match="negative or not finite"):
        gated_currents(-cells_of(), SourceWires(1.0, 1.0), READ_VOLT)
    with pytest.raises(MccError, match="wires-invalid"):
        solve_gated(
            Passive(Polynomial(cells_of())), np.ones((20, 12), bool), SourceWires(1, 1), np.nan
        )


def test_laws_without_a_netlist_are_refused() -> None:
    class Own:
        def at(self, rows: Floats, cols: Floats) -> tuple[Floats, Floats]:
            return rows - cols, np.ones_like(rows)

    with pytest.raises(MccError, match="has no netlist"):
        crossbar_netlist(Own(), Wires(1.0, 1.0), np.zeros(3))
