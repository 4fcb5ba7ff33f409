"""What an instruction asks of time: a pipeline of steps that hold resources."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import final


@final
@dataclass(frozen=True, slots=True)
class Step:
    """A number of cycles during which resources are held, all from first to last cycle."""

    cycles: int
    """At least 1."""
    resources: tuple[int, ...] = ()
    """Numbers of different resources (`Topology` gives them), in rising order."""


@final
@dataclass(frozen=True, slots=True)
class Pipeline:
    """Stages that `count` iterations pass through one behind the other."""

    stages: tuple[Step, ...]
    """One step per stage; every iteration passes all of them in order."""
    count: int = 1


def ceil_div(numerator: int, denominator: int) -> int:
    """Return the quotient rounded up."""
    return -(-numerator // denominator)


def ceil_real(value: float) -> int:
    """Return the least integer not below `value`, forgiving rounding errors of one in 1e9."""
    nearest = round(value)
    return nearest if abs(value - nearest) <= 1e-9 * abs(value) else math.ceil(value)
