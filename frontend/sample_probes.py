"""Samples made of a given one, to run beside it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mcc.ir.tensors import Array

_FAR = 1e6
"""How far from the values of an input, in units of the largest of them or of 1."""


def variants(array: Array, seed: int) -> list[Array]:
    """Make arrays that differ from `array`, from bold to timid: not all may be legal inputs.

    The boldest have neither the order nor the sum of the given values nor, for floats, their
    direction: a normalization takes away what is the same everywhere.

    Args:
        array: One sample of one input.
        seed: Tells apart inputs of one shape.
    """
    turned = np.ascontiguousarray(array.reshape(-1)[::-1]).reshape(array.shape)
    step = (np.arange(array.size) % 2 == 0).reshape(array.shape)
    if array.dtype.kind == "f":
        kinds = [turned * 0.75 + 0.125 + _noise(array, seed), turned * 0.75 + 0.125, turned]
    elif array.dtype.kind == "b":
        kinds = [turned ^ step, array ^ step, ~array, turned]
    else:
        kinds = [turned + step, turned - step, array + step, array - step, step, ~step, turned]
    found = [_finite(kind, array.dtype) for kind in kinds]
    return [kind for kind in found if not np.array_equal(kind, array)]


def far_samples(sample: Sequence[Array]) -> list[list[Array]]:
    """Move the floats of a sample far up, and far down; no samples where it has none."""
    if not any(array.dtype.kind == "f" for array in sample):
        return []
    return [[_far(array, sign) for array in sample] for sign in (1, -1)]


def _far(array: Array, sign: int) -> Array:
    if array.dtype.kind != "f":
        return array
    largest = max(float(np.abs(array).max()), 1.0)
    return _finite(sign * _FAR * (largest + np.abs(_noise(array, 0))), array.dtype)


def _finite(values: Array, dtype: np.dtype[Any]) -> Array:
    """Return values as another type, those beyond its range as its largest."""
    if dtype.kind == "f":
        most = float(np.finfo(dtype).max)
        values = np.clip(values, -most, most)
    return values.astype(dtype)


def _noise(array: Array, seed: int) -> Array:
    """Draw normal values of the scale of `array`, or of 1 where it is zero."""
    generator = np.random.Generator(np.random.Philox(seed))
    scale = float(np.abs(array).max()) or 1.0
    return generator.standard_normal(array.shape) * scale
