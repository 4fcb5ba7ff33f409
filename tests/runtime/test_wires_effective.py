"""What the lines of a macro leave of its cells, and what programmed arrays make of it."""

from __future__ import annotations

import dataclasses
from decimal import Decimal, localcontext
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from mcc.backends.crossbar import targets
from mcc.ir.diagnostics import MccError
from mcc.ir.hardware import Target
from mcc.runtime.arrays import ProgrammedArrays
from mcc.runtime.devices import Read
from mcc.runtime.fidelity import Fidelity
from mcc.runtime.wires.circuit import Wires
from mcc.runtime.wires.effective import WiredCells
from mcc.runtime.wires.oracle import dense_transfer
from mcc.runtime.wires.transfer import transfer_matrices
from mcc.runtime.wires.trimmed import Trimmed, through_switches
from tests.programmed_arrays import (
    ENCODINGS,
    IDEAL,
    IDEAL_LINES,
    product,
    programmed,
    random_codes,
    random_weights,
    small_target,
)

Floats = NDArray[np.float64]

GATED = {"wires.feed": "source_line"}
GROUPS = [(5, 21), (21, 37), (37, 40)]


def wired_target(**changes: Any) -> Target:
    """Return a macro of 48 x 64 cells with lines of 10 ohm."""
    ohms = {"wires__word_ohm": 10.0, "wires__bit_ohm": 20.0, "wires__source_ohm": 5.0}
    return small_target(**(ohms | changes))


def macro_cells(target: Target, seed: int = 0) -> Floats:
    random = np.random.default_rng(seed)
    low, high = target.cell.g_min_siemens, target.cell.g_max_siemens
    return random.uniform(low, high, (target.macro.rows, target.macro.cols))


def effective(cells: Floats, target: Target) -> tuple[Floats, Floats]:
    read = Read(cells, target.cell.read_noise * cells)
    found = WiredCells(read, target, GROUPS).of(GROUPS)
    assert found.sigma is not None
    return found.siemens, found.sigma


def lines_of(target: Target, driver: Floats | float | None = None) -> Wires:
    wires = target.wires
    ohm = wires.driver_ohm if driver is None else driver
    return Wires(wires.word_ohm, wires.bit_ohm, ohm, wires.sense_ohm)


def test_closed_switches_leave_the_lines_only() -> None:
    target = wired_target(macro__cols=16)
    cells = macro_cells(target)
    found, _ = effective(cells, target)
    seen, _ = through_switches(cells, target.wires)
    for group in GROUPS:
        alone = np.zeros_like(seen)
        alone[slice(*group)] = seen[slice(*group)]
        expected = dense_transfer(alone, lines_of(target))[slice(*group)]
        part = found[group[0] - 5 : group[1] - 5]
        np.testing.assert_allclose(part, Trimmed(target).conductances(expected), rtol=1e-9)


@pytest.mark.parametrize("idle_rows", ["grounded", "floating"])
def test_without_switches_all_rows_stay_connected(idle_rows: str) -> None:
    target = wired_target(macro__cols=16, wires__selector="none", wires__idle_rows=idle_rows)
    cells = macro_cells(target)
    found, _ = effective(cells, target)
    for group in GROUPS:
        driver = np.full(48, np.inf if idle_rows == "floating" else target.wires.driver_ohm)
        driver[slice(*group)] = target.wires.driver_ohm
        expected = dense_transfer(cells, lines_of(target, driver))[slice(*group)]
        np.testing.assert_allclose(found[group[0] - 5 : group[1] - 5], expected, rtol=1e-9)


def test_interleaved_pairs_share_a_bit_line() -> None:
    """Driven by opposite voltages, a pair of equal cells leaves its bit line without current."""
    target = wired_target(macro__cols=16, wires__interleaved=True)
    cells = macro_cells(target)
    found, _ = effective(cells, target)
    seen, _ = through_switches(cells, target.wires)
    alone = np.zeros((96, 8))
    alone[10:42:2], alone[11:42:2] = seen[5:21, 0::2], seen[5:21, 1::2]
    expected = Trimmed(target).conductances(dense_transfer(alone, lines_of(target))[10:42])
    np.testing.assert_allclose(found[:16, 0::2], expected[0::2], rtol=1e-9)
    np.testing.assert_allclose(found[:16, 1::2], expected[1::2], rtol=1e-9)


def test_switches_carry_what_the_square_law_says() -> None:
    target = wired_target()
    wires, cells = target.wires, np.array([1e-7, 1e-5, 3e-5, 1e-3])
    seen, slopes = through_switches(cells, wires)
    over = wires.gate_volt - wires.threshold_volt
    switch_volts = wires.read_volt * (1 - seen / cells)
    square = (over * switch_volts - switch_volts**2 / 2) / (wires.switch_ohm * over)
    np.testing.assert_allclose(seen * wires.read_volt, square, rtol=1e-9)
    step = 1e-5
    ahead, behind = (through_switches(cells * (1 + s), wires)[0] for s in (step, -step))
    np.testing.assert_allclose(slopes, (ahead - behind) / (2 * step * cells), rtol=1e-6)


