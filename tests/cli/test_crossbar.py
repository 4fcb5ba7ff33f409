"""The face of a crossbar: what goes in and comes out, what it shows, and what it refuses."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch

import mcc
from mcc.ir.hardware.encoding import digit_values
from mcc.ir.hardware.phases import phases
from mcc.ir.tensors import Array
from mcc.runtime.devices import unit_siemens
from tests.crossbars import QUIET, small_target, whole_vectors, whole_weights
from tests.programmed_arrays import IDEAL_CELLS


@pytest.mark.parametrize(
    ("weights", "operand", "result"),
    [
        (np.float64, np.float64, np.float64),
        (np.float32, np.float32, np.float32),
        (np.float32, np.float64, np.float64),
        (np.int8, np.int64, np.float64),
        (np.float32, np.complex64, np.complex64),
    ],
)
def test_arrays_come_out_in_the_type_of_a_product(weights: Any, operand: Any, result: Any) -> None:
    a = mcc.Crossbar(whole_weights(5, 12).astype(weights), fidelity="exact")
    x: Array = whole_vectors(3, 12).T.astype(operand)
    assert (a @ x).dtype == result
    assert np.array_equal(a @ x, whole_weights(5, 12) @ x)
    assert np.array_equal(x.T @ a.T, (whole_weights(5, 12) @ x).T)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.int64, torch.bfloat16])
def test_tensors_come_out_as_tensors(dtype: torch.dtype) -> None:
    weights = torch.tensor(whole_weights(5, 12), dtype=torch.float32)
    a = mcc.Crossbar(weights, fidelity="exact")
    x = torch.tensor(whole_vectors(3, 12).T).to(dtype)
    found, turned = a @ x, x.T @ a.T
    assert isinstance(found, torch.Tensor)
    assert isinstance(turned, torch.Tensor)
    assert torch.equal(found.double(), weights.double() @ x.double())
    assert torch.equal(turned, found.T)


def test_sequences_are_vectors() -> None:
    a = mcc.Crossbar([[127, 2, 3], [4, 127, 6]], fidelity="exact")
    assert np.array_equal(a @ [127, 0, -1], [127 * 127 - 3, 4 * 127 - 6])


@pytest.mark.parametrize("target", ["rram40nm", "isaac", "path", "object"])
def test_targets_are_named_or_given(target: str) -> None:
    folder = Path(mcc.__file__).parents[2] / "backends/crossbar/targets"
    given: Any = {"path": folder / "isaac.yaml", "object": small_target()}.get(target, target)
    a = mcc.Crossbar(whole_weights(5, 12), given, "exact", macro__rows=16, macro__active_rows=8)
    assert a.target.macro.rows == 16
    other = {"macro.rows": 16, "macro.active_rows": 8}
    assert mcc.Crossbar(whole_weights(5, 12), given, "exact", overrides=other).target == a.target


def test_it_says_what_it_is() -> None:
    a = mcc.Crossbar(whole_weights(70, 600), seed=3)
    assert (a.shape, a.ndim, len(a), a.seed, a.fidelity) == ((70, 600), 2, 70, 3, "wire")
    assert a.T[:5].shape == (5, 70)
    said = "<mcc.Crossbar 70 x 600 float64 at wire, seed 3: 4 macros of 512 x 512 cells, rram40nm>"
    assert repr(a) == said
    assert "5 x 70 float64" in repr(a.T[:5])
    assert "part of 4 macros" in repr(a.T[:5])


def test_conductances_are_those_of_the_states() -> None:
    a = mcc.Crossbar(whole_weights(5, 30), small_target(), "exact")
    cell = a.target.cell
    assert a.conductances.shape == (30, 5 * 14)
    assert set(np.unique(a.conductances)) == {cell.g_min_siemens, cell.g_max_siemens}
    digits = (a.conductances - cell.g_min_siemens) / unit_siemens(cell)
    weights = np.rint(digits).reshape(30, 5, 14) @ digit_values(a.target.macro, cell, 8)
    assert np.array_equal(weights.T, whole_weights(5, 30))
    both = mcc.Crossbar(whole_weights(5, 30) * (1 + 1j), small_target(), "exact")
    assert np.array_equal(both.conductances, [a.conductances] * 2)


@pytest.mark.parametrize("encoding", ["differential", "offset"])
@pytest.mark.parametrize(("fidelity", "bits"), [("exact", 4), ("converter", 4), ("device", 20)])
def test_codes_add_up_to_the_product(encoding: str, fidelity: str, bits: int) -> None:
    target = small_target(macro__encoding=encoding, macro__adc__bits=bits, cell__bits=2)
    a = mcc.Crossbar(whole_weights(20, 30), target.with_values(QUIET), fidelity)
    x = whole_vectors(3, 30).T
    codes = a.codes(x)
    values = np.abs(digit_values(target.macro, target.cell, 8))
    values = values[0::2] if encoding == "differential" else values
    worths = np.array([phase.worth for phase in phases(target.macro, 8, True)])
    assert codes.shape == (3, 4, 8, len(values), 20)
    sums = np.einsum("bgpsm,p,s->bm", codes.astype(np.int64) * a.step, worths, values)
    offset = 0 if encoding == "differential" else 128 * x.sum(axis=0)[:, None]
    assert np.array_equal(sums - offset, (a @ x).T)
    assert np.array_equal(a.codes(x[:, 0]), codes[0])
    assert np.array_equal(a[3:9].codes(x), codes[..., 3:9])


def test_codes_of_flipped_columns_are_those_of_their_complements() -> None:
    target = small_target(macro__encoding="offset", macro__column_flip=True)
    a = mcc.Crossbar(np.full((2, 24), 127.0), target, "exact")
    assert not a.codes(np.full(24, 127.0)).any()
    assert np.array_equal(a @ np.full(24, 127.0), [24 * 127 * 127] * 2)


def test_currents_obey_ohm_and_kirchhoff() -> None:
    a = mcc.Crossbar(whole_weights(5, 30), small_target(), "device")
    x = np.zeros(30)
    x[11] = 127.0
    currents, volt = a.currents(x), a.target.wires.read_volt
    assert currents.shape == (4, 8, 70)
    assert np.allclose(currents[1, :7], volt * a.conductances[11], rtol=1e-12)
    assert not currents[[0, 2, 3]].any()
    assert not currents[1, 7].any()
    many = whole_vectors(2, 30).T
    drive = phases(a.target.macro, 8, True)[3].drive(many.T.astype(np.int8))
    found = a.currents(many)[:, :, 3].sum(axis=1)
    assert np.allclose(found, volt * drive @ a.conductances, rtol=1e-12)


@pytest.mark.parametrize("turned", [False, True])
def test_parts_of_complex_numbers_are_seen_apart(turned: bool) -> None:
    """A matrix has two arrays of cells, a vector drives them twice."""
    narrow = small_target(macro__adc__bits=2, macro__adc__range="calibrated")
    real, imaginary = whole_weights(5, 30), whole_weights(5, 30, seed=7)
    both, one, other = (
        mcc.Crossbar(it, narrow, "converter") for it in (real + 1j * imaginary, real, imaginary)
    )
    views = [it.H if turned else it for it in (both, one, other)]
    length = 5 if turned else 30
    x, z = whole_vectors(3, length).T, whole_vectors(3, length, seed=8).T
    for view in views:
        view.calibrate(np.concatenate([np.eye(length), -np.eye(length)]).T * 127.0)
    same: Any = np.testing.assert_allclose
    for ask in ("codes", "currents"):
        of_both, *of_parts = (getattr(it, ask) for it in views)
        same(of_both(x), [it(x) for it in of_parts], rtol=1e-12)
        same(of_both(x[:, 0]), of_both(x)[:, 0], rtol=1e-12)
        same(of_both(x + 1j * z), [[it(x), it(z)] for it in of_parts], rtol=1e-12)
        same(of_parts[0](x + 1j * z), [of_parts[0](x), of_parts[0](z)], rtol=1e-12)
    mean = np.mean([view.clipping(it) for view in views[1:] for it in (x, z)])
    assert views[0].clipping(x + 1j * z) == pytest.approx(mean)
    assert mean > 0
    assert views[0].step == (views[1].step, views[2].step)


def test_clipping_is_the_fraction_at_the_ends() -> None:
    weights, x = np.full((4, 24), 127.0), np.full((24, 3), 127.0)
    narrow: dict[str, Any] = {"macro__adc__bits": 3, "macro__adc__range": "calibrated"}
    a = mcc.Crossbar(weights, small_target(**narrow), "converter")
    a.calibrate(np.eye(24)[:, :4] * 127.0)
    assert a.step == 1
    assert a.clipping(x) == 1
    assert a.clipping(np.where(np.arange(24) < 8, 127.0, 0.0)) == 1 / 3
    assert a.clipping(np.eye(24)) == 0
    assert mcc.Crossbar(weights, small_target(), "converter").clipping(x) == 0
    assert mcc.Crossbar(weights, small_target(**narrow), "exact").clipping(x) == 0
    assert a.clipping(np.zeros((24, 0))) == 0


def test_one_range_for_all_vectors_clips_what_lies_beyond() -> None:
    weights = whole_weights(5, 12)
    a = mcc.Crossbar(weights, fidelity="exact", input_range=(-127, 100))
    x = whole_vectors(3, 12).T
    assert np.array_equal(a @ x, weights @ x)
    assert np.array_equal(a @ (3 * x), weights @ np.clip(3 * x, -127, 127))
    unsigned = mcc.Crossbar(weights, fidelity="exact", input_range=(0, 255))
    assert np.array_equal(unsigned @ (2 * x), weights @ np.clip(2 * x, 0, 255))
    assert a.calibrate(2 * x) is a
    assert np.array_equal(a @ (2 * x), weights @ (2 * x))


def test_calibrated_converters_err_less_than_full_scale_ones() -> None:
    random = np.random.default_rng(0)
    weights, x, y = (random.normal(size=shape) for shape in [(20, 48), (48, 200), (20, 200)])
    errors: list[tuple[float, float]] = []
    for policy in ("full_scale", "calibrated"):
        target = small_target(
            macro__adc__bits=4, macro__adc__range=policy, macro__active_rows=24, cell__bits=2
        )
        a = mcc.Crossbar(weights, target.with_values(IDEAL_CELLS), "converter")
        a.calibrate(x)
        a.T.calibrate(y)
        forward, backward = a @ x - weights @ x, a.T @ y - weights.T @ y
        errors.append((float(np.square(forward).mean()), float(np.square(backward).mean())))
    assert errors[1][0] < errors[0][0]
    assert errors[1][1] < errors[0][1]


WEIGHTS = whole_weights(5, 12)


def calibrated() -> mcc.Crossbar:
    return mcc.Crossbar(
        WEIGHTS, fidelity="converter", macro__adc__range="calibrated", macro__adc__bits=3
    )


REFUSED: dict[str, tuple[Callable[[], Any], str, str]] = {
    "vector": (lambda: mcc.Crossbar(np.ones(5)), "crossbar-weights", r"w\[None, :\]"),
    "cube": (lambda: mcc.Crossbar(np.ones((2, 2, 2))), "crossbar-weights", "matrix"),
    "nan": (lambda: mcc.Crossbar([[1.0, np.nan]]), "crossbar-weights", r"nan at \[0, 1\]"),
    "text": (lambda: mcc.Crossbar([["a"]]), "crossbar-weights", "text, not numbers"),
    "ragged": (lambda: mcc.Crossbar([[1], [1, 2]]), "crossbar-weights", "not numbers"),
    "bits": (lambda: mcc.Crossbar(WEIGHTS, weight_bits=9), "option-value", "weight_bits is 9"),
    "inputs": (lambda: mcc.Crossbar(WEIGHTS, input_bits=1), "option-value", "input_bits is 1"),
    "huge": (
        lambda: mcc.Crossbar(np.broadcast_to(np.float32(1), (10**6, 10**6))),
        "crossbar-size",
        "takes .* macros",
    ),
    "place": (lambda: mcc.Crossbar(WEIGHTS, first_macro=-1), "option-value", "first_macro is -1"),
    "no room": (
        lambda: mcc.Crossbar(WEIGHTS, first_macro=1024),
        "crossbar-size",
        "1024 come before it",
    ),
    "tiny range": (
        lambda: mcc.Crossbar(WEIGHTS, input_range=(0, 5e-324)),
        "option-value",
        "too small",
    ),
    "range": (lambda: mcc.Crossbar(WEIGHTS, input_range=(1, 1)), "option-value", "that rise"),
    "one end": (lambda: mcc.Crossbar(WEIGHTS, input_range=cast(Any, 3)), "option-value", "3 is no"),
    "infinite": (lambda: mcc.Crossbar(WEIGHTS, input_range=(0, np.inf)), "option-value", "finite"),
    "fidelity": (lambda: mcc.Crossbar(WEIGHTS, fidelity="devise"), "option-value", "devise"),
    "seed": (lambda: mcc.Crossbar(WEIGHTS, seed=-1), "seed-invalid", "2"),
    "idle seed": (lambda: mcc.Crossbar(WEIGHTS, fidelity="exact", seed=1), "option-value", "seed"),
    "threads": (lambda: mcc.Crossbar(WEIGHTS, threads=0), "option-value", "threads"),
    "target": (lambda: mcc.Crossbar(WEIGHTS, "rram40"), "target-unknown", "rram40nm"),
    "field": (
        lambda: mcc.Crossbar(WEIGHTS, macro__adc__bit=6),
        "target-unknown-key",
        r"did you mean `macro\.adc\.bits`",
    ),
    "field of a target": (
        lambda: mcc.Crossbar(WEIGHTS, small_target(), cell__bit=6),
        "target-unknown-key",
        r"did you mean `cell\.bits`",
    ),
    "twice": (
        lambda: mcc.Crossbar(WEIGHTS, overrides={"cell.bits": 1}, cell__bits=2),
        "option-value",
        "given twice",
    ),
    "value": (lambda: mcc.Crossbar(WEIGHTS, cell__bits=9), "target-invalid", "8 bits"),
    "conductance": (
        lambda: mcc.Crossbar(WEIGHTS, cell__g_min_siemens=-1e-6),
        "target-invalid",
        "g_min_siemens",
    ),
    "chip": (
        lambda: mcc.Crossbar(
            WEIGHTS,
            core__macros=1,
            chip__mesh_rows=1,
            chip__mesh_cols=1,
            macro__rows=8,
            macro__active_rows=8,
        ),
        "crossbar-size",
        "takes 2 macros",
    ),
    "macro": (
        lambda: mcc.Crossbar(WEIGHTS, macro__cols=8, macro__adc__columns_per_adc=2),
        "crossbar-size",
        "a weight takes 14 columns",
    ),
    "length": (
        lambda: mcc.Crossbar(WEIGHTS) @ np.ones(5),
        "crossbar-input",
        r"A @ x takes x of shape \(12,\)",
    ),
    "left": (
        lambda: np.ones((2, 12)) @ mcc.Crossbar(WEIGHTS),
        "crossbar-input",
        r"x @ A takes x of shape \(\.\.\., 5\)",
    ),
    "number": (lambda: mcc.Crossbar(WEIGHTS) @ 3.0, "crossbar-input", "scale the result"),
    "input nan": (lambda: mcc.Crossbar(WEIGHTS) @ np.full(12, np.nan), "crossbar-input", "nan"),
    "crossbars": (
        lambda: mcc.Crossbar(WEIGHTS) @ mcc.Crossbar(WEIGHTS.T),
        "crossbar-input",
        r"A @ \(B @ x\)",
    ),
    "objects": (lambda: mcc.Crossbar(WEIGHTS) @ [None] * 12, "crossbar-input", "not numbers"),
    "masked": (
        lambda: mcc.Crossbar(np.ma.masked_greater(WEIGHTS, 0)),
        "crossbar-weights",
        "masked",
    ),
    "sparse": (
        lambda: mcc.Crossbar(WEIGHTS) @ torch.eye(12).to_sparse(),
        "crossbar-input",
        r"to_dense\(\)",
    ),
    "meta": (
        lambda: mcc.Crossbar(WEIGHTS) @ torch.ones(12, device="meta"),
        "crossbar-input",
        "all its numbers",
    ),
    "sparse to a layer": (
        lambda: mcc.Crossbar(WEIGHTS).layer()(torch.ones(12).to_sparse()),
        "crossbar-input",
        "all of its elements",
    ),
    "backend": (lambda: mcc.Crossbar(WEIGHTS).layer(device="hpu"), "option-value", "'hpu' here"),
    "bias": (lambda: mcc.Crossbar(WEIGHTS).layer(np.ones(5) * 1j), "crossbar-weights", "real"),
    "device": (lambda: mcc.Crossbar(WEIGHTS).layer(device="nope"), "option-value", "'nope' here"),
    "layer": (
        lambda: mcc.Crossbar(WEIGHTS).layer()(np.ones(12)),  # pyright: ignore[reportArgumentType]
        "crossbar-input",
        "A @ x",
    ),
    "field beside": (
        lambda: mcc.Crossbar(WEIGHTS, macro__adc_bits=8),
        "target-unknown-key",
        r"did you mean `macro\.adc\.bits`",
    ),
    "gradient": (
        lambda: mcc.Crossbar(WEIGHTS) @ torch.ones(12, requires_grad=True),
        "crossbar-gradient",
        r"A\.layer\(\)",
    ),
    "number of a row": (lambda: mcc.Crossbar(WEIGHTS)[2], "crossbar-view", r"A\[2:3\]"),
    "three axes": (lambda: mcc.Crossbar(WEIGHTS)[:, :, :], "crossbar-view", "slices"),
    "part": (lambda: mcc.Crossbar(WEIGHTS)[1:].program(), "crossbar-view", "programmed"),
    "part shown": (lambda: mcc.Crossbar(WEIGHTS).T.conductances, "crossbar-view", "shown"),
    "cube of codes": (
        lambda: mcc.Crossbar(WEIGHTS).codes(np.ones((2, 12, 2))),
        "crossbar-input",
        "one batch",
    ),
    "shape": (
        lambda: mcc.Crossbar(WEIGHTS).program(WEIGHTS.T),
        "crossbar-weights",
        "12x5, the crossbar is 5x12",
    ),
    "kind": (lambda: mcc.Crossbar(WEIGHTS).program(WEIGHTS * 1j), "crossbar-weights", "complex"),
    "no range": (lambda: calibrated() @ np.ones(12), "crossbar-range", r"A\.calibrate\(x\)"),
    "no way back": (
        lambda: np.ones(5) @ calibrated().calibrate(np.ones(12)),
        "crossbar-range",
        r"A\.T\.calibrate\(y\)",
    ),
    "no vectors": (
        lambda: calibrated().calibrate(np.ones((12, 0))),
        "calibration-empty",
        "at least one",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusals(name: str) -> None:
    make, code, said = REFUSED[name]
    with pytest.raises(mcc.MccError, match=said) as caught:
        make()
    (found,) = caught.value.diagnostics
    assert found.code == code
    assert found.help


def test_arrays_cannot_be_given_uncopied() -> None:
    with pytest.raises(ValueError, match="computed from the cells"):
        cast(Any, np.asarray)(mcc.Crossbar(WEIGHTS), copy=False)


@pytest.mark.parametrize("fidelity", ["exact", "device", "wire"])
def test_rows_and_vectors_of_zeros_give_zeros(fidelity: str) -> None:
    """They have no scale, so that errors of their cells are worth nothing."""
    weights, x = whole_weights(6, 128), whole_vectors(3, 128).T
    weights[2] = 0
    x[:, 1] = 0
    target = small_target(macro__encoding="offset")
    a = mcc.Crossbar(weights, target, fidelity)
    found = a @ x
    assert not found[2].any()
    assert not found[:, 1].any()
    assert found[:2, 0].all()
    assert not np.asarray(a)[2].any()
