"""Tensors in the chip's buffer and the strided views of them that need no copy."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import final

from mcc.ir.program import DType, Region


@final
@dataclass(frozen=True, slots=True)
class Storage:
    """Bytes of one tensor in the chip's buffer; the name tells them apart."""

    name: str
    bytes: int
    constant: bool = False


@final
@dataclass(frozen=True, slots=True)
class View:
    """A tensor as part of a storage: where its first element lies, and its strides in bytes."""

    storage: Storage
    dtype: DType
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    offset: int = 0

    @staticmethod
    def new(name: str, dtype: DType, shape: tuple[int, ...], constant: bool = False) -> View:
        """Return a contiguous tensor in a storage of its own."""
        storage = Storage(name, math.prod(shape) * dtype.itemsize, constant)
        return View(storage, dtype, shape, dense_strides(shape, dtype.itemsize))

    @property
    def contiguous(self) -> bool:
        """Whether the elements follow each other in row-major order."""
        dense = dense_strides(self.shape, self.dtype.itemsize)
        pairs = zip(self.shape, self.strides, dense, strict=True)
        return all(count == 1 or mine == wanted for count, mine, wanted in pairs)

    def reshape(self, shape: tuple[int, ...]) -> View | None:
        """Return the same elements under another shape, or None where that takes a copy."""
        strides = _split(_merged(self.shape, self.strides), shape, self.dtype.itemsize)
        return None if strides is None else replace(self, shape=shape, strides=strides)

    def transpose(self, order: Sequence[int]) -> View:
        """Return the tensor with its axes in another order."""
        shape = tuple(self.shape[axis] for axis in order)
        return replace(self, shape=shape, strides=tuple(self.strides[axis] for axis in order))

    def slice(self, axis: int, start: int, count: int, step: int = 1) -> View:
        """Return `count` elements of one axis, from `start` on."""
        shape, strides = list(self.shape), list(self.strides)
        offset = self.offset + start * strides[axis]
        shape[axis], strides[axis] = count, strides[axis] * step
        return replace(self, shape=tuple(shape), strides=tuple(strides), offset=offset)

    def broadcast(self, shape: tuple[int, ...]) -> View:
        """Return the tensor repeated to `shape`, as ONNX broadcasts."""
        missing = len(shape) - len(self.shape)
        sizes = (*[1] * missing, *self.shape)
        strides = (*[0] * missing, *self.strides)
        repeated = tuple(
            0 if size == 1 else stride for size, stride in zip(sizes, strides, strict=True)
        )
        return replace(self, shape=shape, strides=repeated)

    def region(self, name: str, address: int) -> Region:
        """Return the region of this tensor, which must be contiguous."""
        assert self.contiguous, f"{name} is not contiguous"
        return Region(name, address + self.offset, self.dtype, self.shape)


def dense_strides(shape: Sequence[int], itemsize: int) -> tuple[int, ...]:
    """Return the strides of a contiguous row-major array."""
    strides: list[int] = []
    for count in reversed(shape):
        strides.append(itemsize)
        itemsize *= count
    return tuple(reversed(strides))


def _merged(shape: Sequence[int], strides: Sequence[int]) -> list[tuple[int, int]]:
    """Return (count, stride) of the longest regular runs."""
    runs: list[tuple[int, int]] = []
    for count, stride in zip(shape, strides, strict=True):
        if count == 1:
            continue
        if runs and runs[-1][1] == count * stride:
            runs[-1] = (runs[-1][0] * count, stride)
        else:
            runs.append((count, stride))
    return runs


def _split(
    runs: list[tuple[int, int]], shape: Sequence[int], itemsize: int
) -> tuple[int, ...] | None:
    """Return the strides of `shape` over regular runs, or None where it does not fit them."""
    left = list(reversed(runs))
    strides: list[int] = []
    rest, stride = left.pop(0) if left else (1, itemsize)
    for count in reversed(shape):
        if rest == 1 and count != 1 and left:
            rest, stride = left.pop(0)
        if rest % count:
            return None
        strides.append(stride)
        rest, stride = rest // count, stride * count
    return tuple(reversed(strides)) if rest == 1 and not left else None
