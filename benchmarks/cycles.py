"""The clock against the stepper on long programs: the same cycles, to the last instruction.

Run `python -m benchmarks.cycles [--network NAME] [--target NAME]`. The clock goes from event to
event in C++; the stepper passes one cycle at a time through the rules of `docs/machine.md`. Ends
with 1 where they differ, or where a program is faster than its instructions allow, each counted
alone (`runtime/least.py`).
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

import click
import numpy as np
import torch
from torch import nn

import mcc
from benchmarks.resnet18 import TARGETS, resnet18
from benchmarks.tables import note, show
from benchmarks.workloads import load
from mcc.cli.console import progress_bar
from mcc.runtime.clock import clock
from mcc.runtime.cycles import Cycles
from mcc.runtime.least import bound
from mcc.runtime.stepper import step_through

CALIBRATED_WITH = 2
"""Samples; cycles do not depend on their values."""


def _workload(name: str) -> tuple[Any, Any]:
    found = load(name)
    return found.source, found.calibration[:CALIBRATED_WITH]


def _resnet18() -> tuple[nn.Module, torch.Tensor]:
    return resnet18(), torch.randn(1, 3, 224, 224)


NETWORKS: dict[str, Callable[[], tuple[Any, Any]]] = {
    "resnet20": lambda: _workload("resnet20"),
    "resnet32": lambda: _workload("resnet32"),
    "stories260k": lambda: _workload("stories260k"),
    "resnet18": _resnet18,
}
"""A network, and samples for it."""
LONG = ("resnet20", "resnet32", "stories260k")
"""Without the one that takes minutes."""


def same(left: Cycles, right: Cycles) -> bool:
    """Tell whether two clocks agree on every unit, resource and instruction."""
    names = ("cycles", "unit_busy", "resource_busy", "records")
    return all(np.array_equal(getattr(left, name), getattr(right, name)) for name in names)


def row(name: str, target: str) -> tuple[bool, tuple[str, ...]]:
    """Compile a network and let both clocks run; say whether all is well, and the figures."""
    with progress_bar(f"{name}, {target}") as progress:
        progress("compile")
        source, samples = NETWORKS[name]()
        compiled = mcc.compile(source, (samples[:1],), target=target, calibration=samples)
        program = compiled.artifact.program
        start = time.perf_counter()
        fast = clock(program, trace=True)
        between = time.perf_counter()
        plain = step_through(program, lambda now: progress("stepper", now / fast.cycles))
        end = time.perf_counter()
    note(f"{name} on {target}: {fast.cycles:,} cycles stepped through in {end - between:.0f} s")
    least = bound(program)
    holds = same(fast, plain) and fast.cycles >= least.cycles
    return holds, (
        name,
        target,
        f"{fast.cycles:,}",
        f"{plain.cycles:,}",
        f"{least.cycles:,}",
        least.part,
        f"{fast.cycles / least.cycles:.1f}",
        f"{between - start:.2f}",
        f"{end - between:.1f}",
        "equal" if same(fast, plain) else "DIFFER",
    )


@click.command()
@click.option("--network", "networks", multiple=True, type=click.Choice(list(NETWORKS)))
@click.option("--target", "targets", multiple=True, default=TARGETS, help="As often as needed.")
def main(networks: tuple[str, ...], targets: tuple[str, ...]) -> None:
    """Compare the clock with the stepper on one sample of each network."""
    found = [row(name, target) for name in networks or LONG for target in targets]
    head = ("network", "target", ">clock", ">stepper", ">bound", "busiest", ">factor")
    times = (">clock s", ">stepper s", "")
    show("cycles of one sample", (*head, *times), [it for _, it in found])
    sys.exit(not all(holds for holds, _ in found))


if __name__ == "__main__":
    main()
