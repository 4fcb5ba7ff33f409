"""The converter tile gives what the oracle of the bit-plane product gives."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from mcc.backends.crossbar import targets
from mcc.ir.hardware import Target
from mcc.ir.hardware.conversion import code_range, full_scale_shift
from mcc.ir.hardware.encoding import encode, physical_columns, weight_offset
from mcc.ir.program import Tile, pack_flips
from mcc.runtime.oracle import bit_plane_product
from mcc.runtime.quantized import ConverterTile
from mcc.runtime.reads import Reads

READS = Reads(seed=0, place=0, event=0, sample=0, positions=1, threads=2)


@pytest.mark.parametrize("name", targets.names())
@pytest.mark.parametrize("bits", [3, 6, 9])
@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("form", ["twos_complement", "sign_magnitude"])
def test_tile_equals_oracle(name: str, bits: int, signed: bool, form: str) -> None:
    target = targets.load(name, {"macro.adc.bits": str(bits), "macro.input_form": form})
    random = np.random.default_rng(bits)
    weights = random.integers(-127, 128, (target.macro.active_rows + 9, 3)).astype(np.int8)
    check(target, weights, signed)


@pytest.mark.parametrize("bits", [4, 16, 24])
@pytest.mark.parametrize("cell_bits", [5, 7])
def test_sums_of_wide_digits_are_exact_up_to_the_largest(bits: int, cell_bits: int) -> None:
    values = {"cell.bits": cell_bits, "macro.dac_bits": 8, "macro.active_rows": 512}
    target = targets.load("rram40nm").with_values({**values, "macro.adc.bits": bits})
    weights = np.random.default_rng(bits).integers(-127, 128, (512, 3)).astype(np.int8)
    weights[:, 1:] = [127, -127]
    check(target, weights, signed=False)


def check(target: Target, weights: NDArray[np.int8], signed: bool) -> None:
    macro, cell = target.macro, target.cell
    random = np.random.default_rng(macro.adc.bits)
    codes = random.integers(0, 256, (5, len(weights))).astype(np.uint8)
    codes[0] = 255
    codes = codes.view(np.int8) if signed else codes
    encoded = encode(weights, macro, cell, 8)
    shift = full_scale_shift(macro, cell, 8, signed)
    tile = Tile(
        core=0,
        macro=0,
        row=0,
        col=0,
        rows=len(weights),
        cols=3,
        weight_bits=8,
        input_bits=8,
        input_signed=signed,
        shift=shift,
        flips=pack_flips(encoded.flips),
        image=0,
        node="layer",
        block=(0, 0),
    )

    width = physical_columns(macro, cell, 8)
    digits = encoded.cells.astype(np.int8).reshape(len(weights), 3, width)
    if macro.encoding == "differential":
        digits = digits[..., 0::2] - digits[..., 1::2]
    flips = encoded.flips.reshape(-1, 3, width).transpose(0, 2, 1)
    low, high = code_range(macro)
    expected = bit_plane_product(
        codes,
        digits.transpose(2, 0, 1),
        bits_per_cell=cell.bits,
        active_rows=macro.active_rows,
        flipped=flips if flips.any() else None,
        input_bits=8,
        dac_bits=macro.dac_bits,
        sign_magnitude=macro.input_form == "sign_magnitude",
        shift=shift,
        low=low,
        high=high,
    )
    expected -= weight_offset(macro, 8) * codes.sum(axis=1, dtype=np.int32)[:, None]
    found = ConverterTile(tile, target, encoded.cells).multiply(codes, READS)
    assert np.array_equal(found, expected)
