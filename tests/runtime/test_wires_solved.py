"""Tiles whose every input is a circuit of its own: cells and switches as they are."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import optimize  # pyright: ignore[reportMissingTypeStubs]

import mcc
from mcc.ir.diagnostics import MccError
from mcc.ir.hardware import Target
from mcc.ir.hardware.phases import steps
from mcc.runtime.analog import sums_of_cells
from mcc.runtime.arrays import ProgrammedArrays
from mcc.runtime.currents import Currents, TermCurrents, Terms
from mcc.runtime.devices import Read
from mcc.runtime.devices.current import currents
from mcc.runtime.drives import Driven, level_table
from mcc.runtime.fidelity import Fidelity
from mcc.runtime.wires.currents import GatedCurrents
from mcc.runtime.wires.solved import SolvedCurrents
from tests.programmed_arrays import (
    IDEAL_LINES,
    MILO,
    SINH,
    programmed,
    random_codes,
    random_weights,
    small_target,
)

Floats = NDArray[np.float64]
ONE_BY_ONE = {"macro.encoding": "differential", "macro.column_flip": False}
PASSIVE = {"wires.selector": "none"}
NO_SWITCH = {"wires.switch_ohm": 0.0}
ROWS = 16
"""Of the row group that is driven."""


def target_of(*changes: dict[str, Any], solver: str = "newton") -> Target:
    """Return a macro of 48 x 64 cells with lines of 10 ohm."""
    values: dict[str, Any] = {"wires.word_ohm": 10.0, "wires.bit_ohm": 10.0}
    for change in changes:
        values |= change
    return small_target(**values).with_values({"wires.solver": solver})


def analog(target: Target, codes: NDArray[Any]) -> tuple[Floats, Floats]:
    """Return sums and variances (steps, inputs, sums) of the first row group of a tile."""
    arrays = ProgrammedArrays(
        programmed(target, random_weights(), row=5, input_signed=codes.dtype == np.int8),
        Fidelity.WIRE,
        seed=3,
    )
    tile = arrays._tiles[0]  # pyright: ignore[reportPrivateUsage]
    content, around = arrays.seen(0), arrays.periphery(tile, target)
    assert isinstance(content, Read)
    found: Currents | None = arrays.currents(tile, target, content, around)
    if found is None:
        cells = sums_of_cells(content, target)
        spread = None if cells.variances is None else cells.variances[None]
        table = level_table(tile, target, around)
        found = TermCurrents(Terms(table, cells.weights[None], spread), ROWS)
    drives = steps(target.macro, tile.input_bits, tile.input_signed)
    part = codes.reshape(-1, codes.shape[-1])[:, :ROWS]
    groups = [Driven(part, slice(0, ROWS), 0, it, i, None) for i, it in enumerate(drives)]
    sums, variances = zip(*map(found.of, groups), strict=True)
    return np.array(sums), np.array(variances)


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize(
    "changes",
    [
        NO_SWITCH,
        {**NO_SWITCH, "macro.encoding": "offset"},
        {**NO_SWITCH, **ONE_BY_ONE, "wires.interleaved": True},
        PASSIVE,
        {**PASSIVE, "wires.idle_rows": "floating"},
        {**NO_SWITCH, "macro.dac_bits": 4},
        {**NO_SWITCH, "macro.dac_bits": 3, "macro.dac.mismatch": 0.1},
        {**NO_SWITCH, "macro.dac_bits": 3, "macro.input_coding": "pulse_width"},
        {**NO_SWITCH, "wires.feed": "source_line"},
    ],
)
def test_resistors_are_the_matrix_of_the_lines(changes: dict[str, Any], signed: bool) -> None:
    """Where every cell is a resistor both ways agree, but for the 24 bits of the matrix."""
    codes = random_codes(signed=signed)
    if signed and "wires.feed" not in changes:
        changes = {**changes, "macro.input_form": "sign_magnitude"}
    ways = (
        target_of(changes, {"cell.read_noise": 0.0}, solver=it) for it in ("linearised", "newton")
    )
    matrix, solved = (analog(target, codes)[0] for target in ways)
    np.testing.assert_allclose(solved, matrix, atol=1e-6 * np.abs(matrix).max())


@pytest.mark.parametrize("law", [{}, SINH, MILO])
@pytest.mark.parametrize("switch", [True, False])
def test_currents_are_those_of_the_circuit(law: dict[str, Any], switch: bool) -> None:
    """Against all node voltages together, found by another solver."""
    target = target_of(
        law,
        {} if switch else NO_SWITCH,
        {"macro.rows": 8, "macro.cols": 8, "macro.active_rows": 4, "cell.bits": 2},
        {"macro.adc.columns_per_adc": 8, "macro.dac_bits": 2, "wires.read_volt": 0.3},
        {"wires.word_ohm": 200.0, "wires.bit_ohm": 100.0, "cell.read_noise": 0.0},
    )
    weights = np.random.default_rng(0).normal(size=(1, 8))
    matrix = mcc.Crossbar(weights, target, fidelity="wire", seed=3)
    x = np.random.default_rng(1).uniform(size=8)
    found = matrix.currents(x)
    cells = matrix.conductances
    codes = np.rint(x / x.max() * 127).astype(int)
    for group in range(2):
        rows = slice(4 * group, 4 * group + 4)
        for phase in range(4):
            volts = 0.3 / 3 * (codes[rows] >> (2 * phase) & 3)
            left = 100.0 * (4 - 4 * group)
            expected = circuit(target, cells[rows], volts, target.wires.sense_ohm + left)
            scale = np.abs(expected).max()
            np.testing.assert_allclose(found[group, phase], expected, atol=1e-7 * scale)


def circuit(target: Target, cells: Floats, volts: Floats, sense_ohm: float) -> Floats:
    """Return the currents of the columns of cells (4, columns), every node an unknown."""
    macro, wires = target.macro.cols, target.wires
    used, switched = cells.shape[1], wires.switch_ohm > 0
    lowest = np.full((len(cells), macro - used), target.cell.g_min_siemens)
    siemens = np.concatenate([cells, lowest], axis=1)
    over = wires.gate_volt - wires.threshold_volt

    def carried(nodes: Floats) -> tuple[Floats, Floats]:
        row, col, inner = nodes.reshape(3, *siemens.shape)
        cell = currents(siemens, row - inner, target.cell.current)
        if not switched:
            return cell, inner - col
        triode = (over - col) ** 2 - np.maximum(over - inner, 0) ** 2
        return cell, (cell - triode / (2 * wires.switch_ohm * over)) * 1e4

    def unbalanced(nodes: Floats) -> Floats:
        row, col, _ = nodes.reshape(3, *siemens.shape)
        cell, inside = carried(nodes)
        before = np.concatenate([volts[:, None], row[:, :-1]], axis=1)
        ohm = np.full(row.shape, wires.word_ohm)
        ohm[:, 0] += wires.driver_ohm
        onward = (before - row) / ohm
        to_cells = onward - np.concatenate([onward[:, 1:], np.zeros((len(row), 1))], axis=1) - cell
        after = np.concatenate([col[1:], np.zeros((1, macro))])
        ohm = np.full(row.shape, wires.bit_ohm)
        ohm[-1] += sense_ohm
        down = (col - after) / ohm
        from_cells = cell + np.concatenate([np.zeros((1, macro)), down[:-1]]) - down
        return np.concatenate([to_cells.ravel() * 1e4, from_cells.ravel() * 1e4, inside.ravel()])

    start = np.zeros((3, *siemens.shape))
    start[0] = volts[:, None]
    solution: Any = cast(Any, optimize).root(unbalanced, start.ravel(), method="hybr", tol=1e-13)
    assert np.abs(unbalanced(solution.x)).max() < 1e-10
    return carried(solution.x)[0].sum(axis=0)[:used]


@pytest.mark.parametrize("law", [SINH, MILO])
@pytest.mark.parametrize("coding", ["level", "pulse_width"])
def test_levels_of_cells_with_a_law_without_lines_are_those_at_device(
    law: dict[str, Any], coding: str
) -> None:
    levels = {"macro.dac_bits": 3, "macro.input_coding": coding, "cell.read_noise": 0.0}
    target = target_of(law, levels, IDEAL_LINES)
    program, codes = programmed(target, random_weights()), random_codes()
    wire, device = (
        ProgrammedArrays(program, fidelity, 3).multiply(0, codes)
        for fidelity in (Fidelity.WIRE, Fidelity.DEVICE)
    )
    np.testing.assert_array_equal(wire, device)


@pytest.mark.parametrize(
    "changes",
    [{}, PASSIVE, {**ONE_BY_ONE, "wires.interleaved": True}, {"wires.feed": "source_line"}],
)
def test_noise_of_reads_is_that_of_cells_that_move(changes: dict[str, Any]) -> None:
    """200 solutions of other cells: their variance is known to 10 % (one standard deviation).

    The mean over 28 sums is held to 10 %: what arrives past cells on word lines that give way, the
    propagated variance leaves out.
    """
    target = target_of(changes, SINH, {"cell.read_noise": 0.05})
    codes = random_codes()[:1, 2:3]
    _, variances = analog(target, codes)
    program = programmed(target, random_weights(), row=5)
    arrays = ProgrammedArrays(program, Fidelity.WIRE, seed=3)
    cells = arrays._content(0)  # pyright: ignore[reportPrivateUsage]
    assert isinstance(cells, Read)
    tile, random = program.tiles[0], np.random.default_rng(4)
    drives, part = steps(target.macro, 8, False)[7], codes.reshape(1, -1)[:, :ROWS]
    found: list[Floats] = []
    for _ in range(200):
        noisy = cells.siemens * (1 + 0.05 * random.standard_normal(cells.shape))
        table = level_table(tile, target, arrays.periphery(tile, target))
        one: Currents = SolvedCurrents(tile, target, Read(noisy, None), table)
        if changes.get("wires.feed"):
            columns = slice(tile.col, tile.col + 2 * variances.shape[2])
            inside = noisy[tile.row : tile.row + tile.rows, columns]
            one = GatedCurrents(tile, target, Read(inside, None))
        found.append(one.of(Driven(part, slice(0, ROWS), 0, drives, 7, None))[0][0])
    ratio = variances[7, 0] / np.var(found, axis=0, ddof=1)
    assert abs(np.exp(np.log(ratio).mean()) - 1) < 0.1
    assert (abs(ratio - 1) < 0.5).all()


@pytest.mark.parametrize("changes", [{}, {**ONE_BY_ONE, "wires.interleaved": True}])
def test_the_matrix_is_that_of_full_drive(changes: dict[str, Any]) -> None:
    """Far from the linearised one; what remains is the rounding of converters."""
    exact = {"macro.accumulation": "analog", "cell.read_noise": 0.0, "wires.bit_ohm": 30.0}
    weights, found = np.random.default_rng(0).normal(size=(4, 16)), dict[str, Floats]()
    for solver in ("newton", "linearised"):
        target = target_of(changes, exact, {"cell.current.sinh_per_volt": 15.0}, solver=solver)
        matrix = mcc.Crossbar(weights, target, fidelity="wire", seed=0)
        found[solver] = np.asarray(matrix).sum(axis=1)
        product = matrix @ np.ones(16)
        np.testing.assert_allclose(found[solver], product, atol=0.01 * np.abs(product).max())
    apart = np.abs(found["newton"] - found["linearised"])
    assert apart.max() > 0.05 * np.abs(product).max()


def test_what_word_lines_cannot_do_is_refused() -> None:
    target = target_of(solver="newton")
    matrix = mcc.Crossbar(np.eye(4), target, fidelity="wire", seed=0)
    with pytest.raises(MccError, match="drives word lines only"):
        _ = matrix.T @ np.ones(4)
    with pytest.raises(MccError, match="depends on all inputs together"):
        matrix.layer()


def test_voltages_beyond_the_law_are_refused() -> None:
    target = target_of({**SINH, "cell.current.limit_volt": 0.25, "wires.read_volt": 0.2})
    codes = random_codes()[:1, :2]
    analog(target, codes)
    high = target.with_values({"wires.read_volt": 0.3})
    with pytest.raises(MccError, match="is not known"):
        analog(high, codes)
