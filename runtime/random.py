"""Counter-based randomness: every number has an address, so that it can be drawn alone.

The generator is Philox 4x32-10. Its key is the seed of the chip; its counter is (index, event,
sample or image, place), where the place packs core, macro and purpose. Nothing depends on the
order in which macros, samples or events are worked on, nor on the number of threads.
"""

from __future__ import annotations

import math
import struct
import zlib
from dataclasses import dataclass
from enum import IntEnum
from numbers import Integral
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from mcc.ir.diagnostics import error
from mcc.runtime import _kernels


@final
class Purpose(IntEnum):
    """What random numbers are for; different purposes never share numbers."""

    STUCK = 1
    WRITE = 2
    READ = 3
    VARIATION = 4
    DRIFT = 5
    RELAXATION = 6
    ENDURANCE = 7
    FLICKER = 8
    ADC = 12
    DAC = 13
    DRIVE = 14


@final
@dataclass(frozen=True)
class MacroPlace:
    """One macro of one chip instance."""

    seed: int
    core: int
    macro: int

    def word(self, purpose: Purpose) -> int:
        """Return the last word of the counters for a purpose."""
        return (self.core << 16) | (self.macro << 4) | purpose


def normal_numbers(
    place: MacroPlace, purpose: Purpose, shape: tuple[int, ...], *, item: int = 0, event: int = 0
) -> NDArray[np.float32]:
    """Return normal numbers for the cells of a macro.

    Args:
        place: The macro.
        purpose: What they are for.
        shape: Rows and columns of the macro.
        item: Image or sample.
        event: How often this happened before.
    """
    count = math.prod(shape)
    numbers = _kernels.random_normals(
        seed=place.seed,
        place=place.word(purpose),
        event=event,
        sample=item,
        first=0,
        count=-(-count // 4),
    )
    return numbers.reshape(-1)[:count].reshape(shape)


def uniform_numbers(
    place: MacroPlace, purpose: Purpose, shape: tuple[int, ...]
) -> NDArray[np.float64]:
    """Return numbers between 0 and 1, neither included, for the cells of a macro."""
    count = math.prod(shape)
    words = _kernels.random_words(
        seed=place.seed,
        place=place.word(purpose),
        event=0,
        sample=0,
        first=0,
        count=-(-count // 4),
    )
    return (words.astype(np.float64).reshape(-1)[:count].reshape(shape) + 0.5) * 2.0**-32


def event_at(earlier: int, moment: float) -> int:
    """Return the event of what happens at a moment after a write: 32 bits that stand for both.

    Args:
        earlier: How often this was written before.
        moment: A time, in any unit.
    """
    return zlib.crc32(struct.pack("<Qd", earlier, moment))


def check_seed(seed: Any) -> int:
    """Return the seed.

    Raises:
        MccError: It is no whole number, negative, or has more than 64 bits.
    """
    whole = not isinstance(seed, bool) and isinstance(seed, Integral)
    if not whole or not 0 <= int(seed) < 2**64:
        message = f"the seed {seed!r} is no whole number from 0 to 2**64 - 1"
        raise error("seed-invalid", message, "name the chip by a number, such as 7")
    return int(seed)
