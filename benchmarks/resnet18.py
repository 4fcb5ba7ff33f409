"""A ResNet-18 at the size of ImageNet: compiled for each target in a fresh process, and run.

Run `python -m benchmarks.resnet18 [--target NAME]`. The weights are random; what is measured is
the compiler. Ends with 1 where a limit is missed.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, cast, final

import click
import torch
from torch import nn

import mcc
from benchmarks.tables import show

COMPILE_SECONDS, COMPILE_GIGABYTES, RUN_SECONDS = 90.0, 3.0, 60.0
"""Limits: wall time and peak resident memory of a compilation, wall time of one image."""
TARGETS = ("rram40nm", "isaac")
CALIBRATED_WITH = 4
"""Random images."""


@final
class Block(nn.Module):
    """Two convolutions beside a shortcut, which is a convolution where the shape changes."""

    def __init__(self, before: int, planes: int) -> None:
        super().__init__()
        stride = 1 if before == planes else 2
        self.first = convolution(before, planes, 3, stride)
        self.second = convolution(planes, planes, 3, 1)
        self.shortcut = nn.Identity() if stride == 1 else convolution(before, planes, 1, stride)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map images (batch, before, height, width) to `planes` channels."""
        return torch.relu(self.second(torch.relu(self.first(x))) + self.shortcut(x))


def convolution(before: int, planes: int, size: int, stride: int) -> nn.Module:
    """Return a convolution with a batch norm, that keeps height and width over the stride."""
    layer = nn.Conv2d(before, planes, size, stride, size // 2, bias=False)
    return nn.Sequential(layer, nn.BatchNorm2d(planes))


def resnet18() -> nn.Module:
    """Return the network of He et al. for 224 x 224 pixels and 1,000 classes, weights drawn."""
    cast(Any, torch).manual_seed(0)
    pairs = pairwise((64, 64, 128, 256, 512))
    blocks = [block for a, b in pairs for block in (Block(a, b), Block(b, b))]
    stem = (convolution(3, 64, 7, 2), nn.ReLU(), nn.MaxPool2d(3, 2, 1))
    head = (nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 1000))
    return nn.Sequential(*stem, *blocks, *head).eval()


@final
@dataclass(frozen=True)
class Mark:
    """What the process has used up to now."""

    wall: float
    processor: float
    """Seconds of the processor in user code, over all threads."""
    gigabytes: float
    """Peak of the resident memory."""

    @staticmethod
    def now() -> Mark:
        """Ask the operating system."""
        used = resource.getrusage(resource.RUSAGE_SELF)
        return Mark(time.perf_counter(), used.ru_utime, used.ru_maxrss * 1024 / 1e9)

    def since(self, start: Mark) -> tuple[str, str, str]:
        """Write the seconds since another mark, and the memory."""
        seconds = self.wall - start.wall, self.processor - start.processor
        return f"{seconds[0]:.1f}", f"{seconds[1]:.1f}", f"{self.gigabytes:.2f}"


@final
class Steps:
    """Notes when each step begins."""

    def __init__(self) -> None:
        self.begun: list[tuple[str, Mark]] = []

    def __call__(self, step: str, done: float | None = None) -> None:
        """Note that a step begins."""
        if done is None:
            self.begun.append((step, Mark.now()))

    def mark(self, step: str) -> Mark:
        """Return where a step began."""
        return dict(self.begun)[step]


def measure(target: str) -> bool:
    """Compile for one target and run one image; print the tables; say whether the limits hold."""
    module, images, steps = resnet18(), torch.randn(CALIBRATED_WITH, 3, 224, 224), Steps()
    steps("compile")
    program = mcc.compile(module, (images[:1],), target=target, calibration=images, progress=steps)
    steps("run at converter")
    mcc.Machine(program, "converter")(images[:1])
    steps("end")
    start, run, end = (steps.mark(step) for step in ("compile", "run at converter", "end"))
    rows = [(step, *last.since(first)) for (step, first), (_, last) in pairwise(steps.begun)]
    head = ("", ">wall s", ">processor s", ">peak GB")
    limits = [
        ("compile, wall s", run.wall - start.wall, COMPILE_SECONDS),
        ("compile, peak GB", run.gigabytes, COMPILE_GIGABYTES),
        ("one image at converter, wall s", end.wall - run.wall, RUN_SECONDS),
    ]
    judged = [(name, f"{it:.1f}", f"{most:.0f}", _verdict(it, most)) for name, it, most in limits]
    show(f"ResNet-18, 224 x 224, for {target}", head, rows[1:])
    show(f"its limits for {target}", ("", ">measured", ">limit", ""), judged)
    return all(found < most for _, found, most in limits)


def _verdict(found: float, most: float) -> str:
    return "holds" if found < most else "MISSED"


@click.command()
@click.option("--target", "targets", multiple=True, default=TARGETS, help="As often as needed.")
@click.option("--here", is_flag=True, hidden=True, help="Measure in this process.")
def main(targets: tuple[str, ...], here: bool) -> None:
    """Compile a ResNet-18 for each target and run one image, in a fresh process each."""
    if here:
        sys.exit(not all([measure(target) for target in targets]))
    again = [sys.executable, "-m", "benchmarks.resnet18", "--here", "--target"]
    sys.exit(any([subprocess.call([*again, target]) for target in targets]))


if __name__ == "__main__":
    main()
