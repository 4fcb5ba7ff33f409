"""Laws of encodings, phases and converters: digits carry the whole product."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from numpy.typing import NDArray

from mcc.backends.crossbar import targets
from mcc.ir.diagnostics import MccError
from mcc.ir.hardware import Cell, Differential, Encoding, InputForm, Macro
from mcc.ir.hardware.conversion import (
    code_range,
    convert,
    full_scale_shift,
    largest_sum,
    signed_sums,
)
from mcc.ir.hardware.encoding import (
    decode,
    digit_values,
    encode,
    flipped,
    largest_digit,
    physical_columns,
    row_groups,
    slices,
    weight_offset,
)
from mcc.ir.hardware.phases import phases

BASE = targets.load("rram40nm")
ENCODINGS = [
    (Encoding.DIFFERENTIAL, False),
    (Encoding.OFFSET, False),
    (Encoding.OFFSET, True),
]
FORMS = list(InputForm)


def hardware(
    encoding: Encoding = Encoding.DIFFERENTIAL,
    flip: bool = False,
    cell_bits: int = 1,
    dac_bits: int = 1,
    form: InputForm = InputForm.TWOS_COMPLEMENT,
) -> tuple[Macro, Cell]:
    macro = dataclasses.replace(
        BASE.macro,
        encoding=encoding,
        column_flip=flip,
        dac_bits=dac_bits,
        input_form=form,
        active_rows=16,
    )
    return macro, dataclasses.replace(BASE.cell, bits=cell_bits)


def random_weights(macro: Macro, bits: int, seed: int, rows: int = 37) -> NDArray[np.int8]:
    low = -(2 ** (bits - 1)) + (macro.encoding is Encoding.DIFFERENTIAL)
    weights = np.random.default_rng(seed).integers(low, 2 ** (bits - 1), (rows, 5))
    weights[:2] = [[low] * 5, [2 ** (bits - 1) - 1] * 5]
    return weights.astype(np.int8)


@pytest.mark.parametrize(("encoding", "flip"), ENCODINGS)
@pytest.mark.parametrize("differential", list(Differential))
@pytest.mark.parametrize("cell_bits", [1, 2, 3, 4, 7, 8])
@pytest.mark.parametrize("overlap", [0, 1, 2, 6, 14])
@pytest.mark.parametrize("bits", [2, 3, 4, 5, 6, 7, 8])
def test_decode_undoes_encode(
    encoding: Encoding,
    flip: bool,
    differential: Differential,
    cell_bits: int,
    overlap: int,
    bits: int,
) -> None:
    macro, cell = hardware(encoding, flip, cell_bits)
    overlap = min(overlap, 2**cell_bits - 2)
    macro = dataclasses.replace(macro, differential=differential, slice_overlap=overlap)
    weights = random_weights(macro, bits, seed=bits)
    encoded = encode(weights, macro, cell, bits)
    assert encoded.cells.shape == (37, 5 * physical_columns(macro, cell, bits))
    assert encoded.cells.max() <= largest_digit(cell)
    assert (np.diff(np.abs(digit_values(macro, cell, bits))) >= 0).all()
    assert np.array_equal(decode(encoded.cells, encoded.flips, macro, cell, bits), weights)


@pytest.mark.parametrize(("encoding", "flip"), ENCODINGS)
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize(("input_bits", "dac_bits"), [(8, 1), (8, 3), (5, 2), (2, 1), (7, 8)])
def test_digits_carry_the_whole_product(
    encoding: Encoding, flip: bool, form: InputForm, signed: bool, input_bits: int, dac_bits: int
) -> None:
    macro, cell = hardware(encoding, flip, 2, dac_bits, form)
    weights = random_weights(macro, 6, seed=1)
    low, high = (-(2 ** (input_bits - 1)), 2 ** (input_bits - 1)) if signed else (0, 2**input_bits)
    codes = np.random.default_rng(2).integers(low, high, (4, 37))
    codes[0], codes[1] = low, high - 1
    encoded = encode(weights, macro, cell, 6)
    digits = flipped(encoded.cells, encoded.flips, macro, cell).astype(np.int64)
    total = np.zeros((4, 5))
    for phase in phases(macro, input_bits, signed):
        drive = phase.drive(codes).astype(np.int64)
        assert abs(drive).max() < 2**phase.bits <= 2**dac_bits
        assert phase.signed or drive.min() >= 0
        sums = (drive @ digits).reshape(4, 5, -1)
        total += phase.worth * (sums @ digit_values(macro, cell, 6))
    total -= weight_offset(macro, 6) * codes.sum(axis=1, keepdims=True)
    assert np.array_equal(total, codes @ weights.astype(np.int64))


def test_slices_cover_the_magnitude_or_the_shifted_weight() -> None:
    macro, cell = hardware(cell_bits=2)
    assert slices(macro, cell, 8) == 4
    assert physical_columns(macro, cell, 8) == 8
    macro, cell = hardware(Encoding.OFFSET, cell_bits=3)
    assert slices(macro, cell, 8) == physical_columns(macro, cell, 8) == 3


def test_two_sided_pairs_lie_around_the_middle() -> None:
    macro, cell = hardware(cell_bits=4)
    two_sided = dataclasses.replace(macro, differential=Differential.TWO_SIDED)
    weights = np.arange(-15, 16, dtype=np.int8)[:, None]
    positive, negative = encode(weights, two_sided, cell, 5).cells.astype(np.int16).T
    assert np.array_equal(positive - negative, weights[:, 0])
    assert set((positive + negative).tolist()) == {15, 16}
    assert encode(weights, macro, cell, 5).cells.min(axis=1).max() == 0


def test_slices_that_overlap_are_worth_less_and_more() -> None:
    """Greedy digits: the highest slice takes as much as it can hold."""
    macro, cell = hardware(Encoding.OFFSET, cell_bits=2)
    macro = dataclasses.replace(macro, slice_overlap=1)
    assert slices(macro, cell, 4) == 3
    assert digit_values(macro, cell, 4).tolist() == [1, 3, 9]
    numbers = np.arange(-8, 8, dtype=np.int8)[:, None]
    assert encode(numbers, macro, cell, 4).cells[[0, 3, 7, 15]].tolist() == [
        [0, 0, 0],
        [0, 1, 0],
        [1, 2, 0],
        [0, 2, 1],
    ]


def test_flipping_halves_the_largest_sum_of_every_group() -> None:
    macro, cell = hardware(Encoding.OFFSET, True, 2)
    encoded = encode(np.full((37, 3), 127, np.int8), macro, cell, 8)
    assert encoded.flips.all()
    for group in range(row_groups(macro, 37)):
        part = encoded.cells[group * 16 : (group + 1) * 16].astype(int)
        assert part.sum(axis=0).max() <= largest_sum(macro, cell, 8, False)
    assert largest_sum(macro, cell, 8, False) == 16 * 3 // 2


@pytest.mark.parametrize(("encoding", "wrong"), [("differential", -128), ("offset", 8)])
def test_weight_that_does_not_fit_is_refused(encoding: str, wrong: int) -> None:
    macro, cell = hardware(Encoding(encoding))
    bits = 8 if encoding == "differential" else 4
    with pytest.raises(MccError, match="do not fit into") as caught:
        encode(np.full((2, 2), wrong, np.int8), macro, cell, bits)
    assert caught.value.diagnostics[0].code == "weight-range"


@pytest.mark.parametrize(("encoding", "flip"), ENCODINGS)
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("adc_bits", [2, 4, 6, 8, 12])
def test_full_scale_is_the_smallest_step_that_never_clips(
    encoding: Encoding, flip: bool, form: InputForm, adc_bits: int
) -> None:
    macro, cell = hardware(encoding, flip, 2, 1, form)
    macro = dataclasses.replace(macro, adc=dataclasses.replace(macro.adc, bits=adc_bits))
    largest, shift = largest_sum(macro, cell, 8, False), full_scale_shift(macro, cell, 8, False)
    sums = np.arange(-largest if signed_sums(macro) else 0, largest + 1)
    step = 2**shift
    assert np.abs(convert(sums, shift, macro) - sums).max() <= step / 2
    if shift:
        assert convert(sums, shift - 1, macro).max() < convert(sums, shift, macro).max()
    else:
        assert np.array_equal(convert(sums, 0, macro), sums)


def test_converter_of_plain_sums_rounds_half_to_even_and_clips() -> None:
    macro, _ = hardware(Encoding.OFFSET)
    macro = dataclasses.replace(macro, adc=dataclasses.replace(macro.adc, bits=3))
    assert code_range(macro) == (0, 7)
    sums = np.array([-9, 1, 2, 3, 5, 6, 10, 100])
    assert convert(sums, 2, macro).tolist() == [0, 0, 0, 4, 4, 8, 8, 28]


def test_converter_of_signed_sums_rounds_half_to_even_and_clips() -> None:
    macro, _ = hardware(Encoding.DIFFERENTIAL)
    macro = dataclasses.replace(macro, adc=dataclasses.replace(macro.adc, bits=3))
    assert code_range(macro) == (-4, 3)
    sums = np.array([-100, -7, -6, -5, -3, -2, -1, 1, 2, 3, 5, 6, 7, 100])
    values = [-16, -8, -8, -4, -4, 0, 0, 0, 0, 4, 4, 8, 8, 12]
    assert convert(sums, 2, macro).tolist() == values
    every = np.arange(-12, 13)
    for shift in (1, 2):
        inside = every[np.abs(every) <= 3 << shift]
        assert convert(inside, shift, macro).sum() == 0


def test_isaac_needs_eight_bits_thanks_to_its_flipped_columns() -> None:
    isaac = targets.load("isaac")
    assert largest_sum(isaac.macro, isaac.cell, 8, False) == 192
    assert full_scale_shift(isaac.macro, isaac.cell, 8, False) == 0
    plain = dataclasses.replace(isaac.macro, column_flip=False)
    assert full_scale_shift(plain, isaac.cell, 8, False) == 1
