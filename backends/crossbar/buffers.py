"""Where tensors lie in a memory: liveness and offsets, for the chip's buffer and for a core's."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import final

ALIGNMENT = 64
"""Tensors begin at multiples of this many bytes."""


@final
@dataclass(frozen=True, slots=True)
class Lifetime:
    """A tensor that must keep its bytes from step `first` to step `last`, both included."""

    key: Hashable
    bytes: int
    first: int
    last: int

    def meets(self, other: Lifetime) -> bool:
        """Whether both are alive at some step."""
        return self.first <= other.last and other.first <= self.last


@final
@dataclass(frozen=True)
class Layout:
    """Offsets of tensors, and the bytes that they take together."""

    offsets: dict[Hashable, int]
    bytes: int


def aligned(size: int) -> int:
    """Return `size` rounded up to the alignment."""
    return -(-size // ALIGNMENT) * ALIGNMENT


def allocate(lifetimes: Iterable[Lifetime], base: int = 0) -> Layout:
    """Give every tensor the lowest offset that no other one has while both are alive.

    The largest go first, so that the small ones fill the gaps they leave; ties keep their order.
    """
    placed: list[tuple[int, int, Lifetime]] = []
    offsets: dict[Hashable, int] = {}
    end = base
    for item in sorted(lifetimes, key=lambda item: -item.bytes):
        size = aligned(item.bytes)
        busy = sorted((start, stop) for start, stop, other in placed if item.meets(other))
        offset = _gap(busy, size, aligned(base))
        placed.append((offset, offset + size, item))
        offsets[item.key] = offset
        end = max(end, offset + size)
    return Layout(offsets, end)


def _gap(busy: list[tuple[int, int]], size: int, base: int) -> int:
    """Return the lowest offset of a gap of `size` bytes between the busy ranges."""
    offset = base
    for start, stop in busy:
        if offset + size <= start:
            break
        offset = max(offset, stop)
    return offset
