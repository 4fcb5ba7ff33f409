"""Laws of crossbars over all that a macro can be: ideal ones are exact, codes make the product."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import mcc
from mcc.ir.hardware import Target
from mcc.ir.hardware.encoding import physical_columns, sum_values
from mcc.runtime.level_currents import resistive
from tests.crossbars import (
    QUIET,
    from_codes,
    from_turned_codes,
    small_target,
    whole_vectors,
    whole_weights,
)
from tests.programmed_arrays import IDEAL_CELLS, MILO, SINH

KINDS = ["sar", "ramp", "pipeline", "cyclic", "flash"]
OHMIC = small_target().cell.current
ENCODINGS: list[dict[str, Any]] = [
    {"encoding": "offset", "column_flip": False},
    {"encoding": "offset", "column_flip": True},
    *(
        {"encoding": "differential", "subtraction": place, "differential": form}
        for place in ("before", "after")
        for form in ("one_sided", "two_sided")
    ),
    *(
        {"encoding": "offset", "column_flip": False, "reference": "column", "subtraction": place}
        for place in ("before", "after")
    ),
]
REAL_CONVERTERS: dict[str, Any] = {
    "macro.adc.kind": "sar",
    "macro.adc.bits": 9,
    "macro.adc.mismatch": 0.05,
    "macro.adc.offset": 2.0,
    "macro.adc.gain_error": 0.05,
    "macro.adc.nonlinearity": 0.5,
}
REAL_DRIVERS: dict[str, Any] = {"macro.dac.mismatch": 0.1, "macro.dac_bits": 2}


@st.composite
def layouts(draw: st.DrawFn) -> dict[str, Any]:
    """Draw what tells one macro from another."""
    bits = draw(st.integers(1, 4))
    changes: dict[str, Any] = {
        "cell__bits": bits,
        "macro__slice_overlap": draw(st.integers(0, 2**bits - 2)),
        "macro__dac_bits": draw(st.integers(1, 8)),
        "macro__active_rows": draw(st.sampled_from([5, 8, 24])),
        "macro__input_form": draw(st.sampled_from(["twos_complement", "sign_magnitude"])),
        "macro__accumulation": draw(st.sampled_from(["digital", "analog"])),
        "macro__input_coding": draw(st.sampled_from(["level", "pulse_width"])),
    }
    encoding = {f"macro__{key}": value for key, value in draw(st.sampled_from(ENCODINGS)).items()}
    return {**changes, **encoding}


def has_codes(target: Target) -> bool:
    """Whether the codes of single columns make the product."""
    return not target.macro.column_flip and target.macro.reference == "digital"


def has_transpose(a: mcc.Crossbar) -> bool:
    """Whether word lines can be sensed."""
    return a.target.macro.reference == "digital" or a.fidelity == "exact"


@given(layout=layouts(), fidelity=st.sampled_from(["exact", "converter", "device"]))
@settings(max_examples=25, deadline=None, phases=[Phase.generate])
def test_ideal_cells_give_the_exact_product(layout: dict[str, Any], fidelity: str) -> None:
    weights, x, y = whole_weights(7, 29), whole_vectors(3, 29), whole_vectors(3, 7)
    a = mcc.Crossbar(weights, small_target(**layout).with_values(IDEAL_CELLS), fidelity)
    assert np.array_equal(x @ a.T, x @ weights.T)
    if has_transpose(a):
        assert np.array_equal(y @ a, y @ weights)
    if has_codes(a.target):
        assert np.array_equal(from_codes(a, x), x @ weights.T)
    np.testing.assert_allclose(np.asarray(a), weights, rtol=0, atol=1e-4)


@st.composite
def ratios(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a layout whose slices are worth no whole numbers."""
    layout, tenth = draw(layouts()), draw(st.integers(1, 9)) / 10
    overlap = layout["macro__slice_overlap"] + tenth
    guards = draw(st.integers(1, 2))
    return {**layout, "macro__slice_overlap": overlap, "macro__guard_slices": guards}


