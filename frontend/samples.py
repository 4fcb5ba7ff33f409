"""Whether a network treats its inputs sample by sample along axis 0."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from mcc.ir.diagnostics import MccError
from mcc.ir.tensors import Array

TOLERANCE = 1e-4
"""Largest difference, relative to the largest value of an output, of the same computation.

A float32 sum of a thousand terms may err by 1000 x 2**-24, or 6e-5, of their magnitudes, depending
on its order.
"""

MOST = 4
"""Samples that are compared one by one."""

Run = Callable[[Sequence[Array]], Sequence[Array]]
"""Inputs to outputs, in order; raises where the shapes do not suit."""


def common_count(arrays: Sequence[Array]) -> int | None:
    """Return the length of axis 0 if all arrays share it."""
    counts = {array.shape[0] if array.ndim else -1 for array in arrays}
    return counts.pop() if len(counts) == 1 and -1 not in counts else None


def is_per_sample(run: Run, inputs: Sequence[Array]) -> bool | None:
    """Compare a run of several samples with a run of each of them.

    The first sample is also run beside a changed copy of itself: the samples of an example may be
    all alike.

    Returns:
        Nothing where the network does not run on another number of samples.
    """
    count = common_count(inputs)
    if not count:
        return False
    found = _agrees(run, [array[:MOST] for array in inputs]) if count > 1 else None
    beside = _agrees(run, [_pair(array[:1]) for array in inputs]) if found is not False else False
    return beside if found is None else found and beside is not False


def _agrees(run: Run, batch: Sequence[Array]) -> bool | None:
    size = len(batch[0])
    try:
        together = run(batch)
        single = [run([array[i : i + 1] for array in batch]) for i in range(size)]
    except (MccError, RuntimeError, ValueError, IndexError, TypeError, AssertionError):
        return None
    if common_count(together) != size or any(common_count(one) != 1 for one in single):
        return False
    apart = [np.concatenate(items) for items in zip(*single, strict=True)]
    return all(close(a, b) for a, b in zip(together, apart, strict=True))


def close(left: Array, right: Array) -> bool:
    """Tell whether two results are the same up to the order of float sums."""
    if left.shape != right.shape or left.dtype != right.dtype:
        return False
    if left.dtype.kind != "f":
        return np.array_equal(left, right)
    finite = np.isfinite(left)
    if not np.array_equal(left[~finite], right[~finite], equal_nan=True):
        return False
    scale = np.abs(left[finite]).max(initial=0.0)
    return bool(np.abs(left[finite] - right[finite]).max(initial=0.0) <= TOLERANCE * scale)


def split(inputs: Sequence[Array]) -> list[list[Array]]:
    """Cut inputs into single samples."""
    return [[array[i : i + 1] for array in inputs] for i in range(len(inputs[0]))]


def _pair(array: Array) -> Array:
    """Add a second sample: the same values in reverse order, so that they stay legal."""
    other = np.ascontiguousarray(array.reshape(-1)[::-1]).reshape(array.shape)
    if array.dtype.kind == "f":
        other = (other * 0.75 + 0.125).astype(array.dtype)
    return np.concatenate([array, other])
