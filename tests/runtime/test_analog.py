"""The noise of a read is that of its cells; what is rounded is far below it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from mcc.backends.crossbar import targets
from mcc.ir.diagnostics import MccError
from mcc.ir.hardware import Target
from mcc.ir.hardware.conversion import code_range
from mcc.ir.program import Tile
from mcc.runtime.analog import analog_tile, digits_and_variances
from mcc.runtime.converters.periphery import Periphery
from mcc.runtime.devices import Read, target_siemens, unit_siemens
from mcc.runtime.reads import Reads

ROWS, COLS, READS, NOISE = 24, 2, 20_000, 0.1
IDEAL = Periphery(bank=None, conversion_noise=0, levels=None, drive_noise=0, drive_place=0)


def target_of(encoding: str, noise: float = NOISE, dac_bits: int = 3) -> Target:
    """Return a target with one slice and one phase, whose sums are large numbers of digits."""
    return targets.load("rram40nm").with_values(
        {
            "macro.encoding": encoding,
            "macro.dac_bits": dac_bits,
            "macro.input_form": "sign_magnitude",
            "macro.active_rows": ROWS,
            "macro.adc.bits": 20,
            "cell.bits": 4,
            "cell.read_noise": noise,
        }
    )


def tile_of(target: Target, dac_bits: int = 3) -> Tile:
    return Tile(
        core=0,
        macro=0,
        row=0,
        col=0,
        rows=ROWS,
        cols=COLS,
        weight_bits=5 if target.macro.encoding == "differential" else 4,
        input_bits=dac_bits,
        input_signed=True,
        shift=0,
        flips=b"",
        image=0,
        node="layer",
        block=(0, 0),
    )


def conductances_of(target: Target) -> NDArray[np.float64]:
    columns = COLS * (2 if target.macro.encoding == "differential" else 1)
    low, high = target.cell.g_min_siemens, target.cell.g_max_siemens
    return np.random.default_rng(5).uniform(low, high, (ROWS, columns))


def cells_of(target: Target) -> Read:
    conductances = conductances_of(target)
    return Read(conductances, target.cell.read_noise * conductances)


def read_often(target: Target, codes: NDArray[Any]) -> NDArray[np.int32]:
    tile = analog_tile(tile_of(target), target, cells_of(target), IDEAL)
    reads = Reads(seed=3, place=1, event=0, sample=0, positions=READS, threads=2)
    return tile.multiply(np.tile(codes, (READS, 1)), reads)


@pytest.mark.parametrize("encoding", ["differential", "offset"])
def test_noise_of_a_sum_equals_noise_drawn_cell_by_cell(encoding: str) -> None:
    target, random = target_of(encoding), np.random.default_rng(11)
    codes = random.integers(-3, 4, ROWS).astype(np.int8)
    conductances, unit = conductances_of(target), unit_siemens(target.cell)
    fold = [1, -1] if encoding == "differential" else [1]
    background = target.cell.g_min_siemens * (encoding == "offset")
    offset = 0 if encoding == "differential" else 8 * int(codes.sum())

    drawn = np.empty((READS, COLS))
    for index in range(READS):
        noisy = conductances * (1 + NOISE * random.standard_normal(conductances.shape))
        drawn[index] = (codes @ (noisy - background)).reshape(COLS, -1) @ fold / unit
    found = read_often(target, codes).astype(np.float64) + offset

    per_cell = (codes[:, None] * NOISE * conductances / unit) ** 2
    variance = per_cell.sum(axis=0).reshape(COLS, -1).sum(axis=1)
    mean = (codes @ (conductances - background)).reshape(COLS, -1) @ fold / unit
    rounding = 1 / 12
    assert variance.min() > 100 * rounding
    for reads, extra in ((found, rounding), (drawn, 0)):
        assert np.abs(reads.mean(axis=0) - mean).max() < 5 * np.sqrt(variance.max() / READS)
        ratio = reads.var(axis=0) / (variance + extra)
        assert np.abs(ratio - 1).max() < 5 * np.sqrt(2 / READS)


@pytest.mark.parametrize("encoding", ["differential", "offset"])
def test_codes_of_noisy_sums_have_the_law_of_noisy_cells(encoding: str) -> None:
    """Two samples of one law differ by more than 1.95 * sqrt(2 / n) once in a thousand times."""
    target, random = (
        target_of(encoding).with_values({"macro.adc.bits": 6}),
        np.random.default_rng(2),
    )
    low, high = code_range(target.macro)
    codes = random.integers(-3, 4, ROWS).astype(np.int8)
    conductances, unit = conductances_of(target), unit_siemens(target.cell)
    fold = [1, -1] if encoding == "differential" else [1]
    background = target.cell.g_min_siemens * (encoding == "offset")
    noise = NOISE * random.standard_normal((READS, *conductances.shape)).astype(np.float32)
    currents = np.einsum("r,nrc->nc", codes, conductances * (1 + noise) - background)
    drawn = currents.reshape(READS, COLS, -1) @ fold / unit
    offset = 0 if encoding == "differential" else 8 * int(codes.sum())
    expected = np.clip(np.rint(drawn), low, high)
    found = read_often(target, codes) + offset
    for column in range(COLS):
        steps = np.arange(low, high + 1)
        laws = [
            np.searchsorted(np.sort(part[:, column]), steps, "right") / READS
            for part in (expected, found)
        ]
        assert np.abs(laws[0] - laws[1]).max() < 1.95 * np.sqrt(2 / READS)


def test_noise_is_independent_between_sums_and_reads() -> None:
    target = target_of("offset")
    reads = read_often(target, np.full(ROWS, 3, np.int8)).astype(np.float64)
    pairs = [(reads[:, 0], reads[:, 1]), (reads[:-1, 0], reads[1:, 0])]
    for one, other in pairs:
        assert np.abs(np.corrcoef(one, other) - np.eye(2)).max() < 5 / np.sqrt(READS)


def test_undriven_rows_add_neither_current_nor_noise() -> None:
    assert not read_often(target_of("differential"), np.zeros(ROWS, np.int8)).any()


def test_threads_do_not_change_a_bit() -> None:
    target = target_of("differential")
    tile = analog_tile(tile_of(target), target, cells_of(target), IDEAL)
    codes = np.random.default_rng(1).integers(-4, 4, (300, ROWS)).astype(np.int8)
    results = [
        tile.multiply(codes, Reads(3, 1, 0, 0, positions=100, threads=threads))
        for threads in (1, 2, 5)
    ]
    assert np.array_equal(results[0], results[1])
    assert np.array_equal(results[0], results[2])


@pytest.mark.parametrize("encoding", ["differential", "offset"])
def test_ideal_cells_are_whole_digits(encoding: str) -> None:
    target = target_of(encoding)
    states = np.random.default_rng(0).integers(0, 16, (ROWS, 4))
    ideal = target_siemens(states.astype(np.uint8), target.cell)
    digits, variances = digits_and_variances(Read(ideal, None), target)
    whole = states[:, 0::2] - states[:, 1::2] if encoding == "differential" else states
    assert np.abs(digits - whole).max() < 2.0**-19
    assert variances is None


@pytest.mark.parametrize("relative", [True, False])
@pytest.mark.parametrize("encoding", ["differential", "offset"])
def test_digits_and_variances_are_currents_over_that_of_a_digit(
    encoding: str, relative: bool
) -> None:
    """However the cells lie in memory, and however many threads there are."""
    target = target_of(encoding)
    unit, lowest = unit_siemens(target.cell), target.cell.g_min_siemens
    siemens = np.random.default_rng(2).uniform(0, 2 * lowest, (300, 260))
    cells = Read(siemens, NOISE if relative else NOISE * siemens)
    currents, squares = siemens * (1 / unit), np.square(NOISE * siemens * (1 / unit))
    if encoding == "differential":
        digits = currents[:, 0::2] - currents[:, 1::2]
        variances = squares[:, 0::2] + squares[:, 1::2]
    else:
        digits, variances = currents - lowest / unit, squares
    for form in (cells, Read(np.asfortranarray(siemens), cells.sigma)):
        for threads in (1, 3):
            found = digits_and_variances(form, target, threads)
            assert np.array_equal(found[0], digits.astype(np.float32))
            assert found[1] is not None
            assert np.array_equal(found[1], variances.astype(np.float32))
    assert cells.sigma is not None
    assert np.array_equal(cells[3:5].T.siemens, siemens[3:5].T)
    assert np.array_equal(np.asarray(cells[3:5].T.sigma), cells.sigma[3:5].T)


@pytest.mark.parametrize("wrong", [-1e-9, float("nan"), float("inf")])
def test_impossible_conductances_are_refused(wrong: float) -> None:
    target = target_of("offset")
    conductances = conductances_of(target)
    conductances[3, 1] = wrong
    with pytest.raises(MccError, match=r"cell \(3, 1\)") as caught:
        analog_tile(tile_of(target), target, Read(conductances, None), IDEAL)
    assert caught.value.diagnostics[0].code == "conductance"
