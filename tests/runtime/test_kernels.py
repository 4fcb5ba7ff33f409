"""The native products equal their NumPy twins, integer by integer, at every level."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from mcc.ir.hardware.phases import Phase
from mcc.runtime import _kernels, oracle

LEVELS = _kernels.levels()
CONVERTER: dict[str, Any] = {
    "input_bits": 8,
    "dac_bits": 1,
    "sign_magnitude": False,
    "shift": 0,
    "low": -128,
    "high": 127,
}

shapes = st.tuples(st.integers(0, 9), st.integers(1, 150), st.integers(1, 140))
randoms = st.integers(0, 2**32 - 1).map(np.random.default_rng)
levels = st.sampled_from(LEVELS)
quick = settings(deadline=None, max_examples=80, derandomize=True)


def draw_codes(
    random: np.random.Generator, shape: tuple[int, ...], bits: int, signed: bool
) -> NDArray[Any]:
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1)) if signed else (0, 2**bits)
    codes = random.integers(low, high, shape)
    codes[random.random(shape) < 0.1] = random.choice((low, high - 1))
    return codes.astype(np.int8 if signed else np.uint8)


def draw_digits(random: np.random.Generator, shape: tuple[int, ...], bits: int) -> NDArray[np.int8]:
    largest = 2**bits - 1
    lowest = random.choice((-largest, 0))
    digits = random.integers(lowest, largest + 1, shape)
    digits[..., random.random(shape[-1]) < 0.2] = random.choice((lowest, largest))
    return digits.astype(np.int8)


@quick
@given(
    random=randoms,
    shape=shapes,
    slices=st.integers(1, 4),
    bits_per_cell=st.integers(1, 4),
    active_rows=st.integers(1, 160),
    flip=st.booleans(),
    input_bits=st.integers(1, 8),
    signed=st.booleans(),
    sign_magnitude=st.booleans(),
    dac_bits=st.integers(1, 8),
    shift=st.integers(0, 9),
    low=st.integers(-300, 4),
    span=st.integers(0, 600),
    level=levels,
    threads=st.integers(1, 3),
)
def test_bit_plane_product(
    random: np.random.Generator,
    shape: tuple[int, int, int],
    slices: int,
    bits_per_cell: int,
    active_rows: int,
    flip: bool,
    input_bits: int,
    signed: bool,
    sign_magnitude: bool,
    dac_bits: int,
    shift: int,
    low: int,
    span: int,
    level: str,
    threads: int,
) -> None:
    batch, rows, cols = shape
    codes = draw_codes(random, (batch, rows), input_bits, signed)
    digits = draw_digits(random, (slices, rows, cols), bits_per_cell)
    flipped = random.random((-(-rows // active_rows), slices, cols)) < 0.5 if flip else None
    tile: dict[str, Any] = {
        "bits_per_cell": bits_per_cell,
        "active_rows": active_rows,
        "flipped": flipped,
    }
    converter: dict[str, Any] = {
        "input_bits": input_bits,
        "dac_bits": dac_bits,
        "sign_magnitude": sign_magnitude,
        "shift": shift,
        "low": low,
        "high": low + span,
    }
    packed = _kernels.pack_digits(digits, **tile)
    found = _kernels.bit_plane_product(codes, packed, **converter, threads=threads, level=level)
    expected = oracle.bit_plane_product(codes, digits, **tile, **converter)
    assert found.dtype == np.int32
    assert np.array_equal(found, expected)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("dac_bits", [1, 8])
@pytest.mark.parametrize("shift", [0, 1, 2, 3, 5])
def test_ties_go_to_the_even_code(shift: int, dac_bits: int, level: str) -> None:
    """Input r makes the sums r and -r; those that 8-bit drives could make need 32-bit lanes."""
    rows = 160
    codes = np.tri(rows + 1, rows, -1, dtype=np.uint8)
    digits = np.ones((1, rows, 2), np.int8)
    digits[:, :, 1] = -1
    packed = _kernels.pack_digits(digits, bits_per_cell=1, active_rows=rows)
    converter: dict[str, Any] = CONVERTER | {
        "dac_bits": dac_bits,
        "shift": shift,
        "low": -200,
        "high": 200,
    }
    found = _kernels.bit_plane_product(codes, packed, **converter, level=level)
    wanted = [round(row / 2**shift) * 2**shift for row in range(rows + 1)]
    assert found[:, 0].tolist() == wanted
    assert found[:, 1].tolist() == [-value for value in wanted]


@quick
@given(random=randoms, shape=shapes, signed=st.booleans(), level=levels, threads=st.integers(1, 3))
def test_integer_product(
    random: np.random.Generator,
    shape: tuple[int, int, int],
    signed: bool,
    level: str,
    threads: int,
) -> None:
    batch, rows, cols = shape
    codes = draw_codes(random, (batch, rows), 8, signed)
    weights = random.integers(-128, 128, (rows, cols)).astype(np.int8)
    packed = _kernels.pack_integers(weights)
    found = _kernels.integer_product(codes, packed, threads=threads, level=level)
    assert found.dtype == np.int32
    assert np.array_equal(found, oracle.integer_product(codes, weights))


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize(("code", "dtype"), [(255, "uint8"), (127, "int8"), (-128, "int8")])
@pytest.mark.parametrize("weight", [-128, 127])
def test_integer_product_of_extremes(level: str, code: int, dtype: str, weight: int) -> None:
    codes = np.full((7, 4096), code, np.dtype(dtype))
    weights = np.full((4096, 17), weight, np.int8)
    found = _kernels.integer_product(codes, _kernels.pack_integers(weights), level=level)
    assert np.array_equal(found, np.full((7, 17), 4096 * code * weight))


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("sign_magnitude", [False, True])
@pytest.mark.parametrize(("code", "dtype"), [(255, "uint8"), (127, "int8"), (-128, "int8")])
@pytest.mark.parametrize("digit", [-15, 15])
@pytest.mark.parametrize("dac_bits", [1, 8])
def test_converter_that_cannot_clip_gives_the_exact_product(
    level: str, sign_magnitude: bool, code: int, dtype: str, digit: int, dac_bits: int
) -> None:
    codes = np.full((5, 700), code, np.dtype(dtype))
    digits = np.full((2, 700, 19), digit, np.int8)
    packed = _kernels.pack_digits(digits, bits_per_cell=4, active_rows=512)
    wide: dict[str, Any] = CONVERTER | {
        "sign_magnitude": sign_magnitude,
        "dac_bits": dac_bits,
        "low": -(2**30),
        "high": 2**30,
    }
    found = _kernels.bit_plane_product(codes, packed, **wide, level=level)
    assert np.array_equal(found, np.full((5, 19), 700 * code * digit * 17))


@pytest.mark.parametrize("level", LEVELS)
def test_many_inputs_and_columns_on_many_threads(level: str) -> None:
    random = np.random.default_rng(1)
    codes = random.integers(0, 256, (600, 70)).astype(np.uint8)
    digits = random.integers(-3, 4, (4, 70, 300)).astype(np.int8)
    tile: dict[str, Any] = {"bits_per_cell": 2, "active_rows": 33}
    packed = _kernels.pack_digits(digits, **tile)
    coarse: dict[str, Any] = CONVERTER | {"low": -32, "high": 31}
    expected = oracle.bit_plane_product(codes, digits, **tile, **coarse)
    for threads in (1, 2, 7, 1000):
        found = _kernels.bit_plane_product(codes, packed, **coarse, threads=threads, level=level)
        assert np.array_equal(found, expected)


def test_phases_are_those_of_the_hardware_language() -> None:
    codes = np.arange(-128, 128).astype(np.int8)[None]
    for sign_magnitude in (False, True):
        for worth, drive in oracle.phases(codes, 8, 3, sign_magnitude):
            low = abs(worth).bit_length() - 1
            bits = 1 if worth < 0 else min(3, (8 if sign_magnitude else 7) - low)
            phase = Phase(low, bits, negative=worth < 0, signed=sign_magnitude)
            assert phase.worth == worth
            assert np.array_equal(phase.drive(codes), drive)


def test_arrays_of_any_layout() -> None:
    random = np.random.default_rng(2)
    codes = random.integers(-128, 128, (40, 90)).astype(np.int8)[::-2, ::3]
    weights = np.asfortranarray(random.integers(-3, 4, (30, 20)).astype(np.int8))
    codes.flags.writeable = weights.flags.writeable = False
    found = _kernels.integer_product(codes, _kernels.pack_integers(weights))
    assert np.array_equal(found, oracle.integer_product(codes, weights))
    packed = _kernels.pack_digits(weights[None], bits_per_cell=2, active_rows=30)
    for sign_magnitude in (False, True):
        form: dict[str, Any] = CONVERTER | {"sign_magnitude": sign_magnitude}
        assert np.array_equal(_kernels.bit_plane_product(codes, packed, **form), found)


def test_products_run_beside_each_other() -> None:
    random = np.random.default_rng(3)
    codes = random.integers(0, 256, (64, 100)).astype(np.uint8)
    weights = random.integers(-128, 128, (100, 80)).astype(np.int8)
    packed = _kernels.pack_integers(weights)
    expected = oracle.integer_product(codes, weights)

    def multiply(_: int) -> bool:
        return np.array_equal(_kernels.integer_product(codes, packed, threads=2), expected)

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(multiply, range(40)))


def test_packed_weights_tell_their_shape() -> None:
    digits = _kernels.pack_digits(np.zeros((3, 10, 20), np.int8), bits_per_cell=2, active_rows=64)
    assert (digits.slices, digits.rows, digits.cols, digits.active_rows) == (3, 10, 20, 10)
    assert digits.nbytes >= 3 * 10 * 20
    integers = _kernels.pack_integers(np.zeros((10, 20), np.int8))
    assert (integers.rows, integers.cols) == (10, 20)
    assert integers.nbytes >= 10 * 20


def test_levels_end_with_the_portable_one() -> None:
    assert LEVELS[-1] == "portable"
    assert set(LEVELS) <= {"avx512", "avx2", "portable"}


def digits_of(*shape: int) -> NDArray[np.int8]:
    return np.full(shape, 3, np.int8)


CODES = np.full((2, 6), 255, np.uint8)
DIGITS = _kernels.pack_digits(digits_of(1, 6, 5), bits_per_cell=2, active_rows=4)
INTEGERS = _kernels.pack_integers(digits_of(6, 5))


def pack(digits: Any, **change: Any) -> object:
    tile: dict[str, Any] = {"bits_per_cell": 2, "active_rows": 4} | change
    return _kernels.pack_digits(digits, **tile)


def convert(codes: Any, **change: Any) -> object:
    converter: dict[str, Any] = CONVERTER | change
    return _kernels.bit_plane_product(codes, DIGITS, **converter)


@pytest.mark.parametrize(
    "call",
    [
        lambda: pack(digits_of(1, 6, 5).astype(np.int16)),
        lambda: pack([[[1]]]),
        lambda: pack(digits_of(1, 6, 5), flipped=np.zeros((2, 1, 5), np.uint8)),
        lambda: convert(CODES.astype(np.float32)),
        lambda: convert(CODES > 0),
        lambda: convert(CODES, low=-(2**70)),
        lambda: convert(CODES, shift=1.5),
        lambda: _kernels.bit_plane_product(CODES, INTEGERS, **CONVERTER),  # pyright: ignore
        lambda: _kernels.pack_integers(digits_of(6, 5).astype(np.uint8)),  # pyright: ignore
        lambda: _kernels.integer_product(CODES.astype(np.int32), INTEGERS),  # pyright: ignore
        lambda: _kernels.integer_product(CODES, None),  # pyright: ignore
    ],
)
def test_wrong_types_are_refused(call: Callable[[], object]) -> None:
    with pytest.raises(TypeError):
        call()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: pack(digits_of(6, 5)), "three axes"),
        (lambda: pack(digits_of(1, 0, 5)), "empty"),
        (lambda: pack(digits_of(1, 6, 5), bits_per_cell=1), "does not fit"),
        (lambda: pack(-digits_of(1, 6, 5), bits_per_cell=1), "does not fit"),
        (lambda: pack(digits_of(1, 6, 5), bits_per_cell=5), "bits_per_cell"),
        (lambda: pack(digits_of(9, 6, 5)), "16 bits"),
        (lambda: pack(digits_of(1, 6, 5), active_rows=0), "active_rows"),
        (lambda: pack(digits_of(1, 6, 5), flipped=np.zeros((1, 1, 5), np.bool_)), "flipped"),
        (lambda: convert(CODES[0]), "two axes"),
        (lambda: convert(CODES[:, 1:]), "as many columns"),
        (lambda: convert(CODES, input_bits=9), "input_bits"),
        (lambda: convert(CODES, input_bits=7), "does not fit"),
        (lambda: convert(np.full((1, 6), -5, np.int8), input_bits=3), "does not fit"),
        (lambda: convert(np.full((1, 6), 4, np.int8), input_bits=3), "does not fit"),
        (lambda: convert(CODES, dac_bits=0), "dac_bits"),
        (lambda: convert(CODES, shift=31), "shift"),
        (lambda: convert(CODES, low=1, high=0), "above"),
        (lambda: convert(CODES, high=2**31), "2\\*\\*30"),
        (lambda: convert(CODES, threads=0), "threads"),
        (lambda: convert(CODES, level="sse"), "level"),
        (lambda: _kernels.pack_integers(digits_of(6)), "two axes"),
        (lambda: _kernels.pack_integers(digits_of(6, 0)), "empty"),
        (lambda: _kernels.integer_product(CODES[:, 1:], INTEGERS), "as many columns"),
        (lambda: _kernels.integer_product(CODES, INTEGERS, threads=0), "threads"),
        (lambda: _kernels.integer_product(CODES, INTEGERS, level=""), "level"),
    ],
)
def test_wrong_shapes_and_values_are_refused(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("channels", [1, 3, 8])
@pytest.mark.parametrize(("width", "step"), [(5, 1), (11, 1), (35, 1), (35, 2)])
def test_windows_become_rows(channels: int, width: int, step: int, threads: int) -> None:
    image = np.random.default_rng(0).integers(-128, 128, (2, channels, 9, width)).astype(np.int8)
    windows = np.lib.stride_tricks.sliding_window_view(image, (3, 3), (2, 3))
    windows = windows.transpose(0, 2, 3, 1, 4, 5)[:, ::2, ::step]
    found = _kernels.gather_codes(windows, 9 * channels, threads=threads)
    assert found.dtype == np.int8
    assert np.array_equal(found, windows.reshape(-1, 9 * channels))


def test_rows_side_by_side_are_copied() -> None:
    codes = np.random.default_rng(0).integers(0, 256, (7, 40)).astype(np.uint8)
    assert np.array_equal(_kernels.gather_codes(codes[::2, 3:], 37), codes[::2, 3:])
    assert np.array_equal(_kernels.gather_codes(codes.T, 7), codes.T)
    assert np.array_equal(_kernels.gather_codes(codes[:, ::-1], 40), codes[:, ::-1])


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("cols", [1, 6, 8])
@pytest.mark.parametrize("axes", [(0, 1, 2, 3), (0, 2, 3, 1), (3, 2, 1, 0)])
def test_sums_are_added_wherever_they_belong(
    axes: tuple[int, ...], cols: int, threads: int
) -> None:
    random = np.random.default_rng(cols)
    shape = [5, 9, 11]
    shape.insert(axes.index(3), cols)
    totals = random.integers(-(2**31), 2**31, shape).astype(np.int32)
    view = np.moveaxis(totals, axes.index(3), -1)[:, ::2]
    products = random.integers(-(2**31), 2**31, (view.size // cols, cols)).astype(np.int32)
    expected = view + products.reshape(view.shape)
    before = np.moveaxis(totals, axes.index(3), -1)[:, 1::2].copy()
    _kernels.add_sums(view, products, threads=threads)
    assert np.array_equal(view, expected)
    assert np.array_equal(np.moveaxis(totals, axes.index(3), -1)[:, 1::2], before)


def test_sums_of_another_shape_are_refused() -> None:
    for shape in ((6, 4), (5, 5)):
        with pytest.raises(ValueError, match="products"):
            _kernels.add_sums(np.zeros((5, 4), np.int32), np.zeros(shape, np.int32))


def test_windows_are_refused_that_hold_no_whole_rows() -> None:
    with pytest.raises(ValueError, match="rows"):
        _kernels.gather_codes(np.zeros((2, 3, 4), np.uint8), 5)
    with pytest.raises(TypeError, match="uint8 or int8"):
        _kernels.gather_codes(np.zeros((2, 3), np.int16), 3)  # pyright: ignore[reportArgumentType]
