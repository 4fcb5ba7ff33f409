"""Crossbars between lines with resistance, and as they age."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

import mcc
from mcc.runtime.wires.effective import WiredCells
from mcc.runtime.wires.trimmed import through_switches
from tests.crossbars import QUIET, from_currents, small_target, whole_vectors, whole_weights
from tests.programmed_arrays import IDEAL_LINES

DRIFT: dict[str, Any] = {
    "cell.drift.exponent_lowest": 0.05,
    "cell.drift.exponent_highest": 0.05,
    "cell.start_seconds": 1.0,
    "cell.valid.latest_seconds": 1e6,
}
ONE_PHASE: dict[str, Any] = {
    "macro.input_form": "sign_magnitude",
    "macro.dac_bits": 8,
    "macro.active_rows": 24,
}


def crossbar(fidelity: str = "wire", /, **changes: Any) -> mcc.Crossbar:
    values = {"macro.adc.bits": 24, "cell.bits": 4, **QUIET, **changes}
    return mcc.Crossbar(whole_weights(7, 29), small_target().with_values(values), fidelity, seed=3)


def test_lines_without_resistance_change_nothing() -> None:
    x = whole_vectors(3, 29)
    ideal, device = crossbar(**IDEAL_LINES), crossbar("device")
    np.testing.assert_allclose(np.asarray(ideal), np.asarray(device), rtol=1e-6, atol=1e-4)
    np.testing.assert_allclose(ideal.currents(x.T), device.currents(x.T), rtol=1e-6)
    assert np.array_equal(ideal.conductances, device.conductances)


@pytest.mark.parametrize("interleaved", [False, True])
def test_converters_see_what_lines_leave(interleaved: bool) -> None:
    lines = {"wires.interleaved": interleaved, "wires.word_ohm": 50.0, "wires.bit_ohm": 50.0}
    a = crossbar(**lines, **ONE_PHASE)
    x, matrix, device = whole_vectors(20, 29), np.asarray(a), crossbar("device", **ONE_PHASE)
    assert np.array_equal(a.conductances, device.conductances)
    # Two row groups and two slices are rounded to whole digits, and digits to 2**-11.
    rounding = 0.5 * 17 * 2 + 0.5 * 2**-11 * 17 * np.abs(x).sum(axis=1).max()
    assert np.abs((a @ x.T).T - x @ matrix.T).max() < rounding
    assert np.abs(x @ matrix.T - x @ np.asarray(device).T).max() > 10 * rounding


def test_currents_pass_the_switches() -> None:
    a, x = crossbar(**{**IDEAL_LINES, "wires.switch_ohm": 2200.0}), np.zeros(29)
    x[11] = 1.0
    seen, _ = through_switches(a.conductances[11], a.target.wires)
    amperes = a.target.wires.read_volt * seen
    np.testing.assert_allclose(a.currents(x).max(axis=(0, 1)), amperes, rtol=1e-6)
    assert (seen < 0.999 * a.conductances[11]).any()


def test_currents_make_the_matrix_of_the_cells() -> None:
    a, x = crossbar(**{"wires.switch_ohm": 0.0}), whole_vectors(3, 29)
    np.testing.assert_allclose(from_currents(a, x), x @ np.asarray(a).T, rtol=1e-5)


def test_currents_follow_the_levels_of_the_drivers() -> None:
    x = whole_vectors(3, 29)
    a = crossbar("device", **{"macro.dac.mismatch": 0.1, "macro.dac_bits": 4})
    exact = crossbar("device", **{"macro.dac_bits": 4})
    rounding = 0.5 * 9 * 17 * 17 * 5
    assert np.abs(from_currents(a, x) - (a @ x.T).T).max() < rounding
    assert np.abs(from_currents(exact, x) - from_currents(a, x)).max() > rounding


def test_ages_that_there_are_not() -> None:
    with pytest.raises(mcc.MccError, match="crossbar-view"):
        crossbar().T.age(1.0)
    with pytest.raises(mcc.MccError, match="conditions"):
        crossbar().age(-1.0)


@pytest.mark.parametrize("products", [True, False])
@pytest.mark.parametrize("law", [{}, {"cell.current.sinh_per_volt": 1.0}])
def test_lines_are_solved_once_for_all_products_and_once_for_all_looks(
    law: dict[str, Any], products: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two macros, from the word lines and from the bit lines, where switches carry less."""
    solved: list[int] = []

    def counted(*args: Any, **options: Any) -> WiredCells:
        solved.append(1)
        return WiredCells(*args, **options)

    monkeypatch.setattr("mcc.runtime.arrays.WiredCells", counted)
    a, x, y = crossbar(**DRIFT, **law), whole_vectors(3, 29), whole_vectors(3, 7)

    def forward() -> NDArray[np.float64]:
        if products:
            _ = a @ x.T, np.asarray(a.T), a[:3].reset() @ x.T
        else:
            _ = a.codes(x.T), a.currents(x.T), a.layer()(torch.tensor(x)), a.clipping(x.T)
            _ = a.calibrate(x.T).codes(x.T), a[:3].currents(x.T)
        return np.asarray(a)

    def backward() -> NDArray[np.float64]:
        if products:
            _ = y @ a, a[:, 2:9].T @ y.T, np.asarray(a)
            return np.asarray(y @ a.reset())
        _ = a.T.codes(y.T), np.asarray(a), a[:, 2:9].T.currents(y.T)
        return a.T.currents(y.T)

    def counted_twice(look: Callable[[], NDArray[np.float64]]) -> NDArray[np.float64]:
        first = look()
        assert len(solved) == 2
        assert np.array_equal(look(), first)
        assert len(solved) == 2
        solved.clear()
        return first

    young = counted_twice(forward), counted_twice(backward)
    for change in (lambda: a.age(1e4), lambda: a.age(1e5), a.program):
        change()
        old = counted_twice(forward), counted_twice(backward)
        assert not np.array_equal(old[0], young[0])
        assert not np.array_equal(old[1], young[1])
    a.program(-whole_weights(7, 29))
    assert np.abs(counted_twice(forward) + young[0]).max() < np.abs(young[0]).max()