@pytest.mark.parametrize("turned", [False, True])
def test_switches_keep_the_digits_of_cells_of_any_conductance(turned: bool) -> None:
    """The square law solved with 1,000 digits."""
    wires = wired_target().wires
    cells = np.logspace(-300, 300, 31)
    seen, _ = through_switches(cells, wires, turned)
    with localcontext(prec=1000):
        read, ohm = Decimal(wires.read_volt), Decimal(wires.switch_ohm)
        over = Decimal(wires.gate_volt - wires.threshold_volt)
        slope, bend = (over - read, Decimal(-1)) if turned else (over, Decimal(1))
        for found, cell in zip(seen, map(Decimal, cells.tolist()), strict=True):
            # ratio (read - x) = slope x - bend x^2 / 2, with the ratio in volt
            ratio = cell * ohm * over
            root = ((ratio + slope) ** 2 - 2 * bend * ratio * read).sqrt()
            switch_volts = 2 * ratio * read / (ratio + slope + root)
            exact = cell * (1 - switch_volts / read)
            assert abs(Decimal(float(found)) / exact - 1) < Decimal("1e-14")


def test_converters_are_trimmed_to_the_ends_of_the_scale() -> None:
    target = wired_target()
    ends = np.array([target.cell.g_min_siemens, target.cell.g_max_siemens])
    seen, _ = through_switches(ends, target.wires)
    np.testing.assert_allclose(Trimmed(target).conductances(seen), ends, rtol=1e-12)


def test_noise_of_reads_is_that_of_arrays_solved_again() -> None:
    """600 reads know a spread to 3 %: the bound is four of these, and the columns are averaged."""
    target = wired_target(wires__word_ohm=2.0, wires__bit_ohm=2.0)
    cells, random = macro_cells(target), np.random.default_rng(1)
    deviations = 0.02 * cells
    opened = random.random(16) < 0.5
    found = WiredCells(Read(cells, deviations), target, GROUPS[:1]).of(GROUPS[:1])
    conductances, spread = found.siemens, found.sigma
    assert spread is not None
    predicted = np.sqrt(np.square(spread[opened]).sum(axis=0))
    noisy = cells + deviations * random.normal(size=(600, *cells.shape))
    wires, rows_after = target.wires, 48 - GROUPS[0][1]
    sense = wires.sense_ohm + rows_after * wires.bit_ohm
    lines = Wires(wires.word_ohm, wires.bit_ohm, wires.driver_ohm, sense)
    seen, _ = through_switches(noisy[:, slice(*GROUPS[0])], wires)
    solved = Trimmed(target).conductances(transfer_matrices(seen, lines))
    reads = solved[:, opened].sum(axis=1)
    mean_error = np.abs(reads.mean(axis=0) - conductances[opened].sum(axis=0))
    assert (mean_error < 5 * predicted / np.sqrt(600) + 1e-3 * predicted.max()).all()
    ratio = reads.std(axis=0) / predicted
    assert abs(ratio.mean() - 1) < 0.06
    assert (np.abs(ratio - 1) < 0.15).all()


def test_noise_of_reads_follows_the_rise_of_long_lines() -> None:
    """A cell by itself would see up to 2.5 times the variance, with half of the rows driven.

    What is exact comes from arrays solved again with a row changed: other columns hardly move.
    """
    target, random = targets.load("rram40nm"), np.random.default_rng(0)
    wires, cell, rows = target.wires, target.cell, (64, 32)
    for density in (1.0, 0.5, 0.25):
        low = random.random((512, rows[1])) < density
        cells = np.where(low, cell.g_max_siemens, cell.g_min_siemens)
        opened = (np.arange(64) % 2).astype(np.float64)
        found = WiredCells(Read(cells, 0.02 * cells), target, [(0, 64)]).of([(0, 64)])
        assert found.sigma is not None
        sense = wires.sense_ohm + 448 * wires.bit_ohm
        lines = Wires(wires.word_ohm, wires.bit_ohm, wires.driver_ohm, np.full(rows[1], sense))
        seen, slopes = through_switches(cells[:64], wires)
        before, exact = opened @ transfer_matrices(seen[None], lines)[0], np.zeros(rows[1])
        for row in range(64):
            other = seen.copy()
            other[row] *= 1.0001
            moved = (opened @ transfer_matrices(other[None], lines)[0] - before) / 1e-4 / seen[row]
            exact += np.square(0.02 * cells[row] * slopes[row] * moved)
        exact = np.square(Trimmed(target).changes(np.sqrt(exact)))
        predicted = opened @ np.square(found.sigma)
        assert 0.95 < predicted.mean() / exact.mean() < 1.45


