"""Laws of the products of a crossbar: ideal ones are exact, real ones are those of its cells."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import mcc
from mcc.ir.hardware import InputForm
from mcc.ir.hardware.encoding import digit_values, row_groups
from mcc.ir.hardware.phases import phases
from mcc.runtime.devices import unit_siemens
from tests.crossbars import QUIET, small_target, whole_vectors, whole_weights
from tests.programmed_arrays import ENCODINGS, IDEAL_CELLS

BITS = [(8, 8, 1, 1), (8, 8, 2, 1), (5, 6, 2, 3), (4, 3, 4, 2), (2, 2, 1, 1), (3, 8, 3, 8)]


def quantized(values: NDArray[np.float64], bits: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return codes and scales of the rows, as DESIGN section 4 says."""
    scales = np.abs(values).max(axis=1, keepdims=True) / (2 ** (bits - 1) - 1)
    return np.rint(values / scales), scales


@pytest.mark.parametrize("fidelity", ["exact", "converter", "device"])
@pytest.mark.parametrize(("encoding", "flip"), ENCODINGS)
@pytest.mark.parametrize("form", list(InputForm))
@pytest.mark.parametrize(("weight_bits", "input_bits", "cell_bits", "dac_bits"), BITS)
def test_ideal_cells_give_the_product_of_the_codes(
    fidelity: str,
    encoding: str,
    flip: bool,
    form: InputForm,
    weight_bits: int,
    input_bits: int,
    cell_bits: int,
    dac_bits: int,
) -> None:
    target = small_target(
        macro__encoding=encoding,
        macro__column_flip=flip,
        macro__input_form=form.value,
        macro__dac_bits=dac_bits,
        cell__bits=cell_bits,
    ).with_values(IDEAL_CELLS)
    random = np.random.default_rng(3)
    weights, x, y = (random.normal(size=shape) for shape in [(19, 37), (3, 37), (4, 19)])
    a = mcc.Crossbar(weights, target, fidelity, weight_bits=weight_bits, input_bits=input_bits)
    codes, scales = quantized(weights, weight_bits)
    driven, steps = quantized(x, input_bits)
    np.testing.assert_allclose(a @ x.T, (codes @ driven.T) * scales * steps.T, rtol=1e-12)
    driven, steps = quantized(y * scales.T, input_bits)
    np.testing.assert_allclose(y @ a, driven @ codes * steps, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(np.asarray(a), codes * scales, rtol=1e-12)


@given(
    rows=st.integers(1, 30),
    cols=st.integers(1, 60),
    stack=st.lists(st.integers(0, 3), max_size=2),
    seed=st.integers(0, 99),
)
@settings(max_examples=25, deadline=None)
def test_the_real_product_lies_within_half_a_code(
    rows: int, cols: int, stack: list[int], seed: int
) -> None:
    random = np.random.default_rng(seed)
    weights, x = random.normal(size=(rows, cols)), random.normal(size=(*stack, cols, 2))
    a = mcc.Crossbar(weights, small_target(), "converter")
    of_weights = np.abs(weights).max(axis=1, keepdims=True) / 127 / 2
    of_inputs = np.abs(x).max(axis=-2, keepdims=True) / 127 / 2
    bound = of_weights @ np.abs(x).sum(axis=-2, keepdims=True) + cols * of_weights * of_inputs
    bound = bound + np.abs(weights).sum(axis=1, keepdims=True) * of_inputs
    assert (np.abs(a @ x - weights @ x) <= bound * (1 + 1e-9)).all()


@pytest.mark.parametrize(
    "shape", [(37,), (37, 5), (2, 37, 3), (4, 2, 37, 1), (37, 0), (0, 37, 3), (1, 37, 1)]
)
def test_shapes_are_those_of_numpy(shape: tuple[int, ...]) -> None:
    weights = whole_weights(19, 37)
    a = mcc.Crossbar(weights, small_target(), "exact")
    x = np.random.default_rng(0).choice([-127.0, 127.0], shape)
    expected = weights @ x
    assert (a @ x).shape == expected.shape
    np.testing.assert_allclose(a @ x, expected, rtol=1e-12)
    turned = x if x.ndim == 1 else np.swapaxes(x, -1, -2)
    assert (turned @ a.T).shape == (turned @ weights.T).shape


@pytest.mark.parametrize("shape", [(0, 5), (5, 0), (0, 0)])
def test_empty_matrices_multiply_as_in_numpy(shape: tuple[int, int]) -> None:
    weights = np.zeros(shape)
    a = mcc.Crossbar(weights, fidelity="exact")
    x, y = np.ones((shape[1], 2)), np.ones((3, shape[0]))
    assert np.array_equal(a @ x, weights @ x)
    assert np.array_equal(y @ a, y @ weights)
    assert np.asarray(a).shape == a.shape == shape


def rounding(a: mcc.Crossbar, lines: int, turned: bool) -> float:
    """Return the most that rounding to converter codes can change a product of whole numbers."""
    macro, cell = a.target.macro, a.target.cell
    worth = sum(abs(phase.worth) for phase in phases(macro, 8, True))
    values = np.abs(digit_values(macro, cell, 8))
    if macro.encoding == "differential" and not turned:
        values = values[0::2]
    groups = row_groups(macro, lines) * (2 if turned and macro.column_flip else 1)
    return 0.5 * worth * float(values.sum()) * groups


def fixed_point(a: mcc.Crossbar, lines: int) -> float:
    """Return the most that holding digits in 16 bits can change a product of whole numbers.

    The largest digit takes all of them, and is that of a cell or of a pair.
    """
    digits = a.conductances.max() / unit_siemens(a.target.cell)
    unit = 2.0 ** (np.ceil(np.log2(digits)) - 15)
    values = np.abs(digit_values(a.target.macro, a.target.cell, 8))
    return 0.5 * unit * lines * 127 * float(values.sum())


@pytest.mark.parametrize(("encoding", "flip"), ENCODINGS)
@pytest.mark.parametrize("form", list(InputForm))
def test_both_directions_read_the_same_cells(encoding: str, flip: bool, form: InputForm) -> None:
    target = small_target(
        macro__encoding=encoding,
        macro__column_flip=flip,
        macro__input_form=form.value,
        macro__rows=16,
        macro__active_rows=16,
        macro__dac_bits=8,
        macro__adc__bits=24,
        cell__bits=4,
        cell__stuck_high_fraction=0.05,
        cell__write_error=0.3,
    ).with_values(QUIET)
    a = mcc.Crossbar(whole_weights(9, 16), target, "device", seed=5)
    x, y = whole_vectors(4, 16).T, whole_vectors(4, 9)
    written = np.asarray(a)
    assert np.abs(written - whole_weights(9, 16)).max() > 10
    assert np.abs(a @ x - written @ x).max() <= rounding(a, 16, False) + fixed_point(a, 16)
    assert np.abs(y @ a - y @ written).max() <= rounding(a, 9, True) + fixed_point(a, 9)
    assert np.array_equal(a.T @ y.T, (y @ a).T)
    assert np.abs(y @ written).max() > 10 * rounding(a, 9, True)


@pytest.mark.parametrize("fidelity", ["exact", "converter", "device"])
def test_a_block_drives_and_senses_its_own_lines(fidelity: str) -> None:
    target = small_target(macro__adc__bits=4).with_values(QUIET)
    a = mcc.Crossbar(whole_weights(19, 37), target, fidelity, input_range=(-127, 127))
    x = whole_vectors(3, 37).T
    for rows, cols in [(slice(2, 9), slice(3, 33)), (slice(None, None, -2), slice(30, 5, -3))]:
        driven = np.zeros_like(x)
        driven[cols] = x[cols]
        assert np.array_equal(a[rows, cols] @ x[cols], (a @ driven)[rows])
        assert np.array_equal(np.asarray(a[rows, cols]), np.asarray(a)[rows, cols])
        assert np.array_equal(np.asarray(a.T[cols, rows]), np.asarray(a)[rows, cols].T)
    assert np.array_equal(a[3:7] @ x, (a @ x)[3:7])
    assert np.array_equal(a[2:9][1:3].T.T @ x, (a @ x)[3:5])


@pytest.mark.parametrize("fidelity", ["exact", "converter"])
def test_complex_products_are_made_of_real_ones(fidelity: str) -> None:
    real, imaginary = whole_weights(5, 12), whole_weights(5, 12, seed=7)
    weights = real + 1j * imaginary
    a = mcc.Crossbar(weights, small_target(), fidelity)
    x = (whole_vectors(3, 12) + 1j * whole_vectors(3, 12, seed=8)).T
    y = whole_vectors(3, 5) - 1j * whole_vectors(3, 5, seed=9)
    assert np.array_equal(np.asarray(a), weights)
    assert np.array_equal(a @ x, weights @ x)
    assert np.array_equal(a @ x.real, weights @ x.real)
    assert np.array_equal(y @ a, y @ weights)
    assert np.array_equal(a.T @ y.T, weights.T @ y.T)
    assert np.array_equal(a.H @ y.T, weights.conj().T @ y.T)
    assert np.array_equal(np.asarray(a.H[2:5, 1:]), weights.conj().T[2:5, 1:])
    real_one = mcc.Crossbar(real, small_target(), fidelity)
    assert np.array_equal(real_one @ x, real @ x)


def test_real_and_imaginary_cells_err_apart() -> None:
    weights = whole_weights(5, 12)
    written = np.asarray(mcc.Crossbar(weights + 1j * weights, small_target(), "device"))
    assert not np.allclose(np.real(written), np.imag(written))
