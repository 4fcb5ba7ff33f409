"""What every product on a tile has in common, whatever its fidelity."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypedDict, final

import numpy as np
from numpy.typing import NDArray

from mcc.ir.hardware import Accumulation, InputForm, Macro
from mcc.ir.hardware.encoding import (
    against_reference,
    digital_offset,
    has_reference,
    subtracts_reference,
)
from mcc.ir.program.tables import Tile

WIDEST_INPUT = 8
"""Bits of the widest input code."""


@final
@dataclass(frozen=True)
class Reads:
    """Which reads of a macro these are: the address of their noise; and how to compute them."""

    seed: int
    place: int
    """The macro, as a word of the counter."""
    event: int
    """Reads of this macro before, within the run."""
    sample: int
    """Number of the first sample."""
    positions: int
    """Inputs of a sample."""
    threads: int


class DriveArguments(TypedDict):
    """How the kernels are to drive the word lines."""

    input_bits: int
    dac_bits: int
    sign_magnitude: bool


def drive_arguments(tile: Tile, macro: Macro) -> DriveArguments:
    """Return how the kernels drive the word lines for a tile.

    Charges that are added up over all phases are those of one phase with the whole code, and its
    sign: without noise there is no difference.
    """
    analog = macro.accumulation is Accumulation.ANALOG
    return {
        "input_bits": tile.input_bits,
        "dac_bits": WIDEST_INPUT if analog else macro.dac_bits,
        "sign_magnitude": analog or macro.input_form is InputForm.SIGN_MAGNITUDE,
    }


def without_offset(
    sums: NDArray[np.int32], codes: NDArray[Any], tile: Tile, macro: Macro
) -> NDArray[np.int32]:
    """Subtract what the cells hold too much of every weight, times the sum of the inputs.

    A reference column has it as its own sum, the last.
    """
    if has_reference(macro) and not subtracts_reference(macro):
        return against_reference(sums, 1)
    offset = digital_offset(macro, tile.weight_bits)
    if offset:
        sums -= offset * codes.sum(axis=1, dtype=np.int32)[:, None]
    return sums
