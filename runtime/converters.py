"""The analog-to-digital converters on real-valued sums, by the law of `mcc.ir.hardware`."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from mcc.ir.hardware import Macro
from mcc.ir.hardware.conversion import code_range

Real = TypeVar("Real", np.float32, np.float64)


def digitize(sums: NDArray[Real], shift: int, macro: Macro, unit: float = 1.0) -> None:
    """Replace analog sums by the codes of a converter, in place.

    Args:
        sums: Analog sums, in any shape.
        shift: Logarithm of the converter's step, in units of one digit product.
        macro: The macro whose converter it is.
        unit: What one digit product is in `sums`; a power of two, so that scaling is exact.
    """
    low, high = code_range(macro)
    np.multiply(sums, sums.dtype.type(1 / (unit * (1 << shift))), out=sums)
    np.add(sums, sums.dtype.type(0.5), out=sums)
    np.floor(sums, out=sums)
    np.clip(sums, low, high, out=sums)
