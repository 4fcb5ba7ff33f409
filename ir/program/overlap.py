"""Whether two strided sets of bytes can meet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final


@final
@dataclass(frozen=True, slots=True)
class Footprint:
    """The bytes `base + sum(i_d * stride_d) + j`, where `i_d < count_d` and `j < width`."""

    base: int
    dims: tuple[tuple[int, int], ...]
    """Counts and strides that are not negative."""
    width: int

    @staticmethod
    def of(base: int, dims: list[tuple[int, int]], width: int) -> Footprint:
        """Return the footprint of dimensions whose strides may be negative."""
        rising: list[tuple[int, int]] = []
        for count, stride in dims:
            if stride < 0:
                base += (count - 1) * stride
            if stride and count > 1:
                rising.append((count, abs(stride)))
        return Footprint(base, tuple(rising), width)

    @property
    def end(self) -> int:
        """One past the highest byte."""
        return self.base + self.width + sum((count - 1) * stride for count, stride in self.dims)

    def reach(self, period: int) -> int:
        """Return the bytes from the lowest to the highest when addresses repeat after `period`."""
        return self.width + sum(
            (count - 1) * stride for count, stride in self.dims if stride % period
        )


def may_overlap(left: Footprint, right: Footprint) -> bool:
    """Say whether two footprints may have a byte in common; never wrongly that they do not.

    They do not when one ends before the other begins, or when, for some stride taken as a period,
    they lie in different parts of the period.
    """
    if left.end <= right.base or right.end <= left.base:
        return False
    periods = {stride for _, stride in (*left.dims, *right.dims)}
    return not any(_apart(left, right, period) for period in periods)


def _apart(left: Footprint, right: Footprint, period: int) -> bool:
    ahead = (right.base - left.base) % period
    return left.reach(period) <= ahead and right.reach(period) <= period - ahead
