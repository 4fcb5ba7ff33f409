"""Whole networks at each fidelity, as multiples of the same network in torch float32.

Run `python -m benchmarks.networks [NAME]... [--case CASE]...`. A batch of 64 images passes the
network; compilation and programming are left out, as is the first product of every tile, which at
`wire` solves the lines of its macro (some 2 s each, 340 for `resnet18` sliced). Ends with 1 over a
limit.
"""

from __future__ import annotations

import os

# ruff: noqa: E402 - NumPy reads the number of its threads when it is imported.
THREADS = 2
os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = str(THREADS)

import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, cast, final

import click
import torch
from torch import nn

import mcc
from benchmarks.resnet18 import Block, convolution
from benchmarks.tables import show
from mcc.backends.crossbar import targets
from tests.acceptance.trained import ResNet

BATCH, ROUNDS = 64, 5
PAUSE_SECONDS = 0.06
"""Between runs: the threads of torch spin on for a while after their work."""

SLICED = {
    "macro.active_rows": 128,
    "macro.adc.bits": 8,
    "cell.bits": 2,
}
"""Eight one-bit phases, four 2-bit differential slices, an 8-bit converter for 128 rows."""
UNSLICED = {
    "macro.active_rows": 512,
    "macro.adc.bits": 8,
    "macro.dac_bits": 8,
    "cell.bits": 7,
}
"""Inputs as levels, weights as pairs of analog cells, an 8-bit converter for all rows."""


@final
@dataclass(frozen=True)
class Case:
    """A fidelity on a chip, and how many times the time of torch, or of `device`, it may take."""

    name: str
    chip: str
    fidelity: str
    limit: float
    beside: str = "torch"


CHIPS: dict[str, dict[str, Any]] = {"sliced": SLICED, "unsliced": UNSLICED}
CASES = (
    Case("converter, sliced", "sliced", "converter", 10.0),
    Case("device, unsliced, with read noise", "unsliced", "device", 3.0),
    Case("device, sliced, with read noise", "sliced", "device", 40.0),
    Case("wire, unsliced", "unsliced", "wire", 1.2, "device"),
    Case("wire, sliced", "sliced", "wire", 1.2, "device"),
)


def resnet18() -> nn.Module:
    """Return the residual network of 18 layers for images of 32 x 32 pixels, weights drawn."""
    cast(Any, torch).manual_seed(0)
    pairs = pairwise((64, 64, 128, 256, 512))
    blocks = [block for a, b in pairs for block in (Block(a, b), Block(b, b))]
    head = (nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 10))
    return nn.Sequential(convolution(3, 64, 3, 1), nn.ReLU(), *blocks, *head).eval()


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "resnet18": resnet18,
    "resnet20": lambda: ResNet.load(20).eval(),
}


def measure(name: str, cases: Sequence[Case]) -> bool:
    """Print the times of one network; say whether the limits hold."""
    module = NETWORKS[name]()
    images = torch.randn(BATCH, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    programs: dict[str, mcc.Program] = {}
    rows: list[tuple[str, ...]] = []
    good = True
    for case in cases:
        if case.chip not in programs:
            target = targets.load("rram40nm").with_values(CHIPS[case.chip])
            compiled = mcc.compile(module, (images[:1],), target=target, calibration=images[:4])
            programs[case.chip] = compiled
        program = programs[case.chip]
        runs: dict[str, Callable[[], object]] = {"torch": lambda: _eager(module, images)}
        for fidelity in {case.fidelity, case.beside} - {"torch"}:
            runs[fidelity] = _runner(program, fidelity, images)
        cast(Any, torch).set_num_threads(THREADS)
        seconds = _medians(runs)
        own = seconds[case.fidelity]
        ratio = own / seconds[case.beside]
        good &= ratio <= case.limit
        limit = f"{case.limit:g} x {case.beside}"
        times = f"{own / seconds['torch']:.1f}"
        rows.append((case.name, f"{own:.3f}", times, f"{ratio:.2f}", limit))
    title = f"{name}, {BATCH} images of 32 x 32 pixels, {THREADS} threads, median of {ROUNDS}"
    show(title, ("", ">s", ">x torch", ">ratio", ">limit"), rows)
    return good


def _runner(program: mcc.Program, fidelity: str, images: torch.Tensor) -> Callable[[], object]:
    machine = mcc.Machine(program, fidelity, seed=None if fidelity == "converter" else 7)
    machine(images[:1])
    return lambda: machine(images)


def _eager(module: nn.Module, images: torch.Tensor) -> object:
    with torch.no_grad():
        return module(images)


def _medians(runs: Mapping[str, Callable[[], object]]) -> dict[str, float]:
    """Return the median seconds of each run, measured in turns."""
    times: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(ROUNDS):
        for name, run in runs.items():
            time.sleep(PAUSE_SECONDS)
            start = time.perf_counter()
            run()
            times[name].append(time.perf_counter() - start)
    return {name: statistics.median(found) for name, found in times.items()}


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(tuple(NETWORKS)), metavar="[NAME]...")
@click.option("--case", "chosen", multiple=True, type=click.Choice([it.name for it in CASES]))
def main(names: tuple[str, ...], chosen: tuple[str, ...]) -> None:
    """Time the named networks, or all of them, in the chosen cases, or in all of them."""
    cases = [case for case in CASES if not chosen or case.name in chosen]
    sys.exit(not all([measure(name, cases) for name in names or NETWORKS]))


if __name__ == "__main__":
    main()
