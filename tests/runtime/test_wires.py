"""Laws of crossbars with resistive wires and linear cells; a dense solve of all nodes judges."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from mcc.ir.diagnostics import MccError
from mcc.runtime.wires.circuit import Wires
from mcc.runtime.wires.nodes import Nodes, sensed, solve_linear
from mcc.runtime.wires.oracle import branches, dense_transfer
from mcc.runtime.wires.transfer import transfer_matrices, transfer_matrix

Floats = NDArray[np.float64]

OHMS = st.sampled_from([0.0, 0.1, 1.0, 10.0])


@st.composite
def circuits(draw: st.DrawFn) -> tuple[Floats, Wires]:
    """Return arrays with missing cells, and wires with and without resistance."""
    rows, cols = draw(st.integers(1, 40)), draw(st.integers(1, 40))
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    cells = 10 ** random.uniform(-6, -4, (rows, cols))
    cells[random.random((rows, cols)) < draw(st.sampled_from([0.0, 0.3, 0.9]))] = 0
    driver = draw(st.sampled_from([0.0, 500.0])) * random.random(rows)
    if draw(st.booleans()):
        driver[random.random(rows) < 0.4] = np.inf
    sense = draw(st.sampled_from([0.0, 500.0])) * random.random(cols)
    return cells, Wires(draw(OHMS), draw(OHMS), driver, sense)


def cells_of(rows: int, cols: int, seed: int = 0) -> Floats:
    return 10 ** np.random.default_rng(seed).uniform(-6, -4, (rows, cols))


def full_scale(cells: Floats) -> float:
    return max(float(cells.sum(axis=0).max()), 1e-12)


@settings(max_examples=60, deadline=None)
@given(circuits())
def test_matrix_is_that_of_all_nodes(circuit: tuple[Floats, Wires]) -> None:
    cells, wires = circuit
    error = np.abs(transfer_matrix(cells, wires) - dense_transfer(cells, wires))
    assert error.max() <= 1e-11 * full_scale(cells)


@settings(max_examples=60, deadline=None)
@given(circuits())
def test_voltages_give_the_currents_of_the_matrix(circuit: tuple[Floats, Wires]) -> None:
    cells, wires = circuit
    volts = np.random.default_rng(1).uniform(-1, 1, len(cells))
    found = sensed(solve_linear(cells, wires, volts, 1e-11).across, cells)
    error = np.abs(found - volts @ transfer_matrix(cells, wires))
    assert error.max() <= 1e-10 * full_scale(cells)


@settings(max_examples=30, deadline=None)
@given(circuits())
def test_currents_balance_at_every_node(circuit: tuple[Floats, Wires]) -> None:
    cells, wires = circuit
    volts = np.random.default_rng(1).uniform(-1, 1, len(cells))
    volts[np.isinf(wires.driver_ohm)] = 0  # where the judge holds floating rows without cells
    left_over = unbalanced(cells, wires, volts, solve_linear(cells, wires, volts, 1e-12))
    assert np.abs(left_over).max() <= 1e-9 * full_scale(cells)


def unbalanced(cells: Floats, wires: Wires, volts: Floats, nodes: Nodes) -> Floats:
    """Return the sum of the currents into every node."""
    resistors, count = branches(cells, wires)
    cols = cells.shape[1]
    levels = np.concatenate([nodes.rows.ravel(), nodes.cols.ravel(), np.zeros(cols), volts[::-1]])
    found = np.zeros(len(levels))
    for one, two, siemens in resistors:
        current = siemens * (levels[one] - levels[two])
        found[one] -= current
        found[two] += current
    return found[:count]


@settings(max_examples=30, deadline=None)
@given(circuits())
def test_reciprocity(circuit: tuple[Floats, Wires]) -> None:
    """Sources and virtual grounds can change places: the turned array has the turned matrix."""
    cells, wires = circuit
    driver, sense = np.asarray(wires.driver_ohm), np.asarray(wires.sense_ohm)
    if np.isinf(driver).any():
        driver = np.zeros(len(cells))
    there = Wires(wires.word_ohm, wires.bit_ohm, driver, sense)
    back = Wires(wires.bit_ohm, wires.word_ohm, sense[::-1], driver[::-1])
    forth = transfer_matrix(cells, there)
    turned = transfer_matrix(cells[::-1, ::-1].T, back)[::-1, ::-1].T
    assert np.abs(forth - turned).max() <= 1e-12 * full_scale(cells)


@pytest.mark.parametrize("wires", [Wires(0, 0), Wires(0, 0, 0.0, 0.0)])
def test_wires_without_resistance_change_nothing(wires: Wires) -> None:
    cells = cells_of(13, 9)
    assert (transfer_matrix(cells, wires) == cells).all()


def test_half_the_resistance_is_nearer_to_none() -> None:
    cells, wires = cells_of(40, 24), Wires(2.0, 3.0, 100.0, 50.0)
    errors = [
        np.abs(transfer_matrix(cells, wires.scaled(0.5**halvings)) - cells).max()
        for halvings in range(12)
    ]
    assert all(later < earlier for earlier, later in pairwise(errors))
    assert errors[-1] < 1e-3 * errors[0]


def test_one_cell_is_a_row_of_resistors() -> None:
    found = transfer_matrix(np.array([[1e-4]]), Wires(3.0, 5.0, 100.0, 20.0))
    assert found[0, 0] == pytest.approx(1 / (1e4 + 3 + 5 + 100 + 20), rel=1e-14)


def test_far_cells_have_longer_wires() -> None:
    """Row 0 is farthest from the virtual grounds, column 0 nearest to the sources."""
    found = transfer_matrix(np.full((6, 7), 1e-4), Wires(1.0, 1.0))
    assert (np.diff(found, axis=0) > 0).all()
    assert (np.diff(found, axis=1) < 0).all()


def test_arrays_of_a_stack_do_not_touch() -> None:
    stack = np.stack([cells_of(20, 70, seed) for seed in range(5)])
    driver = np.random.default_rng(0).uniform(0, 100, (5, 20))
    wires = Wires(1.0, 2.0, driver, 10.0)
    together = transfer_matrices(stack, wires, threads=2)
    for cells, ohms, found in zip(stack, driver, together, strict=True):
        alone = transfer_matrix(cells, Wires(1.0, 2.0, ohms, 10.0))
        assert np.abs(found - alone).max() <= 1e-14 * full_scale(cells)


def test_threads_change_nothing() -> None:
    cells, wires = cells_of(130, 70), Wires(1.0, 2.0, 100.0, 10.0)
    volts = np.random.default_rng(0).uniform(-1, 1, 130)
    one, two = (solve_linear(cells, wires, volts, threads=count) for count in (1, 2))
    assert (one.rows == two.rows).all()
    assert (one.cols == two.cols).all()
    matrices = [transfer_matrix(cells, wires, threads=count) for count in (1, 2)]
    assert (matrices[0] == matrices[1]).all()


@pytest.mark.parametrize(
    ("shape", "ohm"),
    [
        ((96, 70), 0.1),
        ((3, 511), 1.0),
        *[pytest.param((512, 512), ohm, marks=pytest.mark.slow) for ohm in (0.1, 1.0, 10.0)],
        pytest.param((257, 129), 10.0, marks=pytest.mark.slow),
    ],
)
def test_large_arrays_against_sparse_elimination(shape: tuple[int, int], ohm: float) -> None:
    cells, wires = cells_of(*shape), Wires(ohm, ohm, 100.0, 50.0)
    volts = np.random.default_rng(2).uniform(0, 0.2, shape[0])
    expected = sparse_currents(cells, wires, volts)
    scale = float((volts @ cells).max())
    nodes = solve_linear(cells, wires, volts, 1e-10, threads=2)
    assert np.abs(sensed(nodes.across, cells) - expected).max() <= 1e-9 * scale
    matrix = transfer_matrix(cells, wires, threads=2)
    assert np.abs(volts @ matrix - expected).max() <= 1e-9 * scale


def sparse_currents(cells: Floats, wires: Wires, volts: Floats) -> Floats:
    """Return the sensed currents by SciPy's LU of all nodes."""
    sparse: Any = pytest.importorskip("scipy.sparse")
    linalg: Any = pytest.importorskip("scipy.sparse.linalg")
    resistors, nodes = branches(cells, wires)
    rows, cols = cells.shape
    one, two, siemens = (np.array(part) for part in zip(*resistors, strict=True))
    one, two = one.astype(int), two.astype(int)
    size = nodes + rows + cols
    one, two = np.where(one < 0, size + one, one), np.where(two < 0, size + two, two)
    ends = np.concatenate([one, two, one, two]), np.concatenate([one, two, two, one])
    values = np.concatenate([siemens, siemens, -siemens, -siemens])
    laplacian = sparse.csc_matrix((values, ends), shape=(size, size))
    held = np.concatenate([np.zeros(cols), volts[::-1]])
    inner = linalg.splu(laplacian[:nodes, :nodes]).solve(-(laplacian[:nodes, nodes:] @ held))
    return -(laplacian[nodes:, :nodes] @ inner)[:cols][::-1]


