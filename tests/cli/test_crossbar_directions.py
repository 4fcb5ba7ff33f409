"""Crossbars driven at their bit lines: the same cells, the other way round."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import mcc
from mcc.ir.hardware.encoding import digit_values
from mcc.ir.hardware.phases import phases
from mcc.runtime.converters.drivers import driver_levels
from mcc.runtime.devices import unit_siemens
from mcc.runtime.devices.current import currents
from mcc.runtime.random import MacroPlace
from mcc.runtime.transposed import transposed_target
from mcc.runtime.wires.cells import Polynomial, Switched, Transistor
from mcc.runtime.wires.trimmed import read_alone, through_switches
from tests.crossbars import QUIET, small_target, whole_vectors, whole_weights
from tests.programmed_arrays import IDEAL_CELLS, IDEAL_LINES, MILO, SINH

FINE: dict[str, Any] = {
    "macro.adc.bits": 24,
    "macro.input_form": "sign_magnitude",
    "macro.dac_bits": 8,
    "macro.input_coding": "pulse_width",
    "cell.bits": 4,
}
"""One phase and two slices, so that codes are rounded little; every voltage is the same."""
ROUNDING = 0.5 * 17 * 2 * 2
"""Of two row groups, or of two turns, for each of two slices of the worths 1 and 16."""
LINES: dict[str, Any] = {"wires.switch_ohm": 0.0, "wires.word_ohm": 50.0, "wires.bit_ohm": 50.0}


def crossbar(fidelity: str = "wire", /, **changes: Any) -> mcc.Crossbar:
    target = small_target().with_values({**QUIET, **FINE, **changes})
    seed = 3 if fidelity in ("device", "wire") else None
    return mcc.Crossbar(whole_weights(7, 16), target, fidelity, seed)


@pytest.mark.parametrize("fidelity", ["exact", "converter", "device", "wire"])
def test_ideal_products_are_adjoint(fidelity: str) -> None:
    ideal = {**IDEAL_CELLS, **IDEAL_LINES} if fidelity == "wire" else IDEAL_CELLS
    a, x, y = crossbar(fidelity, **ideal), whole_vectors(9, 16), whole_vectors(9, 7)
    assert np.array_equal(((y @ a) * x).sum(axis=1), (y * (a @ x.T).T).sum(axis=1))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"wires.interleaved": True},
        {"wires.selector": "none"},
        {"wires.selector": "none", "wires.idle_rows": "floating", "macro.active_rows": 8},
        {"macro.encoding": "offset"},
        {"macro.encoding": "offset", "macro.column_flip": True},
        SINH,
    ],
)
def test_lines_are_reciprocal(changes: dict[str, Any]) -> None:
    """Both directions multiply by one matrix, in which a cell has what lines leave of it."""
    a, x, y = crossbar(**{**LINES, **changes}), whole_vectors(20, 16), whole_vectors(20, 7)
    matrix, device = np.asarray(a), np.asarray(crossbar("device", **{**LINES, **changes}))
    fixed_point = 0.5 * 2**-11 * 17 * np.abs(y).sum(axis=1).max()
    turned = ROUNDING + fixed_point
    assert np.abs(y @ a - y @ matrix).max() < turned
    assert np.abs(a @ x.T - matrix @ x.T).max() < 2 * turned
    assert np.abs(y @ device - y @ matrix).max() > 10 * turned


@pytest.mark.parametrize("law", [{}, SINH, MILO])
def test_switches_lose_gate_voltage_to_the_cells_behind_them(law: dict[str, Any]) -> None:
    """The same square law of the transistor, its drain at the driven bit line."""
    target = small_target().with_values(law)
    wires, cells = target.wires, np.geomspace(1e-6, 2e-4, 9)
    seen, slopes = read_alone(cells, target, switches=True, turned=True)
    if not law:
        resistors, switch = (
            Polynomial(cells),
            Transistor(wires.switch_ohm, wires.threshold_volt, wires.gate_volt),
        )
        bit_line = np.full_like(cells, wires.read_volt)
        amperes, _ = Switched(resistors, switch).at(np.zeros_like(cells), bit_line)
        np.testing.assert_allclose(-amperes / wires.read_volt, seen, rtol=1e-9)
        np.testing.assert_allclose(through_switches(cells, wires, turned=True)[0], seen)
        assert (seen < through_switches(cells, wires)[0]).all()
    over = wires.gate_volt - wires.threshold_volt
    source = over - np.sqrt(
        (over - wires.read_volt) ** 2 + 2 * seen * wires.read_volt * wires.switch_ohm * over
    )
    expected = currents(cells, source, target.cell.current)
    np.testing.assert_allclose(seen * wires.read_volt, expected, rtol=1e-9)
    ahead, behind = (
        read_alone(cells * (1 + s), target, switches=True, turned=True)[0] for s in (1e-5, -1e-5)
    )
    np.testing.assert_allclose(slopes, (ahead - behind) / (2e-5 * cells), rtol=1e-4)


@pytest.mark.parametrize("fidelity", ["device", "wire"])
def test_currents_of_word_lines_make_the_product(fidelity: str) -> None:
    a, y = crossbar(fidelity, **LINES), whole_vectors(20, 7)
    target, cell = a.target, a.target.cell
    macro = transposed_target(target).macro
    found = a.T.currents(y.T)
    worths = np.array([phase.worth for phase in phases(macro, 8, True)])
    values = digit_values(target.macro, cell, 8)
    assert found.shape == (20, 1, len(worths), len(values), 16)
    unit = (cell.g_max_siemens - cell.g_min_siemens) / (2**cell.bits - 1) * target.wires.read_volt
    sums = np.einsum("bgptn,p,t->bn", found, worths, values) / unit
    np.testing.assert_allclose(sums, y @ np.asarray(a), rtol=1e-5, atol=1e-3)
    np.testing.assert_allclose(a.T.currents(y[0]), found[0], rtol=1e-9, atol=1e-15)


@pytest.mark.parametrize("law", [{}, SINH, MILO])
def test_cells_see_the_opposite_voltage_of_a_driver_of_their_own(law: dict[str, Any]) -> None:
    """The current out of a word line is minus that of a cell at minus the voltage."""
    changes = {"macro.input_coding": "level", "macro.dac_bits": 3, "macro.dac.mismatch": 0.1}
    a = crossbar("device", **{**changes, **law})
    target, place = a.target, MacroPlace(3, 0, 0)
    levels = driver_levels(transposed_target(target).macro, place)
    assert levels is not None
    y = np.zeros(7)
    y[4] = -5.0  # the other elements are 0, so that this one has the code -127: -7, -7 and -1
    found, (width,) = a.T.currents(y), {len(digit_values(target.macro, target.cell, 8))}
    for turn in range(width):
        column = 4 * width + turn
        cells: NDArray[np.float64] = a.conductances[:, column]
        volts = -levels[column, 7] / 7 * target.wires.read_volt
        expected = -currents(cells, -volts, target.cell.current)
        np.testing.assert_allclose(found[0, 0, turn], expected, rtol=1e-9)


def test_the_converters_of_bit_lines_are_switched_to_the_word_lines() -> None:
    """Their offsets show where nothing is driven: eight lines to each, the same in each turn."""
    changes = {"macro.adc.bits": 8, "macro.adc.offset": 5.0}
    a = crossbar("device", **changes)
    at_bit_lines, at_word_lines = a.codes(np.zeros(16)), a.T.codes(np.zeros(7))
    per_weight = len(digit_values(a.target.macro, a.target.cell, 8))
    for line in range(16):
        first, rest = divmod(line // 8 * 8, per_weight)
        assert (at_word_lines[..., line] == at_bit_lines[0, 0, rest // 2, first]).all()
    assert np.ptp(at_word_lines) > 0
    assert not crossbar("converter", **changes).T.codes(np.zeros(7)).any()


@pytest.mark.parametrize("field", ["macro.adc.noise", "macro.dac.noise"])
def test_noise_of_converters_and_drivers_reaches_word_lines(field: str) -> None:
    """Every turn has noise of its own; what 4000 reads know of a variance bounds it."""
    reads, noise = 4_000, 3.0
    a = crossbar("device", **{**IDEAL_CELLS, field: noise, "macro.adc.bits": 16})
    y, macro, cell = whole_vectors(1, 7), a.target.macro, a.target.cell
    found = np.tile(y, (reads, 1)) @ a
    squares = np.square(digit_values(macro, cell, 8))
    step = a.T.step
    assert isinstance(step, int)
    each = np.full((len(squares), 16), step**2 * noise**2)
    if field == "macro.dac.noise":
        digits = (a.conductances - cell.g_min_siemens) / unit_siemens(cell)
        each = noise**2 * np.square(digits).reshape(16, 7, -1).sum(axis=1).T
    variance = squares @ (each + step**2 / 12)
    bound = 5 * np.sqrt(variance / reads)
    assert (np.abs(found.mean(axis=0) - y[0] @ whole_weights(7, 16)) < bound).all()
    assert np.abs(found.var(axis=0) / variance - 1).max() < 5 * np.sqrt(2 / reads)


def test_signs_of_transposed_inputs_do_not_depend_on_the_other_direction() -> None:
    """Inputs without sign one way, inputs with sign the other, between drivers that err."""
    target = small_target(macro__dac__mismatch=1e-9, macro__adc__bits=20).with_values(IDEAL_CELLS)
    a = mcc.Crossbar(whole_weights(7, 16), target, "device", input_range=(0.0, 255.0))
    y = whole_vectors(5, 7)
    assert np.array_equal(y @ a, y @ whole_weights(7, 16))


def test_gates_of_switches_cannot_be_sensed() -> None:
    a = crossbar(
        **{
            "wires.feed": "source_line",
            "macro.dac_bits": 1,
            "macro.input_form": "twos_complement",
        }
    )
    for ask in (
        lambda: np.ones(7) @ a,
        lambda: a.T.codes(np.ones(7)),
        lambda: a.T.clipping(np.ones(7)),
    ):
        with pytest.raises(mcc.MccError, match="carry no current") as caught:
            ask()
        assert caught.value.diagnostics[0].code == "crossbar-direction"
