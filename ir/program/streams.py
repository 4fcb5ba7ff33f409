"""How instructions address memory: element types and strided streams."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, final

import numpy as np


@final
class DType(StrEnum):
    """An element type; the value is the name in NumPy and, in lower case, in ONNX."""

    BOOL = "bool"
    INT8 = "int8"
    UINT8 = "uint8"
    INT16 = "int16"
    UINT16 = "uint16"
    INT32 = "int32"
    UINT32 = "uint32"
    INT64 = "int64"
    UINT64 = "uint64"
    FLOAT16 = "float16"
    FLOAT32 = "float32"
    FLOAT64 = "float64"

    @property
    def numpy(self) -> np.dtype[Any]:
        """The type in NumPy."""
        return _NUMPY[self]

    @property
    def itemsize(self) -> int:
        """Bytes of one element."""
        return _ITEMSIZE[self]

    @property
    def short(self) -> str:
        """The name in assembly text: `u8`, `i32`, `f32`."""
        return _SHORT[self]

    @staticmethod
    def of(dtype: np.dtype[Any] | type[np.generic]) -> DType:
        """Return the element type that is `dtype` in NumPy."""
        return DType(np.dtype(dtype).name)


_NUMPY = {item: np.dtype(item.value) for item in DType}
_ITEMSIZE = {item: dtype.itemsize for item, dtype in _NUMPY.items()}
_SHORT = {
    item: f"{'b' if item is DType.BOOL else item.value[0]}{8 * _ITEMSIZE[item]}" for item in DType
}
SHORT_DTYPES: dict[str, DType] = {short: item for item, short in _SHORT.items()}
"""Element types by their names in assembly text."""


@final
@dataclass(frozen=True, slots=True)
class Stream:
    """The addresses an instruction walks through, in row-major order of `dims`.

    Element (i_0, i_1, …) in the iteration (n_0, n_1, …) of the enclosing loops lies at byte
    `base + sum(steps[l] * n_l) + sum(i_d * stride_d)`.
    """

    dtype: DType
    base: int
    """First byte."""
    dims: tuple[tuple[int, int], ...]
    """Count and stride in bytes of each dimension, outermost first; stride 0 repeats a source."""
    steps: tuple[int, ...] = ()
    """Bytes per iteration of each enclosing loop, outermost first; missing ones are 0."""

    @staticmethod
    def dense(dtype: DType, base: int, shape: Sequence[int], steps: tuple[int, ...] = ()) -> Stream:
        """Return the stream over a contiguous row-major array."""
        stride = dtype.itemsize
        dims: list[tuple[int, int]] = []
        for count in reversed(shape):
            dims.append((count, stride))
            stride *= count
        return Stream(dtype, base, tuple(reversed(dims)), steps)

    @property
    def shape(self) -> tuple[int, ...]:
        """Counts of the dimensions."""
        return tuple(count for count, _ in self.dims)

    @property
    def elements(self) -> int:
        """Number of elements, repeated ones counted every time."""
        return math.prod(count for count, _ in self.dims)

    @property
    def bytes(self) -> int:
        """Bytes of all elements, repeated ones counted every time."""
        return self.elements * self.dtype.itemsize

    @property
    def traffic(self) -> int:
        """Bytes that pass the memory port: dimensions of stride 0 are read once."""
        return self.dtype.itemsize * math.prod(count for count, stride in self.dims if stride)

    @property
    def span(self) -> tuple[int, int]:
        """Lowest byte and one past the highest byte, relative to the address of element 0."""
        low = high = 0
        for count, stride in self.dims:
            reach = (count - 1) * stride
            low, high = (low + reach, high) if reach < 0 else (low, high + reach)
        return low, high + self.dtype.itemsize

    def address(self, counters: Sequence[int] = ()) -> int:
        """Return the address of element 0 when the enclosing loops are at `counters`."""
        return self.base + sum(
            step * counter for step, counter in zip(self.steps, counters, strict=False)
        )