@pytest.mark.parametrize(("encoding", "flip"), ENCODINGS)
@pytest.mark.parametrize("changes", [{}, GATED])
@pytest.mark.parametrize("signed", [False, True])
def test_ideal_lines_give_the_exact_product(
    encoding: str, flip: bool, changes: dict[str, Any], signed: bool
) -> None:
    target = small_target(macro__encoding=encoding, macro__column_flip=flip)
    target = target.with_values(IDEAL | changes)
    codes, weights = random_codes(signed=signed), random_weights()
    program = programmed(target, weights, input_signed=signed)
    sums = ProgrammedArrays(program, Fidelity.WIRE).multiply(0, codes)
    assert (sums == product(codes, weights)).all()


@pytest.mark.parametrize("changes", [{}, GATED])
def test_lines_without_resistance_leave_the_device(changes: dict[str, Any]) -> None:
    """Write errors and read noise are the same numbers; rounding may move a sum by a code."""
    target = small_target().with_values(IDEAL_LINES | changes)
    program = programmed(target, random_weights(), row=3, col=2)
    codes = random_codes(shape=(8, 25, 37))
    wire, device = (
        ProgrammedArrays(program, fidelity, seed=4).multiply(0, codes)
        for fidelity in (Fidelity.WIRE, Fidelity.DEVICE)
    )
    assert (wire == device).mean() > 0.95
    assert np.abs(wire - device).max() <= 2**14


@pytest.mark.parametrize(
    "changes", [{}, {"wires.interleaved": True}, {"wires.selector": "none"}, GATED]
)
def test_less_resistance_is_nearer_to_the_device(changes: dict[str, Any]) -> None:
    quiet = {"cell.read_noise": 0.0}
    target = wired_target(wires__switch_ohm=0.0).with_values(changes | quiet)
    wires = target.wires
    names = ("word_ohm", "bit_ohm", "source_ohm", "driver_ohm", "sense_ohm")
    codes, weights = random_codes(), random_weights()
    device = ProgrammedArrays(programmed(target, weights), Fidelity.DEVICE, 2).multiply(0, codes)
    errors: list[float] = []
    for factor in (1.0, 0.25, 0.0625, 0.0):
        ohms = {f"wires.{name}": factor * getattr(wires, name) for name in names}
        program = programmed(target.with_values(ohms), weights)
        sums = ProgrammedArrays(program, Fidelity.WIRE, 2).multiply(0, codes)
        errors.append(float(np.square(sums - device, dtype=float).mean()))
    assert errors[0] > errors[1] > errors[2] >= errors[3]


@pytest.mark.parametrize("changes", [{}, GATED])
def test_wired_chips_depend_on_the_seed_only(changes: dict[str, Any]) -> None:
    target = wired_target().with_values(changes)
    program, codes = programmed(target, random_weights()), random_codes()
    sums = [
        ProgrammedArrays(program, Fidelity.WIRE, seed, threads).multiply(0, codes)
        for seed, threads in ((7, 1), (7, 2), (8, 1))
    ]
    assert (sums[0] == sums[1]).all()
    assert (sums[0] != sums[2]).any()


def test_gated_noise_is_that_of_columns_solved_again() -> None:
    """The spread of many reads is that of circuits whose cells have moved."""
    target = wired_target(
        wires__bit_ohm=2.0, cell__write_error=0.0, **{"wires__feed": "source_line"}
    )
    program = programmed(target, random_weights(), input_bits=1)
    codes = np.tile(random_codes(1, shape=(1, 2, 37))[:, :1], (400, 1, 1))
    chip = ProgrammedArrays(program, Fidelity.WIRE, 3)
    noisy = chip.multiply(0, codes)[:, 0]
    quiet = dataclasses.replace(program, target=target.with_values({"cell.read_noise": 0.0}))
    expected = ProgrammedArrays(quiet, Fidelity.WIRE, 3).multiply(0, codes[:1])[0, 0]
    spread = noisy.std(axis=0)
    assert (np.abs(noisy.mean(axis=0) - expected) < 6 * spread / 20 + 1).all()
    device = ProgrammedArrays(program, Fidelity.DEVICE, 3).multiply(0, codes)[:, 0]
    assert (spread <= 1.15 * device.std(axis=0) + 0.5).all()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"wires.feed": "source_line", "wires.selector": "none"}, "Source lines need switches"),
        ({"wires.feed": "source_line", "macro.dac_bits": 2}, "Source lines need switches"),
        ({"wires.feed": "source_line", "wires.interleaved": True}, "fed by their word lines"),
        ({"wires.interleaved": True, "macro.encoding": "offset"}, "differential encoding"),
        ({"wires.threshold_volt": 1.0}, "above its threshold"),
    ],
)
def test_lines_that_cannot_be(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(MccError, match=said):
        small_target().with_values(changes)
