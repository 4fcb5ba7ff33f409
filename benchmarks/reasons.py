"""Why a chip computes worse than `exact`: each imperfection alone, and the errors that it makes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import final

import numpy as np

import mcc
from benchmarks.workloads import Array
from mcc.runtime.observation import Integers, Observation

IMPERFECTIONS: dict[str, tuple[str, ...]] = {
    "write error": ("cell.write_error",),
    "read noise": ("cell.read_noise",),
    "stuck cells": ("cell.stuck_low_fraction", "cell.stuck_high_fraction"),
}
"""What makes the cells of a target imperfect, with the fields that say how much."""


def alone(target: mcc.Target) -> dict[str, mcc.Target]:
    """Return the target with each imperfection alone, by name; without those that it has not."""
    values = target.values()
    present = {
        name: paths for name, paths in IMPERFECTIONS.items() if any(values[it] for it in paths)
    }
    others = {
        name: [path for other, paths in present.items() if other != name for path in paths]
        for name in present
    }
    return {name: target.with_values(dict.fromkeys(paths, 0.0)) for name, paths in others.items()}


@final
@dataclass
class Sums:
    """Keeps the sums that crossbars make, by network node."""

    parts: dict[str, list[Array]] = field(default_factory=dict[str, list[Array]])

    def __call__(self, seen: Observation) -> None:
        """Take note of an observation."""
        if seen.kind is Integers.SUMS:
            self.parts.setdefault(seen.node, []).append(np.array(seen.values, np.float64))


def sums_of(machine: mcc.Machine, inputs: Array) -> dict[str, Array]:
    """Run samples and return all sums of each crossbar operator, in the order of the program."""
    sums = Sums()
    feeds = machine.program.artifact.signature.flatten_inputs((inputs,), {})
    machine.run_feeds(feeds, observer=sums)
    return {name: np.concatenate([it.ravel() for it in all]) for name, all in sums.parts.items()}


@final
@dataclass(frozen=True)
class Cause:
    """What one imperfection does, and how far the sums of the crossbars are off under it.

    An error of sums is the root mean square of what they are off by, over that of the sums.
    """

    network: str
    target: str
    name: str
    loss: float
    """By how much the score is worse than at `exact`."""
    changed: float
    """The part of all sums that are not the exact integers."""
    first: float
    """Error in the crossbar operator that comes first: its own only."""
    last: float
    """Error in the last one: with all that came before."""
    worst: float

    def row(self) -> tuple[str, ...]:
        """Return the cells of the table."""
        parts = (self.changed, self.first, self.last, self.worst)
        shown = (f"{100 * part:.1f} %" for part in parts)
        return self.network, self.target, self.name, f"{self.loss:.2f}", *shown


HEAD = ("network", "target", "with", ">loss", ">sums changed", ">first", ">last", ">worst")


def cause(
    place: tuple[str, str],
    name: str,
    loss: float,
    exact: Mapping[str, Array],
    found: Mapping[str, Array],
) -> Cause:
    """Compare the sums of two runs of one program; `place` is network and target."""
    errors = [_error(exact[node], found[node]) for node in exact]
    total = sum(array.size for array in exact.values())
    changed = sum(int((exact[node] != found[node]).sum()) for node in exact) / total
    return Cause(*place, name, loss, changed, errors[0], errors[-1], max(errors))


def _error(exact: Array, found: Array) -> float:
    size = float(np.sqrt(np.mean(exact**2)))
    return float(np.sqrt(np.mean((found - exact) ** 2))) / size if size else 0.0
