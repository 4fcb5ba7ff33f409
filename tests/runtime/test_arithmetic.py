"""The arithmetic of arrays in every form: a plain twin judges sums, converters and noise."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from mcc.ir.hardware import Accumulation, InputCoding, InputForm, Target
from mcc.ir.hardware.conversion import convert, full_scale_shift
from mcc.ir.hardware.encoding import Encoded, digit_values, encode, weight_offset
from mcc.ir.hardware.phases import phases
from mcc.ir.hardware.ranging import conversion_errors
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

OFFSET = {"macro__encoding": "offset"}
COLUMN = OFFSET | {"macro__reference": "column"}
LAYOUTS: list[dict[str, Any]] = [
    {},
    {"macro__differential": "two_sided"},
    {"macro__subtraction": "after"},
    {"macro__subtraction": "after", "macro__differential": "two_sided"},
    {"macro__slice_overlap": 1},
    {"macro__slice_overlap": 2, "macro__subtraction": "after"},
    OFFSET,
    OFFSET | {"macro__column_flip": True},
    OFFSET | {"macro__column_flip": True, "macro__slice_overlap": 1},
    COLUMN,
    COLUMN | {"macro__subtraction": "after"},
    COLUMN | {"macro__slice_overlap": 1},
]
"""How weights lie in cells of two bits, and which columns make an analog sum."""
FRACTIONAL: list[dict[str, Any]] = [
    {"macro__slice_overlap": 1.5, "macro__guard_slices": 1},
    {"macro__slice_overlap": 1.5, "macro__guard_slices": 1, "macro__subtraction": "after"},
    OFFSET | {"macro__slice_overlap": 2.6, "macro__guard_slices": 3, "macro__column_flip": True},
    COLUMN | {"macro__slice_overlap": 1.5, "macro__guard_slices": 1},
    COLUMN | {"macro__slice_overlap": 1.5, "macro__guard_slices": 1, "macro__subtraction": "after"},
]
"""Layouts whose slices are worth no whole numbers, so that cells hold a weight nearly."""

GROUP = 16


def layout_of(layout: dict[str, Any]) -> str:
    return ",".join(str(value) for value in layout.values()) or "differential"


every_layout = pytest.mark.parametrize("layout", LAYOUTS, ids=layout_of)
every_ratio = pytest.mark.parametrize("layout", LAYOUTS + FRACTIONAL, ids=layout_of)
fractional = pytest.mark.parametrize("layout", FRACTIONAL, ids=layout_of)
every_accumulation = pytest.mark.parametrize("accumulation", list(Accumulation))


def pairs(target: Target) -> bool:
    """Whether currents of pairs are subtracted."""
    return target.macro.encoding == "differential" and target.macro.subtraction == "before"


def folded(columns: NDArray[Any], target: Target, bits: int = 8) -> NDArray[Any]:
    """Subtract the currents of columns (..., columns) where that happens before conversion."""
    macro = target.macro
    if pairs(target):
        return columns[..., 0::2] - columns[..., 1::2]
    if macro.reference == "column" and macro.subtraction == "before":
        return against_last(columns, len(digit_values(macro, target.cell, bits)))
    return columns


def against_last(columns: NDArray[Any], width: int) -> NDArray[Any]:
    """Subtract the last `width` columns from all others (..., columns)."""
    weights = columns.reshape(*columns.shape[:-1], -1, width)
    return (weights[..., :-1, :] - weights[..., -1:, :]).reshape(*columns.shape[:-1], -1)


def twin(
    encoded: Encoded, codes: NDArray[Any], target: Target, shift: int, bits: int = 8
) -> NDArray[np.int64]:
    """Multiply codes (..., rows), one conversion after the other."""
    macro = target.macro
    values = digit_values(macro, target.cell, bits)
    values = np.abs(values[0::2]) if pairs(target) else values
    together = macro.accumulation == "analog"
    total = np.zeros((*codes.shape[:-1], folded(encoded.cells, target).shape[1]), np.int64)
    for first in range(0, codes.shape[-1], GROUP):
        rows = slice(first, first + GROUP)
        flips = encoded.flips[first // GROUP][: total.shape[-1]]
        charge = np.zeros_like(total)
        drive = np.zeros((*codes.shape[:-1], 1), np.int64)
        for phase in phases(macro, 8, codes.dtype == np.int8):
            digits = phase.drive(codes[..., rows]).astype(np.int64)
            worth = phase.worth if together else 1
            charge += worth * folded(digits @ encoded.cells[rows].astype(np.int64), target)
            drive += worth * digits.sum(axis=-1, keepdims=True)
            if not together:
                read = convert(charge, shift, macro)
                total += phase.worth * np.where(flips, 3 * drive - read, read)
                charge[:], drive[:] = 0, 0
        if together:
            read = convert(charge, shift, macro)
            total += np.where(flips, 3 * drive - read, read)
    sums = np.floor(total.reshape(*codes.shape[:-1], -1, len(values)) @ values + 0.5)
    if macro.reference == "column":
        return sums if macro.subtraction == "before" else against_last(sums, 1)
    return sums - weight_offset(macro, bits) * codes.sum(axis=-1, keepdims=True, dtype=np.int64)


@every_layout
@every_accumulation
@pytest.mark.parametrize("form", list(InputForm))
@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("coding", list(InputCoding))
def test_ideal_cells_give_the_exact_product(
    layout: dict[str, Any],
    accumulation: Accumulation,
    form: InputForm,
    signed: bool,
    coding: InputCoding,
) -> None:
    target = small_target(
        **layout,
        macro__accumulation=accumulation.value,
        macro__input_form=form.value,
        macro__input_coding=coding.value,
        macro__dac_bits=2,
        cell__bits=2,
    ).with_values(IDEAL)
    weights, codes = random_weights(), random_codes(signed=signed)
    program = programmed(target, weights, input_signed=signed)
    for fidelity in Fidelity:
        sums = ProgrammedArrays(program, fidelity).multiply(0, codes)
        assert np.array_equal(sums, product(codes, weights)), fidelity


@fractional
@every_accumulation
@pytest.mark.parametrize("signed", [False, True])
def test_slices_of_any_ratio_multiply_by_what_they_hold(
    layout: dict[str, Any], accumulation: Accumulation, signed: bool
) -> None:
    """`exact` knows the weights; elsewhere each misses at most half of what its lowest slice is."""
    target = small_target(
        **layout, macro__accumulation=accumulation.value, cell__bits=2
    ).with_values(IDEAL)
    weights, codes = random_weights(cols=2), random_codes(signed=signed)
    program = programmed(target, weights, input_signed=signed)
    expected = twin(encode(weights, target.macro, target.cell, 8), codes, target, shift=0)
    missed = np.abs(expected - product(codes, weights))
    lowest = np.abs(digit_values(target.macro, target.cell, 8)).min()
    columns = 2 if target.macro.reference == "column" else 1
    driven = np.abs(codes.astype(int)).sum(-1, keepdims=True)
    assert (missed <= columns * (lowest / 2 * driven + 0.5)).all()
    assert missed.any()
    for fidelity in Fidelity:
        sums = ProgrammedArrays(program, fidelity).multiply(0, codes)
        right = product(codes, weights) if fidelity is Fidelity.EXACT else expected
        assert np.array_equal(sums, right), fidelity


@every_ratio
@every_accumulation
@pytest.mark.parametrize("form", list(InputForm))
@pytest.mark.parametrize("signed", [False, True])
def test_every_sum_passes_the_converter(
    layout: dict[str, Any], accumulation: Accumulation, form: InputForm, signed: bool
) -> None:
    together = accumulation is Accumulation.ANALOG
    shift = 6 if together else 1
    target = small_target(
        **layout,
        macro__accumulation=accumulation.value,
        macro__input_form=form.value,
        macro__adc__bits=5,
        cell__bits=2,
    ).with_values(IDEAL)
    weights, codes = random_weights(cols=2), random_codes(signed=signed)
    program = programmed(target, weights, input_signed=signed, shift=shift)
    expected = twin(encode(weights, target.macro, target.cell, 8), codes, target, shift)
    assert not np.array_equal(expected, product(codes, weights))
    for fidelity in (Fidelity.CONVERTER, Fidelity.DEVICE):
        sums = ProgrammedArrays(program, fidelity).multiply(0, codes)
        assert np.array_equal(sums, expected), fidelity


@every_layout
@every_accumulation
@pytest.mark.parametrize("signed", [False, True])
def test_calibration_sees_the_errors_that_the_converters_make(
    layout: dict[str, Any], accumulation: Accumulation, signed: bool
) -> None:
    target = small_target(
        **layout, macro__accumulation=accumulation.value, macro__adc__bits=4, cell__bits=2
    )
    macro, cell = target.macro, target.cell
    weights, codes = random_weights(), random_codes(signed=signed)[0]
    encoded = encode(weights, macro, cell, 8)
    found = conversion_errors(encoded, codes, macro, cell, 8, 8)
    exact = product(codes, weights)
    assert len(found) == full_scale_shift(macro, cell, 8, signed) + 1 > 1
    for shift, error in enumerate(found):
        assert error == np.square(twin(encoded, codes, target, shift) - exact).sum()


@every_ratio
@every_accumulation
@pytest.mark.parametrize("form", list(InputForm))
def test_read_noise_has_the_variance_of_all_its_cells(
    layout: dict[str, Any], accumulation: Accumulation, form: InputForm
) -> None:
    """Each cell is read anew in each phase: variances add up with squares of what each counts.

    The noise of a sum is larger than a step, so that rounding adds a twelfth of its square.
    """
    noise, count = 0.5, 4000
    target = small_target(
        **layout,
        macro__accumulation=accumulation.value,
        macro__input_form=form.value,
        macro__dac_bits=4,
        macro__adc__bits=18,
        cell__bits=2,
    ).with_values(IDEAL | {"cell.read_noise": noise})
    macro, cell = target.macro, target.cell
    signed = form is InputForm.SIGN_MAGNITUDE
    weights, codes = random_weights(), random_codes(signed=signed)[0, 3]
    encoded = encode(weights, macro, cell, 8)
    states = target_siemens(encoded.cells, cell) / unit_siemens(cell)
    cells = np.square(noise * states)
    values = digit_values(macro, cell, 8).astype(np.float64)
    together = accumulation is Accumulation.ANALOG
    read, roundings = np.zeros(1), 1.0 if together else 0.0
    for phase in phases(macro, 8, signed):
        driven = np.square(phase.drive(codes).astype(np.float64) * phase.worth)
        read = read + (driven @ cells).reshape(-1, len(values)) @ values**2
        roundings += 0 if together else phase.worth**2
    conversions = np.square(values).sum() / (2 if pairs(target) else 1)
    if macro.reference == "column":
        read = read[:-1] + read[-1]
        conversions *= 1 if macro.subtraction == "before" else 2
    expected = read + 3 * roundings * conversions / 12
    arrays = ProgrammedArrays(
        programmed(target, weights, input_signed=signed, shift=0), Fidelity.DEVICE, seed=2
    )
    found = arrays.multiply(0, np.tile(codes, (count, 1))).astype(np.float64)
    assert np.abs(found.var(axis=0) / expected - 1).max() < 5 * np.sqrt(2 / count)
    mean = found.mean(axis=0) - twin(encoded, codes, target, shift=0)
    assert np.abs(mean / np.sqrt(expected / count)).max() < 5
