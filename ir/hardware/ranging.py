"""Choosing the step of the converters of a layer from calibration data."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcc.ir.hardware.conversion import convert, full_scale_shift
from mcc.ir.hardware.encoding import (
    Encoded,
    has_reference,
    subtracts_reference,
    sum_digits,
    sum_values,
)
from mcc.ir.hardware.phases import steps
from mcc.ir.hardware.schema import Cell, Macro


def conversion_errors(
    encoded: Encoded,
    codes: NDArray[Any],
    macro: Macro,
    cell: Cell,
    weight_bits: int,
    input_bits: int,
) -> NDArray[np.float64]:
    """Return the squared error that each shift makes in the sums of one tile.

    The errors of the tiles of a layer add up; the shift of the layer is the index of the least.

    Args:
        encoded: The cells of the tile.
        codes: Input codes (samples, rows), int8 where they are signed, else uint8.
        macro: The macro.
        cell: Its cells.
        weight_bits: Bits of a weight.
        input_bits: Bits of a code.

    Returns:
        Sum over samples and columns of the squared error, for shifts 0 to full scale.
    """
    signed = codes.dtype == np.int8
    shifts = range(full_scale_shift(macro, cell, input_bits, signed) + 1)
    values = sum_values(macro, cell, weight_bits)
    digits = sum_digits(encoded.cells.astype(np.float32), macro, len(values))
    turned = np.where(encoded.flips[:, : digits.shape[1]], -1, 1).astype(np.int32)
    shape = (len(shifts), len(codes), digits.shape[1] // len(values))
    errors = np.zeros(shape, np.float64)
    for group, first in enumerate(range(0, len(digits), macro.active_rows)):
        rows = slice(first, first + macro.active_rows)
        for step in steps(macro, input_bits, signed):
            whole = (step.drive(codes[:, rows]).astype(np.float32) @ digits[rows]).astype(np.int32)
            for shift in shifts:
                wrong = (convert(whole, shift, macro) - whole) * turned[group]
                parts = wrong.reshape(*shape[1:], len(values)) @ values
                errors[shift] += step.worth * parts
    if has_reference(macro) and not subtracts_reference(macro):
        errors = errors[..., :-1] - errors[..., -1:]
    return np.square(errors).sum(axis=(1, 2))