def test_currents_sneak_through_cells_of_floating_rows() -> None:
    """In a passive array the current of one driven row also takes the ways over rows that float."""
    cells = np.full((2, 2), 1e-4)
    cells[0, 1] = 0
    float_other = Wires(0.0, 0.0, np.array([0.0, np.inf]), np.array([0.0, 1e4]))
    found = transfer_matrix(cells, float_other)
    assert (found[1] == 0).all()
    assert found[0, 0] == pytest.approx(1e-4)
    sneaking = Wires(0.0, 0.0, np.array([0.0, np.inf]), np.array([1e4, 1e4]))
    assert transfer_matrix(cells, sneaking)[0, 1] > 0
    held = Wires(0.0, 0.0, 0.0, np.array([1e4, 1e4]))
    assert transfer_matrix(cells, held)[0, 1] == 0


@pytest.mark.parametrize(
    ("cells", "wires", "part"),
    [
        (np.array([[np.nan]]), Wires(1, 1), "nan S"),
        (np.array([[-1e-6]]), Wires(1, 1), "-1e-06 S"),
        (np.array([[np.inf]]), Wires(1, 1), "inf S"),
        (np.zeros((0, 3)), Wires(1, 1), "shape"),
        (np.zeros(3), Wires(1, 1), "shape"),
        (cells_of(2, 2), Wires(-1, 1), "word_ohm"),
        (cells_of(2, 2), Wires(1, np.inf), "bit_ohm"),
        (cells_of(2, 2), Wires(1, np.nan), "bit_ohm"),
        (cells_of(2, 2), Wires(1, 1, -3.0), "driver_ohm"),
        (cells_of(2, 2), Wires(1, 1, np.zeros(3)), "driver_ohm"),
        (cells_of(2, 2), Wires(1, 1, 0.0, np.inf), "sense_ohm"),
    ],
)
def test_impossible_circuits_are_refused(cells: Floats, wires: Wires, part: str) -> None:
    with pytest.raises(MccError, match="wires-invalid") as caught:
        transfer_matrix(cells, wires)
    assert part in str(caught.value)
    with pytest.raises(MccError, match="wires-invalid"):
        solve_linear(cells, wires, np.zeros(len(cells)))


@pytest.mark.parametrize("volts", [np.zeros(3), np.array([0.0, np.nan]), np.zeros((2, 2))])
def test_sources_fit_the_rows(volts: Floats) -> None:
    with pytest.raises(MccError, match="wires-invalid"):
        solve_linear(cells_of(2, 2), Wires(1, 1), volts)
