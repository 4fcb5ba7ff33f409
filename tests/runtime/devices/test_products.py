"""Each law alone: the variance of products at `device` is what its formula makes of the cells.

One column pair of cells per weight, weights of one digit, codes of one bit: a product is a sum of
cells in units of a digit, and its variance over chips (or reads) is the sum of theirs.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from mcc.backends.crossbar import targets
from mcc.ir.hardware import Target
from mcc.ir.program import Image, Tile
from mcc.runtime.arrays import ProgrammedArrays
from mcc.runtime.devices import Conditions, unit_siemens
from mcc.runtime.fidelity import Fidelity

ROWS, COLS, CHIPS, SEED = 32, 64, 64, 11
AGE = Conditions(seconds=1e4)
STATES = np.random.default_rng(2).integers(1, 15, (ROWS, 2 * COLS)).astype(np.uint8)


@dataclass(frozen=True)
class Small:
    """The part of a program that arrays need."""

    target: Target
    tiles: tuple[Tile, ...]
    images: tuple[Image, ...]


def program(changes: dict[str, Any]) -> Small:
    """Return one tile of 4-bit cells in differential pairs, all rows in one analog sum."""
    values = {
        "cell.bits": 4,
        "cell.g_min_siemens": 2e-6,
        "cell.g_max_siemens": 50e-6,
        "cell.start_seconds": 1.0,
        "macro.encoding": "differential",
        "macro.rows": ROWS,
        "macro.active_rows": ROWS,
        "macro.cols": 2 * COLS,
        "macro.adc.columns_per_adc": 2,
        "macro.adc.bits": 20,
    }
    cell = {f"cell.{key}": value for key, value in changes.items()}
    target = targets.load("rram40nm", device="ideal").with_values(values | cell)
    tile = Tile(
        core=0, macro=0, row=0, col=0, rows=ROWS, cols=COLS, weight_bits=5, input_bits=1,
        input_signed=False, shift=0, flips=b"", image=0, node="layer", block=(0, 0),
    )  # fmt: skip
    return Small(target, (tile,), (Image(0, 0, STATES),))


def conductances(target: Target) -> NDArray[np.floating[Any]]:
    return target.cell.g_min_siemens + STATES * unit_siemens(target.cell)


Law = tuple[dict[str, Any], Callable[[Any], Any]]
"""Values of a cell, and the standard deviation that they give a conductance."""


def spread_over_chips(changes: dict[str, Any], conditions: Conditions) -> tuple[Any, Any]:
    """Return the deviations (chips, cols) of products of ones from those of ideal cells."""
    code, ones = program(changes), np.ones((1, ROWS), np.uint8)
    ideal = (STATES[:, 0::2].astype(int) - STATES[:, 1::2].astype(int)).sum(axis=0)
    found = [
        ProgrammedArrays(code, Fidelity.DEVICE, seed, conditions=conditions).multiply(0, ones)[0]
        for seed in range(SEED, SEED + CHIPS)
    ]
    return np.array(found) - ideal, code.target


def agree(deviations: Any, mean: Any, variances: Any) -> None:
    """Require means and variances (cols,) of the cells' sums, within five errors of estimation."""
    expected = variances + 1 / 12  # the converter rounds to whole digits
    scaled = (deviations - mean) / np.sqrt(expected)
    assert expected.min() > 3 / 12, "rounding must not decide"
    assert abs(scaled.mean()) < 5 / math.sqrt(scaled.size)
    assert abs((scaled**2).mean() - 1) < 5 * math.sqrt(2 / scaled.size)


def summed(per_cell: Any, target: Target) -> Any:
    """Return sums over the cells of every pair of columns, of squared siemens, in digits."""
    return (per_cell / unit_siemens(target.cell) ** 2).sum(axis=0).reshape(COLS, 2).sum(axis=1)


def paired(per_cell: Any, target: Target) -> Any:
    """Return what shifts of the cells, in siemens, do to the sums, in digits."""
    total = (per_cell / unit_siemens(target.cell)).sum(axis=0).reshape(COLS, 2)
    return total[:, 0] - total[:, 1]


