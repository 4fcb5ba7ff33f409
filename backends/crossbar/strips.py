"""Cutting the result of a kernel into strips, and strips into loops."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import final


@final
@dataclass(frozen=True, slots=True)
class Axis:
    """How positions of a result read one axis of a source: a sliding window over its padding."""

    size: int
    """Elements of the source."""
    stride: int = 1
    reach: int = 1
    """Elements from the first to the last that one position reads."""
    pad: int = 0
    """Positions in front of the first element."""

    def window(self, start: int, count: int) -> Extent:
        """Return what `count` positions from `start` on read."""
        first = start * self.stride - self.pad
        length = (count - 1) * self.stride + self.reach
        inside = min(max(first, 0), self.size)
        end = min(max(first + length, inside), self.size)
        before = min(inside - first, length) if inside > first else 0
        return Extent(inside, end - inside, before, length - before - (end - inside))


@final
@dataclass(frozen=True, slots=True)
class Extent:
    """A piece of an axis: elements that exist, and padding around them."""

    start: int
    count: int
    before: int
    after: int

    @property
    def length(self) -> int:
        """Elements and padding."""
        return self.before + self.count + self.after


@final
@dataclass(frozen=True, slots=True)
class Run:
    """Equal strips along one dimension of the result: `trips` times `count` positions."""

    start: int
    count: int
    trips: int = 1


def runs(start: int, stop: int, count: int, axis: Axis | None = None) -> tuple[Run, ...]:
    """Cut positions into strips of `count`, equal neighbours joined into runs.

    Strips that read padding stand alone, as their code differs from that of the others.
    """
    found: list[Run] = []
    for first in range(start, stop, count):
        size = min(count, stop - first)
        last = found[-1] if found else None
        if last and last.count == size and _plain(axis, last) and _plain(axis, Run(first, size)):
            found[-1] = Run(last.start, size, last.trips + 1)
        else:
            found.append(Run(first, size))
    return tuple(found)


def _plain(axis: Axis | None, run: Run) -> bool:
    if axis is None:
        return True
    extent = axis.window(run.start, run.count)
    return extent.before == 0 == extent.after


def choose(
    sizes: Sequence[int], units: Sequence[int], fits: Callable[[tuple[int, ...]], bool]
) -> tuple[int, ...] | None:
    """Return the largest strips that fit, shrinking outer dimensions first.

    Args:
        sizes: Positions along each dimension.
        units: A strip is a multiple of these; 0 where a dimension must stay whole.
        fits: Whether strips of these counts fit into the memory.

    Returns:
        Positions of a strip along each dimension; None where not even the least fits.
    """
    counts = tuple(sizes)
    if fits(counts):
        return counts
    for dim, (size, unit) in enumerate(zip(sizes, units, strict=True)):
        if not unit or size <= unit:
            continue
        low, high = 1, -(-size // unit)
        while low < high:
            middle = (low + high + 1) // 2
            if fits(_with(counts, dim, min(middle * unit, size))):
                low = middle
            else:
                high = middle - 1
        balanced = _balanced(size, low * unit, unit)
        counts = _with(counts, dim, balanced)
        if fits(counts):
            return counts
    return None


def _balanced(size: int, count: int, unit: int) -> int:
    """Return strips of nearly equal size, no larger than `count` and as few."""
    each = -(-size // -(-size // count))
    return -(-each // unit) * unit


def _with(counts: tuple[int, ...], dim: int, count: int) -> tuple[int, ...]:
    return (*counts[:dim], count, *counts[dim + 1 :])
