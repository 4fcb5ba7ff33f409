"""The native analog product gives the bits of its NumPy twin, at every level and thread count."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from mcc.runtime import _kernels
from mcc.runtime.analog_oracle import (
    READ_TABLE,
    READ_VARIANCE,
    Noise,
    Staircases,
    analog_product,
    normals,
    philox,
    read_normals,
)

NOISE = Noise(seed=2**63 + 11, place=0x10023, event=5, sample=9, positions=3)
CASES = [
    # rows, cols, slices, cell bits, group, input bits, dac bits, sign-magnitude, signed, shift
    (64, 5, 7, 1, 64, 8, 1, False, False, 0),
    (130, 6, 4, 2, 64, 8, 1, False, True, 1),
    (37, 3, 4, 2, 16, 8, 3, True, True, 2),
    (37, 3, 4, 2, 16, 8, 8, False, False, 4),
    (90, 9, 2, 4, 128, 5, 2, True, True, 0),
    (1, 1, 1, 1, 1, 2, 1, False, True, 0),
]


def random_codes(rows: int, bits: int, signed: bool) -> NDArray[Any]:
    random = np.random.default_rng(rows)
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1)) if signed else (0, 2**bits)
    codes = random.integers(low, high, (7, rows))
    codes[random.random(codes.shape) < 0.3] = 0
    return codes.astype(np.int8 if signed else np.uint8)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("noisy", [True, False])
@pytest.mark.parametrize("flip", [True, False])
def test_kernel_equals_its_twin(case: tuple[Any, ...], noisy: bool, flip: bool) -> None:
    rows, cols, slices, cell_bits, group, bits, dac_bits, magnitude, signed, shift = case
    random = np.random.default_rng(rows + flip)
    shape = (rows, cols * slices)
    weights = random.normal(0.5, 0.7, shape).astype(np.float32)
    variances = (random.random(shape) * 0.1).astype(np.float32) if noisy else None
    flipped = random.random((-(-rows // group), cols * slices)) < 0.3 if flip else None
    codes = random_codes(rows, bits, signed)
    tile: dict[str, Any] = {
        "slices": slices,
        "bits_per_cell": cell_bits,
        "active_rows": group,
        "dac_bits": dac_bits,
        "flipped": flipped,
    }
    drive: dict[str, Any] = {
        "input_bits": bits,
        "sign_magnitude": magnitude,
        "shift": shift,
        "low": -100,
        "high": 99,
    }
    expected = analog_product(codes, weights, variances, **tile, **drive, noise=NOISE)
    packed = _kernels.pack_analog(weights, variances, **tile)
    assert (packed.rows, packed.cols) == (rows, cols)
    for level in _kernels.levels():
        for threads in (1, 3):
            found = _kernels.analog_product(
                codes, packed, **drive, **vars(NOISE), threads=threads, level=level
            )
            assert np.array_equal(found, expected)


@pytest.mark.parametrize("level", _kernels.levels())
def test_ties_go_to_the_even_code(level: str) -> None:
    """Input r makes the sums r and -r."""
    rows = 40
    codes = np.tri(rows + 1, rows, -1, dtype=np.uint8)
    weights = np.ones((rows, 2), np.float32)
    weights[:, 1] = -1
    tile: dict[str, Any] = {"slices": 1, "bits_per_cell": 1, "active_rows": rows, "dac_bits": 1}
    packed = _kernels.pack_analog(weights, None, **tile)
    drive: dict[str, Any] = {"input_bits": 1, "sign_magnitude": False}
    for shift in (0, 1, 2, 3):
        converter: dict[str, Any] = {"shift": shift, "low": -64, "high": 63}
        found = _kernels.analog_product(codes, packed, **drive, **converter, level=level)
        wanted = [round(row / 2**shift) * 2**shift for row in range(rows + 1)]
        assert found[:, 0].tolist() == wanted
        assert found[:, 1].tolist() == [-value for value in wanted]


def test_generator_is_philox() -> None:
    """Known answers of the authors of Philox (Random123)."""
    ones = np.full((1, 4), 0xFFFFFFFF, np.uint32)
    assert philox(np.zeros((1, 4), np.uint32), 0).tolist() == [
        [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]
    ]
    assert philox(ones, 2**64 - 1).tolist() == [[0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD]]


@pytest.mark.parametrize("level", _kernels.levels())
def test_numbers_equal_their_twins(level: str) -> None:
    address: dict[str, Any] = {
        "seed": 2**40 + 3,
        "place": 7,
        "event": 2,
        "sample": 1,
        "first": 2**32 - 50,
    }
    counters = np.zeros((101, 4), np.uint32)
    counters[:, 0] = (np.arange(101) + 2**32 - 50) % 2**32
    counters[:, 1:] = [2, 1, 7]
    words = _kernels.random_words(**address, count=101, level=level)
    assert np.array_equal(words, philox(counters, 2**40 + 3))
    drawn = _kernels.random_normals(**address, count=101, level=level)
    assert np.array_equal(drawn, normals(**address, count=101))


def test_normal_numbers_are_normal() -> None:
    count = 250_000
    drawn = _kernels.random_normals(seed=1, place=0, event=0, sample=0, first=0, count=count)
    numbers = drawn.astype(np.float64)
    total = numbers.size
    assert abs(numbers.mean()) < 5 / np.sqrt(total)
    assert abs(numbers.var() - 1) < 5 * np.sqrt(2 / total)
    assert abs((numbers**3).mean()) < 5 * np.sqrt(15 / total)
    assert abs((numbers**4).mean() - 3) < 5 * np.sqrt(96 / total)
    correlations = np.corrcoef(numbers.T) - np.eye(4)
    assert np.abs(correlations).max() < 5 / np.sqrt(count)
    for bound, share in ((1, 0.317310508), (2, 0.045500264), (4, 6.3342484e-5)):
        found = np.count_nonzero(np.abs(numbers) > bound)
        assert abs(found - share * total) < 5 * np.sqrt(share * total)


def unpacked(drawn: NDArray[np.int32]) -> NDArray[np.int64]:
    """Return packed normal numbers as (counter, phase, column)."""
    return np.stack([(drawn << 16) >> 16, drawn >> 16], axis=-1).astype(np.int64)


@pytest.mark.parametrize("level", _kernels.levels())
def test_read_noise_equals_its_twin(level: str) -> None:
    address: dict[str, Any] = {
        "seed": 2**40 + 3,
        "place": 7,
        "event": 2,
        "sample": 1,
        "first": 2**32 - 50,
    }
    drawn = _kernels.read_normals(**address, count=101, level=level)
    assert np.array_equal(unpacked(drawn), read_normals(**address, count=101))


def test_law_of_read_noise_is_normal() -> None:
    """The law is known exactly: that of twelve choices, here folded one by one."""
    choice = np.zeros(2 * READ_TABLE[-1] + 1)
    for number in READ_TABLE:
        choice[[READ_TABLE[-1] - number, READ_TABLE[-1] + number]] += 1 / 32
    law = np.ones(1)
    for _ in range(12):
        longer = np.zeros(len(law) + len(choice) - 1)
        for place in np.flatnonzero(choice):
            longer[place : place + len(law)] += choice[place] * law
        law = longer
    reach = len(law) // 2
    assert reach < 2**15
    numbers = np.arange(-reach, reach + 1) / math.sqrt(READ_VARIANCE)
    for power, moment in ((2, 1), (4, 3), (6, 15), (8, 105)):
        assert abs(law @ numbers**power / moment - 1) < 2e-4
    edges = (np.arange(-reach, reach + 1) + 0.5) / math.sqrt(2 * READ_VARIANCE)
    normal = np.array([0.5 * math.erfc(-edge) for edge in edges])
    assert np.abs(np.cumsum(law) - normal).max() < 1e-5
    above = 1 - np.interp(5 / math.sqrt(2), edges, np.cumsum(law))
    assert abs(above / (0.5 * math.erfc(5 / math.sqrt(2))) - 1) < 0.05


def test_read_noise_is_independent_between_phases_and_columns() -> None:
    count = 250_000
    drawn = _kernels.read_normals(seed=1, place=0, event=0, sample=0, first=0, count=count)
    numbers = unpacked(drawn).reshape(count, 8) / math.sqrt(READ_VARIANCE)
    assert np.abs(np.corrcoef(numbers.T) - np.eye(8)).max() < 5 / math.sqrt(count)
    assert np.abs(np.corrcoef(numbers.T**2) - np.eye(8)).max() < 5 / math.sqrt(count)
    assert np.abs(numbers.var(axis=0) - 1).max() < 5 * math.sqrt(2 / count)


@pytest.mark.parametrize("dac_bits", [1, 4])
@pytest.mark.parametrize("level", _kernels.levels())
def test_staircases_and_converter_noise_equal_their_twin(level: str, dac_bits: int) -> None:
    random = np.random.default_rng(4)
    weights = random.normal(0, 1, (50, 2 * 35)).astype(np.float32)
    stairs: dict[str, Any] = {
        "converter_of": random.integers(0, 3, 70).astype(np.int32),
        "breakpoints": np.sort(random.normal(0, 9, (3, 13)).astype(np.float32), axis=1),
        "codes": random.integers(-9, 9, (3, 14)).astype(np.int32),
    }
    tile: dict[str, Any] = {
        "slices": 2,
        "bits_per_cell": 2,
        "active_rows": 20,
        "dac_bits": dac_bits,
    }
    drive: dict[str, Any] = {"input_bits": 8, "sign_magnitude": True, "shift": 1}
    drive |= {"low": -8, "high": 7, "noise_variance": 3.0}
    codes = random_codes(50, 8, signed=True)
    expected = analog_product(
        codes, weights, None, **tile, **drive, staircases=Staircases(**stairs), noise=NOISE
    )
    packed = _kernels.pack_analog(weights, None, **tile, **stairs)
    found = _kernels.analog_product(codes, packed, **drive, **vars(NOISE), level=level)
    assert np.array_equal(found, expected)


@pytest.mark.parametrize("dac_bits", [1, 8])
def test_fixed_point_is_within_its_bound(dac_bits: int) -> None:
    rows = 128
    random = np.random.default_rng(8)
    weights = random.normal(0, 1.5, (rows, 40)).astype(np.float32)
    tile: dict[str, Any] = {"slices": 1, "bits_per_cell": 2, "active_rows": rows}
    packed = _kernels.pack_analog(weights, None, **tile, dac_bits=dac_bits)
    codes = random.integers(0, 2, (300, rows)).astype(np.uint8) * (2**dac_bits - 1)
    stretched = (weights * 2.0**8).astype(np.float32)
    finer = _kernels.pack_analog(stretched, None, **tile, dac_bits=dac_bits)
    assert finer.fraction == packed.fraction - 8
    found = _kernels.analog_product(
        codes,
        finer,
        input_bits=dac_bits,
        sign_magnitude=False,
        shift=0,
        low=-(2**24),
        high=2**24 - 1,
    )
    wrong = found / 2.0**8 - codes @ weights.astype(np.float64)
    drive = 2**dac_bits - 1
    rounding = 2.0**-9
    assert np.abs(wrong).max() <= rows * drive / 2 ** (packed.fraction + 1) + rounding
    typical = math.sqrt(rows / 2 / 12) * drive / 2**packed.fraction
    assert math.sqrt((wrong**2).mean()) < 1.3 * (typical + rounding)
    assert typical < 0.01 * drive


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"input_bits": 9}, "input_bits"),
        ({"noise_variance": -1.0}, "noise_variance"),
        ({"shift": 25}, "shift"),
        ({"positions": 0}, "positions"),
        ({"positions": 2**32}, "too many positions"),
        ({"low": 1}, "no such converter"),
        ({"level": "none"}, "level"),
    ],
)
def test_wrong_argument_is_refused(change: dict[str, Any], message: str) -> None:
    weights = np.ones((4, 2), np.float32)
    packed = _kernels.pack_analog(
        weights, None, slices=1, bits_per_cell=1, active_rows=4, dac_bits=1
    )
    drive: dict[str, Any] = {
        "input_bits": 8,
        "sign_magnitude": False,
        "shift": 0,
        "low": -4,
        "high": 3,
    }
    with pytest.raises(ValueError, match=message):
        _kernels.analog_product(np.ones((1, 4), np.uint8), packed, **(drive | change))


def test_wrong_arrays_are_refused() -> None:
    weights = np.ones((4, 6), np.float32)
    pack: dict[str, Any] = {"bits_per_cell": 1, "active_rows": 4, "dac_bits": 1}
    with pytest.raises(ValueError, match="whole slices"):
        _kernels.pack_analog(weights, None, slices=4, **pack)
    with pytest.raises(ValueError, match="shape of the weights"):
        _kernels.pack_analog(weights, weights[:2].copy(), slices=1, **pack)
    double: Any = weights.astype(np.float64)
    with pytest.raises(TypeError):
        _kernels.pack_analog(double, None, slices=1, **pack)


def test_packing_does_not_depend_on_threads() -> None:
    random = np.random.default_rng(4)
    weights = random.normal(0, 1, (100, 600)).astype(np.float32)
    codes = random.integers(0, 256, (8, 100)).astype(np.uint8)
    for dac_bits in (1, 4):
        pack: dict[str, Any] = {"bits_per_cell": 2, "active_rows": 48, "dac_bits": dac_bits}
        drive: dict[str, Any] = {"input_bits": 8, "sign_magnitude": False, "shift": 0}
        drive |= {"low": -128, "high": 127}
        alone, together = (
            _kernels.pack_analog(weights, weights**2, slices=4, threads=threads, **pack)
            for threads in (1, 3)
        )
        assert np.array_equal(
            _kernels.analog_product(codes, alone, **drive),
            _kernels.analog_product(codes, together, **drive),
        )
