"""Laws of programmed arrays: ideal ones multiply exactly, real ones err as the formulas say."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from mcc.ir.diagnostics import MccError
from mcc.ir.hardware import InputForm, Target
from mcc.ir.hardware.conversion import convert
from mcc.ir.hardware.encoding import digit_values, encode, weight_offset
from mcc.ir.hardware.phases import phases
from mcc.ir.program import Image
from mcc.runtime.arrays import ProgrammedArrays
from mcc.runtime.fidelity import Fidelity
from tests.programmed_arrays import (
    ENCODINGS,
    IDEAL,
    Small,
    product,
    programmed,
    random_codes,
    random_weights,
    small_target,
)


@pytest.mark.parametrize("fidelity", list(Fidelity))
@pytest.mark.parametrize(("encoding", "flip"), ENCODINGS)
@pytest.mark.parametrize("form", list(InputForm))
@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize(
    ("weight_bits", "input_bits", "cell_bits", "dac_bits"),
    [
        (8, 8, 1, 1),
        (8, 8, 2, 1),
        (5, 6, 2, 3),
        (4, 3, 4, 2),
        (2, 2, 1, 1),
        (3, 8, 3, 8),
        (8, 8, 7, 8),
        (8, 7, 5, 1),
        (8, 8, 8, 3),
    ],
)
def test_ideal_array_gives_the_exact_product(
    fidelity: Fidelity,
    encoding: str,
    flip: bool,
    form: InputForm,
    signed: bool,
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
    ).with_values(IDEAL)
    weights, codes = random_weights(weight_bits, cols=4), random_codes(input_bits, signed)
    program = programmed(
        target, weights, weight_bits=weight_bits, input_bits=input_bits, input_signed=signed
    )
    sums = ProgrammedArrays(program, fidelity).multiply(0, codes)
    assert sums.dtype == np.int32
    assert np.array_equal(sums, product(codes, weights))


@pytest.mark.parametrize(("encoding", "flip"), ENCODINGS)
@pytest.mark.parametrize("form", list(InputForm))
@pytest.mark.parametrize("shift", [0, 1, 3])
@pytest.mark.parametrize("fidelity", [Fidelity.CONVERTER, Fidelity.DEVICE])
def test_every_sum_passes_the_converter(
    encoding: str, flip: bool, form: InputForm, shift: int, fidelity: Fidelity
) -> None:
    target = small_target(
        macro__encoding=encoding,
        macro__column_flip=flip,
        macro__input_form=form.value,
        macro__adc__bits=4,
        cell__bits=2,
    ).with_values(IDEAL)
    weights, codes = random_weights(), random_codes(signed=True)
    program = programmed(target, weights, input_signed=True, shift=shift)
    encoded = encode(weights, target.macro, target.cell, 8)
    values = digit_values(target.macro, target.cell, 8)
    expected = np.zeros((3, 5, 4))
    for first in range(0, 37, 16):
        rows = slice(first, first + 16)
        flips = encoded.flips[first // 16]
        digits = encoded.cells[rows].astype(np.int64)
        for phase in phases(target.macro, 8, True):
            drive = phase.drive(codes[..., rows]).astype(np.int64)
            sums = drive @ digits
            if encoding == "differential":
                pairs = convert(sums[..., 0::2] - sums[..., 1::2], shift, target.macro)
                parts = pairs.reshape(3, 5, 4, -1) @ values[0::2]
            else:
                read = convert(sums, shift, target.macro)
                turned = 3 * drive.sum(axis=-1, keepdims=True) - read
                parts = np.where(flips, turned, read).reshape(3, 5, 4, -1) @ values
            expected += phase.worth * parts
    offset = weight_offset(target.macro, 8)
    expected -= offset * codes.sum(axis=-1, keepdims=True, dtype=np.int64)
    sums = ProgrammedArrays(program, fidelity).multiply(0, codes)
    assert np.array_equal(sums, expected)
    assert not np.array_equal(sums, product(codes, weights))
    assert flip == bool(encoded.flips.any())


@pytest.mark.parametrize("fidelity", list(Fidelity))
def test_tiles_share_a_macro(fidelity: Fidelity) -> None:
    target = small_target().with_values(IDEAL)
    first, second = random_weights(rows=20, cols=2), random_weights(rows=25, cols=2, seed=5)
    one, two = programmed(target, first), programmed(target, second, row=21, col=28)
    both = Image(1, 2, one.images[0].cells + two.images[0].cells)
    arrays = ProgrammedArrays(Small(target, one.tiles + two.tiles, (both,)), fidelity)
    codes = random_codes(shape=(2, 3, 25))
    assert np.array_equal(arrays.multiply(1, codes), product(codes, second))
    assert np.array_equal(arrays.multiply(0, codes[..., :20]), product(codes[..., :20], first))


@pytest.mark.parametrize("fidelity", list(Fidelity))
def test_cells_are_the_only_copy_of_the_weights(fidelity: Fidelity) -> None:
    target = small_target().with_values(IDEAL)
    program = programmed(target, random_weights())
    codes = random_codes()
    before = ProgrammedArrays(program, fidelity).multiply(0, codes)
    program.images[0].cells[3, 2] ^= 1
    difference = ProgrammedArrays(program, fidelity).multiply(0, codes).astype(int) - before
    sign = 1 if program.images[0].cells[3, 2] else -1
    assert np.array_equal(difference[..., 0], 2 * sign * codes[..., 3].astype(int))
    assert not difference[..., 1:].any()


def test_device_repeats_by_seed_and_differs_between_chips() -> None:
    program, codes = programmed(small_target(), random_weights()), random_codes()
    chips = [ProgrammedArrays(program, Fidelity.DEVICE, seed) for seed in (7, 7, 8)]
    first, again, other = (chip.multiply(0, codes) for chip in chips)
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert not np.array_equal(first, chips[0].multiply(0, codes))


def test_read_noise_of_a_sample_does_not_depend_on_its_company() -> None:
    program, codes = programmed(small_target(), random_weights()), random_codes()
    chip = ProgrammedArrays(program, Fidelity.DEVICE, 7)
    chip.start(first_sample=10)
    together = [chip.multiply(0, codes), chip.multiply(0, codes)]
    for sample in (2, 0, 1):
        chip.start(first_sample=10 + sample)
        part = codes[sample : sample + 1]
        for event in range(2):
            assert np.array_equal(chip.multiply(0, part)[0], together[event][sample])


def test_macro_alone_draws_the_same_cells() -> None:
    target = small_target()
    program = programmed(target, random_weights())
    stranger = Image(0, 0, np.ones((48, 64), np.uint8))
    tile = dataclasses.replace(program.tiles[0], image=1)
    more = Small(target, (tile,), (stranger, program.images[0]))
    codes = random_codes()
    quiet = small_target().with_values({"cell.read_noise": 0.0})
    alone = ProgrammedArrays(dataclasses.replace(program, target=quiet), Fidelity.DEVICE, 3)
    among = ProgrammedArrays(dataclasses.replace(more, target=quiet), Fidelity.DEVICE, 3)
    images_differ = alone.multiply(0, codes) - among.multiply(0, codes)
    assert images_differ.any()
    swapped = Small(quiet, program.tiles, (program.images[0], stranger))
    with_other = ProgrammedArrays(swapped, Fidelity.DEVICE, 3)
    assert np.array_equal(alone.multiply(0, codes), with_other.multiply(0, codes))


def test_reprogramming_replaces_the_image_and_draws_new_errors() -> None:
    target = small_target(cell__read_noise=0.0)
    first, second = random_weights(), random_weights(seed=9)
    one, two = programmed(target, first), programmed(target, second)
    later = dataclasses.replace(two.tiles[0], image=1)
    program = Small(target, (one.tiles[0], later), (one.images[0], two.images[0]))
    codes = random_codes()
    exact = ProgrammedArrays(program, Fidelity.EXACT)
    with pytest.raises(AssertionError, match="tile 1 is read while image 0"):
        exact.multiply(1, codes)
    exact.reprogram(1, 2, 1)
    assert np.array_equal(exact.multiply(1, codes), product(codes, second))
    device = ProgrammedArrays(program, Fidelity.DEVICE, 7)
    before = device.multiply(0, codes)
    assert np.array_equal(before, device.multiply(0, codes))
    device.reprogram(1, 2, 0)
    assert not np.array_equal(before, device.multiply(0, codes))


def errors(target: Target, seeds: int = 4) -> float:
    """Return the mean error of the device relative to the product, over some chips."""
    weights, codes = random_weights(), random_codes(shape=(8, 16, 37))
    program = programmed(target, weights)
    exact = product(codes, weights)
    found = [
        np.abs(ProgrammedArrays(program, Fidelity.DEVICE, seed).multiply(0, codes) - exact).mean()
        for seed in range(seeds)
    ]
    return float(np.mean(found) / np.abs(exact).mean())


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("cell.write_error", [0.0, 0.05, 0.2]),
        ("cell.read_noise", [0.0, 0.1, 0.4]),
        ("cell.stuck_low_fraction", [0.0, 0.02, 0.2]),
        ("cell.stuck_high_fraction", [0.0, 0.02, 0.2]),
    ],
)
def test_worse_devices_err_more(field: str, values: list[float]) -> None:
    ideal = small_target().with_values(IDEAL)
    found = [errors(ideal.with_values({field: value})) for value in values]
    assert found[0] == 0
    assert found[0] < found[1] < found[2]


def test_fewer_converter_bits_err_more() -> None:
    offset = small_target(macro__encoding="offset", macro__column_flip=True).with_values(IDEAL)
    found = [errors(offset.with_values({"macro.adc.bits": bits}), 1) for bits in (4, 3, 2, 1)]
    assert 0 == found[0] < found[1] < found[2] < found[3]


@pytest.mark.parametrize("seed", [-1, 2**64])
def test_seed_outside_64_bits_is_refused(seed: int) -> None:
    with pytest.raises(MccError, match=r"no whole number from 0 to 2\*\*64 - 1"):
        ProgrammedArrays(programmed(small_target(), random_weights()), Fidelity.DEVICE, seed)
