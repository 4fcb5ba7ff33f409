"""Successive approximation: one comparison for each bit, the highest first."""

from __future__ import annotations

import numpy as np

from mcc.runtime.converters.staircase import Draw, Levels, Staircase


def sar(bits: int, mismatch: float, draw: Draw) -> Staircase:
    """Return the staircase of a converter with binary-weighted capacitors.

    Bit b has 2**b unit capacitors, whose sum deviates by `sqrt(2**b) * mismatch` units; one more
    unit ends the array, and all of them together are the full scale. The code in the middle has the
    widest spread of widths, `mismatch * sqrt(2**bits - 1)` steps (Maloberti, Data Converters).
    """
    units = np.append(2.0 ** np.arange(bits), 1)
    capacitors = units + np.sqrt(units) * mismatch * draw(bits + 1)
    taken = np.zeros(1)
    for capacitor in capacitors[:-1]:
        taken = np.concatenate([taken, taken + capacitor])
    references = 2**bits * taken / capacitors.sum()
    return Staircase(thresholds(references, bits), np.arange(2**bits, dtype=np.int32))


def thresholds(references: Levels, bits: int) -> Levels:
    """Return where the code of a search by comparisons changes (2**bits - 1,).

    The search compares with the reference of code k only where the comparisons before it left k to
    be decided, so that a reference beyond the bounds they set loses a code: its interval is empty.

    Args:
        references: What each code is compared with (2**bits,).
        bits: Comparisons.
    """
    found = np.concatenate([[-np.inf], references[1:], [np.inf]])
    for bit in reversed(range(bits)):
        half = 2**bit
        tried = slice(half, None, 2 * half)
        below, above = found[0 : -1 : 2 * half], found[2 * half :: 2 * half]
        found[tried] = np.clip(found[tried], below, above)
    return found[1:-1]
