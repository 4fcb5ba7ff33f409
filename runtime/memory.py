"""The memories of a chip, once per sample, seen through streams."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from mcc.ir.diagnostics import error
from mcc.ir.program import Stream

ALIGNMENT = 64


def pitch(size: int) -> int:
    """Return the bytes that a memory of `size` bytes takes for each sample."""
    return max(-(-size // ALIGNMENT), 1) * ALIGNMENT


@final
class Memory:
    """One memory of every sample, `(batch, bytes)`, filled with zeros at the start."""

    def __init__(self, name: str, size: int, batch: int) -> None:
        """Make a memory of `size` bytes for `batch` samples; `name` is for error messages."""
        self.name = name
        self.size = size
        self.batch = batch
        self.rows = np.zeros((batch, pitch(size)), np.uint8)

    def window(self, stream: Stream) -> Window:
        """Return the elements of a stream, for all samples and any loop counters."""
        return Window(self, stream)

    def at(self, stream: Stream, counters: Sequence[int] = ()) -> NDArray[Any]:
        """Return the elements of a stream as a view `(batch, *counts)`."""
        return Window(self, stream).at(counters)


@final
class Window:
    """A stream laid over a memory."""

    __slots__ = (
        "_base",
        "_dtype",
        "_high",
        "_low",
        "_memory",
        "_shape",
        "_steps",
        "_strides",
        "_view",
        "_viewed",
    )

    def __init__(self, memory: Memory, stream: Stream) -> None:
        """Lay `stream` over `memory`."""
        self._memory = memory
        self._base = stream.base
        self._steps = stream.steps
        self._dtype = stream.dtype.numpy
        self._shape = stream.shape
        self._strides = (pitch(memory.size), *(stride for _, stride in stream.dims))
        self._low, self._high = stream.span
        self._viewed = (-1, -1)
        self._view: NDArray[Any] = memory.rows

    def at(self, counters: Sequence[int]) -> NDArray[Any]:
        """Return the view `(batch, *counts)` in the iteration `counters` of the loops around.

        Raises:
            MccError: `program-invalid` where it leaves the memory.
        """
        address = self._base
        for step, counter in zip(self._steps, counters, strict=False):
            address += step * counter
        memory = self._memory
        if self._viewed == (address, memory.batch):
            return self._view
        if address + self._low < 0 or address + self._high > memory.size:
            first, last = address + self._low, address + self._high
            raise error(
                "program-invalid",
                f"bytes {first} to {last} of the {memory.name}, which has {memory.size}",
            )
        shape = (memory.batch, *self._shape)
        self._view = np.ndarray(shape, self._dtype, memory.rows, address, self._strides)
        self._viewed = (address, memory.batch)
        return self._view


def apart(source: NDArray[Any], result: NDArray[Any]) -> NDArray[Any]:
    """Return a source `(batch, ...)` that stays while the result is written, element by element.

    Both are views of windows, so that samples share nothing.
    """
    same = source.ctypes.data == result.ctypes.data and source.strides == result.strides
    return source if same or not np.may_share_memory(source[:1], result[:1]) else source.copy()
