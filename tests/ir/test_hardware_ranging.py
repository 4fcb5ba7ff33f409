"""The calibrated step is the one with which the converters do least harm."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from mcc.backends.crossbar import targets
from mcc.ir.hardware import Encoding, Target
from mcc.ir.hardware.conversion import code_range, full_scale_shift
from mcc.ir.hardware.encoding import Encoded, encode, weight_offset
from mcc.ir.hardware.ranging import conversion_errors
from mcc.runtime.oracle import bit_plane_product

RANDOM = np.random.default_rng(4)
WEIGHTS = RANDOM.integers(-127, 128, (70, 3)).astype(np.int8)


def target(encoding: str, bits: int) -> Target:
    return targets.load("rram40nm").with_values(
        {
            "macro.encoding": encoding,
            "macro.column_flip": encoding == "offset",
            "macro.adc.bits": bits,
            "cell.bits": 2,
        }
    )


def converted(chip: Target, encoded: Encoded, codes: NDArray[Any], shift: int) -> NDArray[np.int64]:
    """Return the sums of the tile by the oracle of the runtime."""
    digits = encoded.cells.astype(np.int8)
    if chip.macro.encoding is Encoding.DIFFERENTIAL:
        digits = digits[:, 0::2] - digits[:, 1::2]
    low, high = code_range(chip.macro)
    sums = bit_plane_product(
        codes,
        digits.reshape(70, 3, 4).transpose(2, 0, 1),
        bits_per_cell=2,
        active_rows=chip.macro.active_rows,
        flipped=encoded.flips.reshape(-1, 3, 4).transpose(0, 2, 1) if encoded.flips.any() else None,
        input_bits=8,
        dac_bits=1,
        sign_magnitude=False,
        shift=shift,
        low=low,
        high=high,
    )
    offset = weight_offset(chip.macro, 8) * codes.sum(axis=1, keepdims=True, dtype=np.int64)
    return sums.astype(np.int64) - offset


@pytest.mark.parametrize("encoding", ["differential", "offset"])
@pytest.mark.parametrize("signed", [False, True])
def test_errors_are_those_of_the_converted_product(encoding: str, signed: bool) -> None:
    chip = target(encoding, 4)
    macro, cell = chip.macro, chip.cell
    codes = RANDOM.integers(-128, 128, (6, 70)).astype(np.int8 if signed else np.uint8)
    encoded = encode(WEIGHTS, macro, cell, 8)
    found = conversion_errors(encoded, codes, macro, cell, 8, 8)
    assert len(found) == full_scale_shift(macro, cell, 8, signed) + 1 > 2
    exact = codes.astype(np.int64) @ WEIGHTS.astype(np.int64)
    for shift, error in enumerate(found):
        sums = converted(chip, encoded, codes, shift)
        assert error == np.square(sums - exact).sum()


def test_small_sums_get_a_finer_step_than_full_scale() -> None:
    chip = target("differential", 5)
    encoded = encode(np.eye(70, dtype=np.int8), chip.macro, chip.cell, 8)
    codes = RANDOM.integers(0, 256, (20, 70)).astype(np.uint8)
    errors = conversion_errors(encoded, codes, chip.macro, chip.cell, 8, 8)
    assert errors.argmin() == 0 < full_scale_shift(chip.macro, chip.cell, 8, False)
    assert errors[0] == 0 < errors[-1]