@pytest.mark.parametrize("fidelity", ["device", "wire"])
def test_cells_age_and_are_young_when_written(fidelity: str) -> None:
    a, x = crossbar(fidelity, **DRIFT, **ONE_PHASE), whole_vectors(3, 29)
    young, layer = a.conductances, a.layer()
    product: NDArray[np.float64] = a @ x.T
    codes = a.codes(x.T)
    assert a.age(1e4) is a
    np.testing.assert_allclose(a.conductances, young * 1e4**-0.05, rtol=1e-12)
    for aged in (a @ x.T, layer(torch.tensor(x)).detach().numpy().T):
        assert np.linalg.norm(aged / 1e4**-0.05 - product) < 0.05 * np.linalg.norm(product)
    assert not np.array_equal(a.codes(x.T), codes)
    assert np.array_equal(a.age(0).reset() @ x.T, product)
    written = a.age(1e4).program()
    again = crossbar(fidelity, **DRIFT, **ONE_PHASE).program()
    assert np.array_equal(written.conductances, again.conductances)
    assert np.array_equal(written.reset() @ x.T, again.reset() @ x.T)


def test_both_directions_age() -> None:
    a, y = crossbar("device", **DRIFT), whole_vectors(3, 7)
    young = y @ a
    ratio = np.vdot(y @ a.age(1e4), young) / np.vdot(young, young)
    assert abs(ratio - 1e4**-0.05) < 0.02


