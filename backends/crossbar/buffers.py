"""Where tensors lie in a memory: liveness and offsets, for the chip's buffer and for a core's."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
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


@final
class _Placed:
    """Bytes that have been given away, by the steps at which they are in use."""

    def __init__(self) -> None:
        self._begun: dict[int, list[tuple[int, int]]] = {}
        """By the first step of the tensor."""
        self._kept: dict[int, list[tuple[int, int]]] = {}
        """By each step of the tensor after its first."""

    def add(self, item: Lifetime, span: tuple[int, int]) -> None:
        """Give bytes to a tensor."""
        self._begun.setdefault(item.first, []).append(span)
        for step in range(item.first + 1, item.last + 1):
            self._kept.setdefault(step, []).append(span)

    def beside(self, item: Lifetime) -> Iterator[tuple[int, int]]:
        """Return the bytes of the tensors that are alive at some step of this one."""
        yield from self._kept.get(item.first, ())
        for step in range(item.first, item.last + 1):
            yield from self._begun.get(step, ())


def allocate(lifetimes: Iterable[Lifetime], base: int = 0) -> Layout:
    """Give every tensor the lowest offset that no other one has while both are alive.

    The largest go first, so that the small ones fill the gaps they leave; ties keep their order.
    """
    placed = _Placed()
    offsets: dict[Hashable, int] = {}
    end = base
    for item in sorted(lifetimes, key=lambda item: -item.bytes):
        size = aligned(item.bytes)
        offset = _gap(sorted(placed.beside(item)), size, aligned(base))
        placed.add(item, (offset, offset + size))
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
