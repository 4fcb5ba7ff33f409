"""What is seen inside of a crossbar while vectors drive it: currents, codes, clipping."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from mcc.cli.crossbar_operands import as_operand, real_parts
from mcc.cli.crossbar_product import View, vectors_of
from mcc.ir.diagnostics import error
from mcc.ir.tensors import Array
from mcc.runtime.crossbar import RealCrossbar
from mcc.runtime.operands import Floats

_TOGETHER = 16
"""Vectors whose codes are in memory at a time to count those that clip."""


def currents(parts: Sequence[RealCrossbar], view: View, operand: Any) -> Array:
    """Return the mean currents of all sensed lines, by parts: see `Crossbar.currents`."""

    def amperes(part: RealCrossbar, vectors: Floats) -> Array:
        return part.currents(vectors, view.driven, view.transposed)

    return _by_parts(parts, view, operand, amperes)


def codes(parts: Sequence[RealCrossbar], view: View, operand: Any) -> Array:
    """Return the codes of all conversions, by parts: see `Crossbar.codes`."""

    def converted(part: RealCrossbar, vectors: Floats) -> Array:
        return part.codes(vectors, view.driven, view.transposed)[..., view.sensed]

    return _by_parts(parts, view, operand, converted)


def clipping(parts: Sequence[RealCrossbar], view: View, operand: Any) -> float:
    """Return the fraction of conversions at an end of the range: see `Crossbar.clipping`."""
    ends, clipped, total = parts[0].converter_range(view.transposed), 0, 0
    if ends is None:
        return 0.0
    low, high = ends
    for part in parts:
        for vectors in _pieces(view, operand):
            for first in range(0, len(vectors), _TOGETHER):
                some = vectors[first : first + _TOGETHER]
                found = part.codes(some, view.driven, view.transposed)[..., view.sensed]
                clipped += int(np.count_nonzero((found >= high) | ((found <= low) & (low < 0))))
                total += found.size
    return clipped / total if total else 0.0


def _by_parts(
    parts: Sequence[RealCrossbar],
    view: View,
    operand: Any,
    ask: Callable[[RealCrossbar, Floats], Array],
) -> Array:
    """Return the answer for each part of the matrix and the vectors, with an axis if there are 2.

    A single vector has no axis of vectors.
    """
    one = as_operand(operand).ndim == 1
    pieces = _pieces(view, operand)
    answers = [[ask(part, vectors) for vectors in pieces] for part in parts]
    rows = [np.stack(row) if len(pieces) == 2 else row[0] for row in answers]
    found = np.stack(rows) if len(parts) == 2 else rows[0]
    return found.squeeze(axis=(len(parts) == 2) + (len(pieces) == 2)) if one else found


def _pieces(view: View, operand: Any) -> list[Floats]:
    """Return the real and, of complex ones, the imaginary parts of vectors (batch, driven).

    Raises:
        MccError: `crossbar-input`.
    """
    array = as_operand(operand)
    if array.ndim > 2:
        message = "codes and currents are those of vectors (n,) or (n, k)"
        raise error("crossbar-input", message, "give one batch of vectors")
    return real_parts(vectors_of(array, view, left=False))
