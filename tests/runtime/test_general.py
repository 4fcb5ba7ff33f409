"""Tiles between real drivers and converters: the kernel's numbers where it can go, laws beyond."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from mcc.backends.crossbar import targets
from mcc.ir.hardware import Encoding, Target
from mcc.ir.hardware.encoding import encode, physical_columns
from mcc.ir.program import Tile, pack_flips
from mcc.runtime.analog import AnalogTile, analog_tile, digits_and_variances, general_tile
from mcc.runtime.analog_oracle import READ_VARIANCE, Noise, fixed_point
from mcc.runtime.converters.bank import staircase_of
from mcc.runtime.converters.drivers import driver_levels
from mcc.runtime.converters.periphery import periphery_of
from mcc.runtime.currents import Terms
from mcc.runtime.devices import Cells, Read
from mcc.runtime.drives import level_table
from mcc.runtime.general import GeneralTile
from mcc.runtime.random import MacroPlace, Purpose
from mcc.runtime.read_noise import Inputs, ReadNoise
from mcc.runtime.reads import Reads

Digits = tuple[NDArray[np.float32], NDArray[np.float32] | None]

PLACE = MacroPlace(seed=5, core=0, macro=1)
READS = Reads(5, PLACE.word(Purpose.READ), event=2, sample=3, positions=4, threads=1)
MANY = 20_000
QUIET: dict[str, Any] = {"cell__read_noise": 0.0, "cell__write_error": 0.0}


def target_of(name: str = "rram40nm", **changes: Any) -> Target:
    """Return a macro of 48 x 64 cells in groups of 16 rows."""
    values: dict[str, Any] = {"macro.rows": 48, "macro.cols": 64, "macro.active_rows": 16}
    values |= {"macro.adc.columns_per_adc": 8, "macro.adc.bits": 14}
    named = {key.replace("__", "."): value for key, value in changes.items()}
    return targets.load(name).with_values(values | named)


def layer_of(target: Target, shift: int = 0, cols: int = 3, **fields: Any) -> tuple[Tile, Read]:
    """Return a tile of random weights at row 2 of a macro, and its cells."""
    bits = fields.get("weight_bits", 4)
    weights = np.random.default_rng(1).integers(-7, 8, (37, cols)).astype(np.int8)
    encoded = encode(weights, target.macro, target.cell, bits)
    layer: dict[str, Any] = {"weight_bits": bits, "input_bits": 8, "input_signed": True}
    tile = Tile(
        core=0,
        macro=1,
        row=2,
        col=physical_columns(target.macro, target.cell, bits),
        rows=37,
        cols=cols,
        shift=shift,
        flips=pack_flips(encoded.flips),
        image=0,
        node="layer",
        block=(0, 0),
        **(layer | fields),
    )
    return tile, Cells(encoded.cells, target.cell, PLACE).read()


def general(tile: Tile, target: Target, cells: Read) -> GeneralTile:
    return general_of(tile, target, digits_and_variances(cells, target))


def general_of(tile: Tile, target: Target, digits: Digits) -> GeneralTile:
    periphery = periphery_of(target.macro, PLACE)
    weights, variances = digits
    spread = None if variances is None else variances[None]
    terms = Terms(level_table(tile, target, periphery), weights[None], spread)
    return general_tile(tile, target, terms, periphery)


def kernel(tile: Tile, target: Target, digits: Digits) -> AnalogTile:
    return AnalogTile(tile, target, *digits, periphery_of(target.macro, PLACE))


def as_kernels_hold(cells: Read, target: Target) -> Digits:
    """Return weights and variances rounded to the fixed point of the kernel."""
    digits = digits_and_variances(cells, target)
    fixed = fixed_point(*digits, target.macro.active_rows, target.macro.dac_bits)
    weights = np.ldexp(fixed.weights, -fixed.fraction).astype(np.float32)
    if fixed.variances is None:
        return weights, None
    return weights, (fixed.variances / fixed.variance_scale).astype(np.float32)


def random_codes(count: int, seed: int = 0) -> NDArray[np.int8]:
    return np.random.default_rng(seed).integers(-128, 128, (count, 37)).astype(np.int8)


@pytest.mark.parametrize("encoding", [("differential", False), ("offset", False), ("offset", True)])
@pytest.mark.parametrize("form", ["twos_complement", "sign_magnitude"])
@pytest.mark.parametrize("dac_bits", [1, 3])
@pytest.mark.parametrize("noise", [0.0, 0.05])
def test_it_gives_the_numbers_of_the_kernel(
    encoding: tuple[str, bool], form: str, dac_bits: int, noise: float
) -> None:
    """All but those whose level lies where float32 rounds it over the edge of a code."""
    target = target_of(
        macro__encoding=encoding[0],
        macro__column_flip=encoding[1],
        macro__input_form=form,
        macro__dac_bits=dac_bits,
        cell__bits=2,
        cell__read_noise=noise,
    )
    tile, cells = layer_of(target, shift=1)
    codes, digits = random_codes(203), as_kernels_hold(cells, target)
    expected = kernel(tile, target, digits).multiply(codes, READS)
    found = general_of(tile, target, digits).multiply(codes, READS)
    assert np.mean(found != expected) < 0.003
    assert bool(tile.flips) == encoding[1]


@pytest.mark.parametrize("encoding", list(Encoding))
def test_ideal_cells_give_the_kernels_bits(encoding: Encoding) -> None:
    """Their sums are whole, and float32 does not round them."""
    target = target_of("isaac", macro__encoding=encoding.value, macro__column_flip=False, **QUIET)
    tile, cells = layer_of(target, shift=2)
    codes = random_codes(300)
    expected = kernel(tile, target, digits_and_variances(cells, target))
    found = general(tile, target, cells)
    assert np.array_equal(found.multiply(codes, READS), expected.multiply(codes, READS))


@pytest.mark.parametrize(("cols", "slices"), [(2, 3), (32, 1), (45, 2)])
@pytest.mark.parametrize("phases", [1, 3, 8])
def test_numbers_of_reads_are_those_of_the_kernel(cols: int, slices: int, phases: int) -> None:
    noise = Noise(seed=5, place=READS.place, event=2, sample=3, positions=4)
    drawn = ReadNoise(Inputs(READS, 2, 9), sums=cols * slices, slices=slices, phases=phases)
    for group in range(3):
        found = drawn.of(group) * np.sqrt(READ_VARIANCE)
        for phase in range(phases):
            expected = noise.draw(11, cols * slices, slices, (group, phase, phases))[2:]
            assert np.array_equal(np.rint(found[:, phase]), expected)
            assert np.allclose(found[:, phase], expected, rtol=1e-12)


REAL: dict[str, Any] = {
    "macro__dac__mismatch": 0.05,
    "macro__dac__noise": 0.1,
    "macro__adc__noise": 0.5,
    "macro__adc__kind": "sar",
    "macro__adc__mismatch": 0.02,
    "macro__adc__bits": 8,
}


def test_inputs_give_the_same_together_and_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    target = target_of(**REAL)
    tile, cells = layer_of(target)
    made, codes = general(tile, target, cells), random_codes(50)
    whole = made.multiply(codes, READS)
    monkeypatch.setattr("mcc.runtime.general.BLOCK_NUMBERS", 3 * 8 * 3 * 16)
    assert np.array_equal(made.multiply(codes, READS), whole)
    for first in (4, 20):
        alone = replace(READS, sample=READS.sample + first // 4)
        assert np.array_equal(made.multiply(codes[first:], alone), whole[first:])


def read_often(
    target: Target, digit: int, shift: int = 0, input_bits: int = 2
) -> NDArray[np.float64]:
    """Read a tile often with the same small code on every row (reads, cols)."""
    tile, cells = layer_of(target, shift, input_bits=input_bits)
    codes = np.full((MANY, 37), digit, np.int8)
    reads = replace(READS, positions=MANY)
    return general(tile, target, cells).multiply(codes, reads).astype(np.float64)


def weights_of(target: Target, **fields: Any) -> NDArray[np.float64]:
    _, cells = layer_of(target, **fields)
    return digits_and_variances(cells, target)[0].astype(np.float64)


def assert_variance(found: NDArray[np.float64], expected: NDArray[np.float64]) -> None:
    assert np.abs(found.var(axis=0) / expected - 1).max() < 5 * np.sqrt(2 / MANY)


@pytest.mark.parametrize("shift", [0, 2])
def test_noise_of_conversions_alone(shift: int) -> None:
    """Each of 3 groups and 3 slices is converted once; rounding adds a twelfth of a square step."""
    target = target_of(macro__dac_bits=8, macro__adc__noise=3.0, **QUIET)
    found = read_often(target, 1, shift)
    powers = np.array([1, 4, 16])
    phases = 2  # the digits of the lower bits, and the sign bit of weight -2
    each = 4.0**shift * (3.0**2 + 1 / 12)
    assert_variance(found, np.full(3, (1 + 4 * (phases - 1)) * 3 * powers.sum() * each))


def test_noise_of_drives_alone_is_shared_by_all_columns() -> None:
    target = target_of(
        macro__dac_bits=2, macro__dac__noise=1.0, macro__input_form="sign_magnitude", **QUIET
    )
    found = read_often(target, 1)
    weights = weights_of(target).reshape(37, 3, 3) @ np.array([1.0, 2, 4])
    rounding = 3 * 21 / 12
    assert_variance(found, np.square(weights).sum(axis=0) + rounding)
    covariance = weights.T @ weights
    spread = np.sqrt(np.outer(found.var(axis=0), found.var(axis=0)) / MANY)
    off = ~np.eye(3, dtype=bool)
    assert (np.abs(np.cov(found.T) - covariance)[off] < 6 * spread[off]).all()


@pytest.mark.parametrize("accumulation", ["digital", "analog"])
def test_noise_of_drives_is_drawn_anew_in_each_phase(accumulation: str) -> None:
    """Code 3 drives the phases of worth 1 and 2, so that variances add up to 1 + 4."""
    target = target_of(
        macro__dac__noise=1.0,
        macro__input_form="sign_magnitude",
        macro__accumulation=accumulation,
        **QUIET,
    )
    found = read_often(target, 3, input_bits=3)
    weights = weights_of(target).reshape(37, 3, 3) @ np.array([1.0, 2, 4])
    conversions = 1 if accumulation == "analog" else 1 + 4
    rounding = conversions * 3 * 21 / 12
    assert_variance(found, 5 * np.square(weights).sum(axis=0) + rounding)


def test_grounded_rows_have_no_noise_of_drives() -> None:
    assert not read_often(target_of(macro__dac__noise=0.5, **QUIET), 0).any()


def test_mismatched_drivers_drive_their_own_levels() -> None:
    target = target_of(
        macro__dac_bits=3,
        macro__dac__mismatch=0.1,
        macro__input_form="sign_magnitude",
        cell__bits=4,
        **QUIET,
    )
    tile, cells = layer_of(target, input_bits=3, weight_bits=5)
    levels = driver_levels(target.macro, PLACE)
    assert levels is not None
    codes = (random_codes(40) >> 5).astype(np.int8)
    sizes = levels[2 + np.arange(37), np.abs(codes.astype(np.int16))]
    weights = weights_of(target, weight_bits=5)
    expected = np.zeros((40, 3))
    for first in range(0, 37, 16):
        rows = slice(first, first + 16)
        expected += np.rint((np.sign(codes) * sizes)[:, rows] @ weights[rows])
    found = general(tile, target, cells).multiply(codes, READS)
    assert np.abs(found - expected).max() <= 1
    assert np.mean(found != expected) < 0.01


@pytest.mark.parametrize("kind", ["sar", "ramp", "flash", "pipeline", "cyclic"])
def test_every_sum_passes_the_converter_of_its_column(kind: str) -> None:
    target = target_of(
        macro__dac_bits=3,
        macro__adc__kind=kind,
        macro__adc__mismatch=0.1,
        macro__adc__offset=0.5,
        macro__adc__bits=7,
        macro__input_form="sign_magnitude",
        cell__bits=4,
        **QUIET,
    )
    tile, cells = layer_of(target, shift=2, input_bits=3, weight_bits=5, cols=6)
    codes = (random_codes(200) >> 5).astype(np.int8)
    weights = weights_of(target, weight_bits=5, cols=6)
    expected = np.zeros((200, 6), np.int64)
    for first in range(0, 37, 16):
        rows = slice(first, first + 16)
        sums = codes[:, rows].astype(np.float64) @ weights[rows]
        for column in range(6):
            stairs = staircase_of(target.macro, PLACE, (tile.col + 2 * column) // 8)
            edges = stairs.breakpoints.astype(np.float32)
            index = np.searchsorted(edges, sums[:, column] / 4, side="right")
            expected[:, column] += 4 * stairs.codes[index]
    found = general(tile, target, cells).multiply(codes, READS)
    assert np.array_equal(found, expected)


@pytest.mark.parametrize("kind", ["ideal", "sar", "ramp", "flash", "pipeline", "cyclic"])
@pytest.mark.parametrize("encoding", ["differential", "offset"])
@pytest.mark.parametrize("dac_bits", [1, 2])
def test_real_converters_give_the_numbers_of_the_kernel(
    kind: str, encoding: str, dac_bits: int
) -> None:
    target = target_of(
        macro__dac_bits=dac_bits,
        macro__adc__kind=kind,
        macro__adc__mismatch=0.0 if kind == "ideal" else 0.1,
        macro__adc__offset=0.5,
        macro__adc__noise=0.4,
        macro__adc__gain_error=0.02,
        macro__adc__bits=7,
        macro__encoding=encoding,
        macro__column_flip=False,
        cell__bits=2,
    )
    tile, cells = layer_of(target, shift=1, cols=12)
    codes, digits = random_codes(100), as_kernels_hold(cells, target)
    expected = kernel(tile, target, digits).multiply(codes, READS)
    found = general_of(tile, target, digits).multiply(codes, READS)
    assert np.mean(found != expected) < 0.003


def test_the_kernel_is_left_only_where_it_must_be() -> None:
    """For drivers that err, and for noise of reads that add up before conversion."""
    summed: dict[str, Any] = {"macro__accumulation": "analog"}
    left: list[dict[str, Any]] = [
        {"macro__dac__mismatch": 0.05},
        {"macro__dac__noise": 0.1},
        {**summed, "cell__read_noise": 0.05},
    ]
    quiet = {**summed, **QUIET, "macro__adc__noise": 0.5}
    kept: list[dict[str, Any]] = [
        {},
        quiet,
        {name: value for name, value in REAL.items() if "dac" not in name},
    ]
    for kind, cases in ((GeneralTile, left), (AnalogTile, kept)):
        for changes in cases:
            target = target_of(**changes)
            tile, cells = layer_of(target)
            periphery = periphery_of(target.macro, PLACE)
            assert type(analog_tile(tile, target, cells, periphery)) is kind


def test_the_order_of_rows_changes_no_bit() -> None:
    """Neither of sums nor of variances, so that any matrix library gives the same."""
    target = target_of(cell__read_noise=0.05, macro__adc__offset=0.3, macro__dac_bits=3)
    tile, cells = layer_of(target)
    order = np.concatenate([np.random.default_rng(3).permutation(16), np.arange(16, 37)])
    codes = random_codes(200)
    found = general(tile, target, cells).multiply(codes, READS)
    turned = general(tile, target, cells[order]).multiply(codes[:, order], READS)
    assert np.array_equal(found, turned)
