"""The converter on real-valued sums follows the law for whole ones."""

from __future__ import annotations

import numpy as np
import pytest

from mcc.backends.crossbar import targets
from mcc.ir.hardware.conversion import convert
from mcc.runtime.converters import digitize


@pytest.mark.parametrize("name", targets.names())
@pytest.mark.parametrize("shift", [0, 1, 2, 5])
@pytest.mark.parametrize("bits", [3, 8])
def test_whole_sums_are_converted_as_by_the_law(name: str, shift: int, bits: int) -> None:
    macro = targets.load(name, {"macro.adc.bits": str(bits)}).macro
    sums = np.arange(-3000, 3000)
    codes = sums.astype(np.float32)
    digitize(codes, shift, macro)
    assert np.array_equal(codes * 2**shift, convert(sums, shift, macro))


def test_halves_round_up() -> None:
    macro = targets.load("rram40nm").macro
    codes = np.array([-1.5, -0.5, 0.49, 0.5, 1.5, 2.5])
    digitize(codes, 0, macro)
    assert codes.tolist() == [-1, 0, 0, 1, 2, 3]
