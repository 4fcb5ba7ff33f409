"""Counter-based randomness: every draw has an address, so any of them can be repeated alone.

The generator is Philox 4x64. Its key is (seed, purpose); its counter starts at the address of the
draw, whose lowest word counts the numbers drawn from there. Nothing depends on the order in which
macros, samples or events are worked on, nor on the number of threads.
"""

from __future__ import annotations

from enum import IntEnum
from typing import final

import numpy as np

from mcc.ir.diagnostics import error


@final
class Purpose(IntEnum):
    """What random numbers are for; different purposes never share numbers."""

    STUCK = 1
    WRITE = 2
    READ = 3


def generator(
    seed: int, purpose: Purpose, core: int, macro: int, first: int = 0, second: int = 0
) -> np.random.Generator:
    """Return the generator at one address.

    Args:
        seed: The chip instance.
        purpose: What the numbers are for.
        core: Core of the macro.
        macro: Macro within the core.
        first: For a write, the image; for a read, the sample.
        second: For a write, how often the macro was written before; for a read, the event.
    """
    key = np.array([seed, purpose], np.uint64)
    counter = np.array([0, second, first, (core << 32) | macro], np.uint64)
    return np.random.Generator(np.random.Philox(key=key, counter=counter))


def check_seed(seed: int) -> int:
    """Return the seed.

    Raises:
        MccError: It is negative or has more than 64 bits.
    """
    if not 0 <= seed < 2**64:
        raise error("seed-invalid", f"the seed {seed} is not between 0 and 2**64 - 1")
    return seed