@given(layout=ratios(), fidelity=st.sampled_from(["exact", "converter", "device"]))
@settings(max_examples=25, deadline=None, phases=[Phase.generate])
def test_slices_of_any_ratio_multiply_by_what_they_hold(
    layout: dict[str, Any], fidelity: str
) -> None:
    """Both ways and as a layer; each of the tiles rounds its sums to whole numbers."""
    torch = pytest.importorskip("torch")
    weights, x, y = whole_weights(7, 29), whole_vectors(3, 29), whole_vectors(3, 7)
    target = small_target(macro__cols=128, **layout).with_values(IDEAL_CELLS)
    a = mcc.Crossbar(weights, target, fidelity)
    held = np.asarray(a)
    across = 128 // physical_columns(target.macro, target.cell, 8)
    rounding = 0.0 if fidelity == "exact" else 1.0 * max(2, -(-7 // (across - 1))) + 0.01
    lowest = np.abs(sum_values(a.target.macro, a.target.cell, 8)).min()
    columns = 2 if target.macro.reference == "column" else 1
    missed = 1e-4 if fidelity == "exact" else columns * lowest / 2 + 1e-4
    assert np.abs(held - weights).max() <= missed
    exact = weights if fidelity == "exact" else held
    assert np.abs(x @ a.T - x @ exact.T).max() <= rounding
    if has_transpose(a):
        assert np.abs(y @ a - y @ exact).max() <= rounding
    assert np.array_equal(a.layer()(torch.tensor(x)).detach(), x @ a.T)
    if has_codes(target) and fidelity != "exact":
        assert np.abs(from_codes(a, x) - x @ a.T).max() <= rounding


@given(layout=layouts(), bits=st.integers(3, 6))
@settings(max_examples=12, deadline=None, phases=[Phase.generate])
def test_ideal_cells_are_converted_like_states(layout: dict[str, Any], bits: int) -> None:
    """Where sums are whole, conductances and states pass the same narrow converters."""
    target = small_target(**layout).with_values({**IDEAL_CELLS, "macro.adc.bits": bits})
    weights, x, y = whole_weights(7, 29), whole_vectors(3, 29), whole_vectors(3, 7)
    states, cells = (mcc.Crossbar(weights, target, it) for it in ("converter", "device"))
    assert np.array_equal(x @ cells.T, x @ states.T)
    if has_transpose(states):
        assert np.array_equal(y @ cells, y @ states)
    if target.macro.reference == "digital":
        assert np.array_equal(cells.codes(x.T), states.codes(x.T))
    if has_codes(target):
        assert np.array_equal(from_codes(states, x), x @ states.T)


@given(layout=layouts())
@settings(max_examples=12, deadline=None, phases=[Phase.generate])
def test_the_torch_layer_gives_the_exact_product(layout: dict[str, Any]) -> None:
    torch = pytest.importorskip("torch")
    weights, x = whole_weights(7, 29), whole_vectors(3, 29)
    for fidelity in ("exact", "device"):
        layer = mcc.Crossbar(
            weights, small_target(**layout).with_values(IDEAL_CELLS), fidelity
        ).layer()
        assert np.array_equal(layer(torch.tensor(x)).detach(), x @ weights.T)


BETTER: dict[str, Any] = {
    "macro.adc.offset": 0.0,
    "macro.adc.gain_error": 0.0,
    "macro.adc.mismatch": 0.0,
    "macro.adc.nonlinearity": 0.0,
    "macro.dac.mismatch": 0.0,
    "cell.current.sinh_per_volt": 0.0,
}
REAL: dict[str, dict[str, Any]] = {
    **{kind: {**REAL_CONVERTERS, "macro.adc.kind": kind} for kind in KINDS},
    "drivers": {"macro.dac.mismatch": 0.1, "macro.dac_bits": 3},
    "signed drivers": {**REAL_DRIVERS, "macro.input_form": "sign_magnitude"},
    "pulses": {**REAL_DRIVERS, "macro.input_coding": "pulse_width"},
    "law": {**SINH, "macro.dac_bits": 3},
    "law of pulses": {**SINH, "macro.dac_bits": 3, "macro.input_coding": "pulse_width"},
    "signed law": {**MILO, "macro.dac_bits": 3, "macro.input_form": "sign_magnitude"},
    "one by one": {**MILO, "macro.dac_bits": 2, "macro.subtraction": "after"},
    "offset": {**REAL_CONVERTERS, **MILO, "macro.dac_bits": 2, "macro.encoding": "offset"},
    "two-sided": {**SINH, **REAL_DRIVERS, "macro.differential": "two_sided"},
    "analog": {**SINH, **REAL_DRIVERS, "macro.accumulation": "analog"},
    "overlap": {**REAL_CONVERTERS, "cell.bits": 3, "macro.slice_overlap": 3},
}
"""What hardware can be that is not ideal."""


REFERENCES: dict[str, dict[str, Any]] = {
    f"{name} {place}": {
        "macro.encoding": "offset",
        "macro.column_flip": False,
        "macro.reference": "column",
        "macro.subtraction": place,
        **values,
    }
    for place in ("before", "after")
    for name, values in {
        "ideal": {"macro.adc.bits": 6},
        "analog": {"macro.accumulation": "analog"},
        "real": {**REAL_CONVERTERS, **REAL_DRIVERS},
        "law": REAL["law"],
    }.items()
}
"""The same with a reference column."""


def real_crossbar(values: dict[str, Any], fidelity: str, **changes: Any) -> mcc.Crossbar:
    """Return a crossbar of such hardware, where it has lines with resistance."""
    target = small_target().with_values({"cell.bits": 2, **QUIET, **values, **changes})
    if fidelity == "wire" and not (resistive(target) or target.cell.current == OHMIC):
        pytest.skip("cells that are no resistors see several voltages through resistive lines")
    return mcc.Crossbar(whole_weights(7, 29), target, fidelity, seed=3)


@pytest.mark.parametrize("name", REAL)
@pytest.mark.parametrize("fidelity", ["device", "wire"])
def test_codes_make_the_products_of_both_directions(name: str, fidelity: str) -> None:
    a, x, y = real_crossbar(REAL[name], fidelity), whole_vectors(30, 29), whole_vectors(30, 7)
    assert np.array_equal(from_codes(a, x), (a @ x.T).T)
    assert np.array_equal(from_turned_codes(a, y), y @ a)
    other = {field: value for field, value in BETTER.items() if field in REAL[name]}
    if other and not name.startswith(("law of", "overlap")):
        better = real_crossbar(REAL[name], fidelity, **other)
        assert not np.array_equal(better @ x.T, a @ x.T)
        assert not np.array_equal(y @ better, y @ a)


def edges(a: mcc.Crossbar, x: NDArray[np.float64]) -> float:
    """Return how many conversions of a result float32 may take over the edge of a code."""
    codes = a.codes(x.T)
    return 8 * 2.0**-24 * float(np.abs(codes).max()) * int(np.prod(codes.shape[1:4]))


@pytest.mark.parametrize("name", [*REAL, *REFERENCES])
@pytest.mark.parametrize("fidelity", ["device", "wire"])
def test_the_torch_layer_agrees_with_native_products(name: str, fidelity: str) -> None:
    """Where float32 rounds a level over the edge of a code, sums differ by one."""
    torch = pytest.importorskip("torch")
    a, x = real_crossbar((REAL | REFERENCES)[name], fidelity), whole_vectors(50, 29)
    found, native = a.layer()(torch.tensor(x)).detach().numpy(), (a @ x.T).T
    same = np.isclose(found, native, rtol=1e-12, atol=1e-9)
    assert (~same).mean() <= 2e-3 + (2 * edges(a, x) if name in REAL else 0)
    assert np.abs(found - native).mean() <= 1e-4 * np.abs(native).mean()


def test_a_reference_column_refuses_what_has_no_reference() -> None:
    changes = {"macro__encoding": "offset", "macro__reference": "column"}
    weights = whole_weights(7, 29)
    a = mcc.Crossbar(weights, small_target(**changes), "device", seed=3)
    for code, ask in (
        ("crossbar-direction", lambda: a.T @ np.ones(7)),
        ("crossbar-model", lambda: a.codes(np.ones(29))),
    ):
        with pytest.raises(mcc.MccError, match="reference column") as caught:
            ask()
        assert caught.value.diagnostics[0].code == code


@pytest.mark.parametrize("subtraction", ["before", "after"])
def test_word_lines_are_sensed_beside_a_reference_column_where_sums_are_exact(
    subtraction: str,
) -> None:
    changes = {"macro__encoding": "offset", "macro__reference": "column"}
    weights, y = whole_weights(9, 29), whole_vectors(3, 9)
    a = mcc.Crossbar(weights, small_target(macro__subtraction=subtraction, **changes), "exact")
    a.T.calibrate(y.T)
    assert np.array_equal(y @ a, y @ weights)
    assert np.array_equal(from_turned_codes(a, y), y @ weights)
    assert a.T.currents(y.T).shape == (3, 2, 8, 8, 29)


def test_cells_of_a_reference_column_are_seen() -> None:
    """Each column of tiles ends in eight more columns, of the states of the offset: 128."""
    changes = {"macro__encoding": "offset", "macro__reference": "column"}
    weights, x = whole_weights(9, 29), whole_vectors(3, 29)
    a = mcc.Crossbar(weights, small_target(**changes), "converter")
    cell, seen = a.target.cell, a.conductances
    assert seen.shape == (29, (7 + 1 + 2 + 1) * 8) == a.stuck.shape
    for first in (7 * 8, 10 * 8):
        assert np.array_equal(np.unique(seen[:, first : first + 7]), [cell.g_min_siemens])
        assert np.array_equal(np.unique(seen[:, first + 7]), [cell.g_max_siemens])
    driven = a.currents(x.T).sum(axis=1)
    assert driven.shape[-1] == seen.shape[1]
    np.testing.assert_allclose(driven[..., 63], driven[..., 87], rtol=1e-12)
    np.testing.assert_allclose(np.asarray(a), weights, rtol=0, atol=1e-4)


def test_analog_sums_carry_the_noise_of_all_phases() -> None:
    torch = pytest.importorskip("torch")
    reads = 4_000
    target = small_target(macro__accumulation="analog", macro__adc__bits=24, cell__read_noise=0.1)
    x = whole_vectors(1, 29)
    a = mcc.Crossbar(whole_weights(7, 29), target, "device", seed=3)
    many = np.repeat(x, reads, axis=0)
    native = (a @ many.T).T
    found = a.layer()(torch.tensor(many)).detach().numpy()
    for power in (native, found):
        bound = 5 * native.std(axis=0) / np.sqrt(reads)
        assert (np.abs(power.mean(axis=0) - np.asarray(a) @ x[0]) < bound + 1).all()
    ratio = found.var(axis=0) / native.var(axis=0)
    assert np.abs(ratio - 1).max() < 5 * np.sqrt(4 / reads)