def test_conditions_beyond_the_model_warn() -> None:
    with pytest.warns(mcc.MccWarning, match="are not all in 0 S to 1e-05 S"):
        crossbar(**{"cell.valid.high_siemens": 1e-5})
    a = crossbar(**DRIFT)
    with pytest.warns(mcc.MccWarning, match="1e\\+07 s after programming is outside of 1 s to 1e"):
        a.age(1e7)
    with pytest.warns(mcc.MccWarning, match="400 K is outside of"):
        a.age(1e3, kelvin=400.0)
    with pytest.raises(mcc.MccError, match="cells are ideal"):
        mcc.Crossbar(whole_weights(7, 29), small_target(), "exact").age(1.0)


def test_stuck_cells_are_measured_or_drawn() -> None:
    low, high = (np.full((24, 64), kind, np.uint8) for kind in (1, 2))
    given: Any = {(0, 0): low, (0, 1): high}
    a = mcc.Crossbar(whole_weights(2, 29), small_target(), "device", stuck=given)
    assert np.array_equal(np.unique(a.stuck[:24]), [1])
    assert np.array_equal(np.unique(a.stuck[24:]), [2])
    assert (a.conductances[:24] == a.target.cell.g_min_siemens).all()
    assert (a.conductances[24:] == a.target.cell.g_max_siemens).all()
    drawn = crossbar("device", **{"cell.stuck_high_fraction": 0.5})
    assert drawn.stuck.shape == drawn.conductances.shape
    held = drawn.conductances[drawn.stuck == 2]
    assert (held == drawn.target.cell.g_max_siemens).all()
    assert abs((drawn.stuck == 2).mean() - 0.5) < 5 * 0.5 / np.sqrt(drawn.stuck.size)
    assert not mcc.Crossbar(whole_weights(2, 29), small_target(), "exact").stuck.any()
    with pytest.raises(mcc.MccError, match="cells are ideal"):
        mcc.Crossbar(whole_weights(2, 29), small_target(), "exact", stuck=given)


def test_device_cards_replace_the_cell() -> None:
    a = mcc.Crossbar(whole_weights(2, 29), device="pcm_joshi")
    assert a.target.cell != mcc.Crossbar(whole_weights(2, 29)).target.cell
    with pytest.raises(mcc.MccError, match="already loaded"):
        mcc.Crossbar(whole_weights(2, 29), small_target(), device="pcm_joshi")


def test_matrices_side_by_side_have_errors_of_their_own() -> None:
    """128 x 64 weights: correlations of equal cells are known to 1 %, of noise to 4 %."""
    weights, x = np.full((64, 128), 1.0), np.ones((128, 600))
    first = mcc.Crossbar(weights, fidelity="device")
    second = mcc.Crossbar(weights, fidelity="device", first_macro=first.macros)
    written = [np.log(it.conductances[it.conductances > 1e-5]) for it in (first, second)]
    assert len(written[0]) == len(written[1])
    assert abs(np.corrcoef(written[0], written[1])[0, 1]) < 0.05
    assert np.array_equal(first.conductances, mcc.Crossbar(weights, fidelity="device").conductances)
    noise = [(it @ x)[0] for it in (first, second)]
    assert abs(np.corrcoef(noise[0], noise[1])[0, 1]) < 5 / np.sqrt(600)


def test_layers_read_by_themselves_and_again_after_a_reset() -> None:
    torch = pytest.importorskip("torch")
    a, x = mcc.Crossbar(np.ones((4, 128)), fidelity="device", macro__adc__noise=2.0), np.ones(128)
    vectors = torch.tensor(np.tile(x, (600, 1)))
    one, two = a.layer(), a.layer()
    first, other = (layer(vectors).detach().numpy()[:, 0] for layer in (one, two))
    assert abs(np.corrcoef(first, other)[0, 1]) < 5 / np.sqrt(600)
    assert not np.array_equal(one(vectors).detach().numpy()[:, 0], first)
    a.reset()
    assert np.array_equal(one(vectors).detach().numpy()[:, 0], first)
