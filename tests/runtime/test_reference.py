"""A reference column: what it errs by, all columns of its tile err by alike."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from mcc.ir.hardware import Accumulation, Target
from mcc.ir.hardware.encoding import digit_values, encode
from mcc.ir.hardware.phases import phases
from mcc.runtime.arrays import ProgrammedArrays
from mcc.runtime.devices import target_siemens, unit_siemens
from mcc.runtime.fidelity import Fidelity
from tests.programmed_arrays import (
    IDEAL,
    product,
    programmed,
    random_codes,
    random_weights,
    small_target,
)

COLS = 4
every_subtraction = pytest.mark.parametrize("subtraction", ["before", "after"])


def referenced(subtraction: str, **changes: Any) -> Target:
    return small_target(
        macro__encoding="offset",
        macro__reference="column",
        macro__subtraction=subtraction,
        macro__adc__bits=20,
        cell__bits=2,
        **changes,
    ).with_values(IDEAL | {key.replace("__", "."): it for key, it in changes.items()})


def squares(target: Target, weights: NDArray[np.int8], spread: float) -> NDArray[np.float64]:
    """Return the variance that each weight of a row (rows, cols + 1) has, the reference last."""
    macro, cell = target.macro, target.cell
    cells = target_siemens(encode(weights, macro, cell, 8).cells, cell) / unit_siemens(cell)
    values = digit_values(macro, cell, 8)
    return np.square(spread * cells).reshape(len(weights), -1, len(values)) @ values**2


def agree(found: NDArray[np.float64], own: NDArray[Any], shared: float) -> None:
    """Check covariances of samples (n, cols): those of `own` and what all have in common.

    A covariance of n normal pairs has the variance `(s_ii s_jj + s_ij^2) / n`.
    """
    expected = np.diag(own) + shared
    power = np.diag(expected)
    bound = np.sqrt((np.outer(power, power) + expected**2) / len(found))
    assert (np.abs(np.cov(found.T) - expected) < 5 * bound).all()
    assert 0.05 < shared / power.max()


@every_subtraction
@pytest.mark.parametrize("accumulation", list(Accumulation))
@pytest.mark.parametrize("fidelity", [Fidelity.DEVICE, Fidelity.WIRE])
def test_the_noise_of_its_reads_is_common_to_all_columns(
    subtraction: str, accumulation: Accumulation, fidelity: Fidelity
) -> None:
    """Covariances are sums over rows and phases of its variances; converters round much finer."""
    reads, noise = 4000, 0.5
    target = referenced(subtraction, macro__accumulation=accumulation.value, cell__read_noise=noise)
    weights, codes = random_weights(cols=COLS), random_codes()[0, 3]
    each = squares(target, weights, noise)
    power = np.zeros(COLS + 1)
    for phase in phases(target.macro, 8, False):
        power += np.square(phase.worth * phase.drive(codes).astype(float)) @ each
    arrays = ProgrammedArrays(programmed(target, weights, shift=0), fidelity, seed=2)
    found = arrays.multiply(0, np.tile(codes, (reads, 1))).astype(float)
    agree(found, power[:-1], power[-1])
    mean = np.abs(found.mean(axis=0) - product(codes, weights))
    assert (mean < 5 * np.sqrt((power[:-1] + power[-1]) / reads)).all()


@every_subtraction
def test_its_write_errors_are_common_to_all_columns(subtraction: str) -> None:
    """Over chips: an error of a cell counts in every product as its row is driven.

    Inputs of one phase, so that converters round next to nothing.
    """
    error, chips = 0.05, 500
    target = referenced(subtraction, cell__write_error=error, macro__dac_bits=8)
    weights, codes = random_weights(cols=COLS), random_codes()[0, 3]
    power = np.square(codes.astype(float)) @ squares(target, weights, error)
    program = programmed(target, weights, row=3, col=7, shift=0)
    found = [
        ProgrammedArrays(program, Fidelity.DEVICE, seed).multiply(0, codes[None])[0]
        for seed in range(chips)
    ]
    agree(np.array(found, float), power[:-1], power[-1])


@every_subtraction
@pytest.mark.parametrize("reading", [0.0, 1e-3], ids=["quiet", "noisy"])
def test_noise_of_conversions_is_each_columns_own(subtraction: str, reading: float) -> None:
    """But that of a reference that is converted, which all columns have in common.

    With noise of reads, however little, products go another way.
    """
    reads, noise = 4000, 3.0
    target = referenced(subtraction, macro__adc__noise=noise, cell__read_noise=reading)
    weights, codes = random_weights(cols=COLS), random_codes()[0, 3]
    arrays = ProgrammedArrays(programmed(target, weights, shift=0), Fidelity.DEVICE, seed=2)
    found = arrays.multiply(0, np.tile(codes, (reads, 1))).astype(float)
    worths = np.square([phase.worth for phase in phases(target.macro, 8, False)]).sum()
    own = worths * 3 * (noise**2 + 1 / 12) * np.square(digit_values(target.macro, target.cell, 8))
    expected = np.eye(COLS) * own.sum() + (own.sum() if subtraction == "after" else 0)
    bound = np.sqrt(2 / reads) * expected.max()
    assert (np.abs(np.cov(found.T) - expected) < 5 * bound).all()


@pytest.mark.parametrize("noise", [0.0, 0.2])
def test_noise_of_drivers_meets_both_columns(noise: float) -> None:
    """A drive that errs moves a column and its reference: weights 0 do not see it at all."""
    target = referenced("before", macro__dac__noise=noise)
    weights = np.zeros((37, 2), np.int8)
    arrays = ProgrammedArrays(programmed(target, weights), Fidelity.DEVICE, seed=2)
    assert not arrays.multiply(0, random_codes()).any()