WRITING: dict[str, Law] = {
    "relative": ({"write_error": 0.1}, lambda g: 0.1 * g),
    "constant": ({"write.constant_siemens": 8e-7}, lambda g: 8e-7 + 0 * g),
    "polynomial": (
        {
            "write.reference_siemens": 5e-5,
            "write.linear_siemens": 4e-6,
            "write.quadratic_siemens": -3e-6,
        },
        lambda g: 4e-6 * (g / 5e-5) - 3e-6 * (g / 5e-5) ** 2,
    ),
    "variation": ({"variation.fraction": 0.08}, lambda g: 0.08 * g),
}
GROWTH = math.sqrt(math.log((1e4 + 1e-6) / 2e-6))
FLICKER: dict[str, Law] = {
    "share": (
        {
            "flicker.fraction": 0.02,
            "flicker.exponent": 0.5,
            "flicker.limit": 0.05,
            "flicker.reference_siemens": 5e-5,
        },
        lambda g: g * np.minimum(0.02 * (g / 5e-5) ** -0.5, 0.05) * GROWTH,
    ),
    "logarithmic": (
        {"flicker.logarithmic_siemens": 1e-7},
        lambda g: 1e-7 * np.log10(g / 1e-6) * GROWTH,
    ),
}


@pytest.mark.parametrize("source", WRITING)
def test_errors_of_writing(source: str) -> None:
    changes, sigma = WRITING[source]
    deviations, target = spread_over_chips(changes, Conditions())
    agree(deviations, 0, summed(sigma(conductances(target)) ** 2, target))


def test_relaxation() -> None:
    law = {"relaxation.mean_siemens": -3e-8, "relaxation.diffusion_siemens": 2e-7}
    deviations, target = spread_over_chips(law, AGE)
    log = math.log(1e4)
    shift = np.full((ROWS, 2 * COLS), -3e-8 * log)
    agree(deviations, paired(shift, target), summed(0 * shift + 4e-14 * log, target))


def test_drift() -> None:
    law = {
        "drift.exponent_lowest": 0.03,
        "drift.exponent_highest": 0.03,
        "drift.spread_lowest": 0.006,
        "drift.spread_highest": 0.006,
    }
    deviations, target = spread_over_chips(law, AGE)
    nominal, log = conductances(target), math.log(1e4)
    mean = math.exp(-0.03 * log + (0.006 * log) ** 2 / 2)  # moments of a log-normal number
    variance = mean**2 * math.expm1((0.006 * log) ** 2)
    shifts = paired(nominal * (mean - 1), target)
    agree(deviations, shifts, summed(nominal**2 * variance, target))


def test_temperature() -> None:
    deviations, target = spread_over_chips(
        {"temperature.coefficient_per_kelvin": 1e-3}, Conditions(kelvin=350.0)
    )
    expected = paired(conductances(target) * 0.05, target)
    assert np.abs(deviations - expected).max() <= 0.51, "no more than the converter rounds"


@pytest.mark.parametrize("source", FLICKER)
def test_gathered_noise(source: str) -> None:
    changes, sigma = FLICKER[source]
    deviations, target = spread_over_chips(changes, AGE)
    agree(deviations, 0, summed(sigma(conductances(target)) ** 2, target))


def test_all_reads_find_the_same_gathered_noise() -> None:
    arrays = ProgrammedArrays(program(FLICKER["share"][0]), Fidelity.DEVICE, SEED, conditions=AGE)
    reads = arrays.multiply(0, np.ones((10, ROWS), np.uint8))
    assert (reads == reads[0]).all()
    assert np.array_equal(arrays.multiply(0, np.ones((1, ROWS), np.uint8))[0], reads[0])


def test_noise_of_reads() -> None:
    code = program({"read_noise": 0.1})
    arrays = ProgrammedArrays(code, Fidelity.DEVICE, SEED, conditions=AGE)
    reads = arrays.multiply(0, np.ones((100, ROWS), np.uint8))
    ideal = (STATES[:, 0::2].astype(int) - STATES[:, 1::2].astype(int)).sum(axis=0)
    variances = (0.1 * conductances(code.target)) ** 2
    agree(reads - ideal, 0, summed(variances, code.target))


def test_ideal_cells_do_not_err_at_any_condition() -> None:
    deviations, _ = spread_over_chips({}, Conditions(seconds=1e8, kelvin=400.0, cycles=1000))
    assert not deviations.any()


def test_what_is_written_again_in_a_run_is_read_afresh() -> None:
    law = {"drift.exponent_lowest": 0.1, "drift.exponent_highest": 0.1}
    arrays = ProgrammedArrays(program(law), Fidelity.DEVICE, SEED, conditions=AGE)
    ones = np.ones((1, ROWS), np.uint8)
    aged = arrays.multiply(0, ones)
    arrays.reprogram(0, 0, 0)
    fresh = arrays.multiply(0, ones)
    ideal = (STATES[:, 0::2].astype(int) - STATES[:, 1::2].astype(int)).sum(axis=0)
    assert np.array_equal(fresh[0], ideal)
    assert not np.array_equal(aged, fresh)
    arrays.start()
    assert np.array_equal(arrays.multiply(0, ones), aged)
