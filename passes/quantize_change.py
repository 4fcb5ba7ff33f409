"""How much quantization changed the outputs of a network on data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np

from mcc.ir.diagnostics import Severity
from mcc.ir.network import Array, Feeds, Network, ReferenceExecutor
from mcc.passes.base import PassContext

SAMPLES = 64
"""Calibration samples that are compared, evenly spread over all of them."""

LARGE = 0.1
"""Relative change of an output above which the user is warned."""

_FEWEST_CLASSES = 2


@final
@dataclass(frozen=True)
class Change:
    """The change of all floating outputs, and of the choice of the largest where they score."""

    samples: int
    relative: float
    """Root mean square of the change over that of the outputs; the worst output."""
    agreeing: int
    scores: int
    """Rows of scores that were compared; 0 where no output looks like scores."""

    def __str__(self) -> str:
        text = f"outputs change by {100 * self.relative:.3g} % (root mean square)"
        if self.scores:
            text = f"{text}, the largest score is the same in {self.agreeing} of {self.scores} rows"
        return f"{text}, on {self.samples} calibration samples"


def measure_change(before: Network, after: Network, feeds: Sequence[Feeds]) -> Change:
    """Run both networks, sample by sample, and compare their outputs."""
    first, second = ReferenceExecutor(before), ReferenceExecutor(after)
    count = min(len(feeds), SAMPLES)
    chosen = [feeds[index * len(feeds) // count] for index in range(count)]
    errors = dict.fromkeys(first.outputs, 0.0)
    sizes = dict.fromkeys(first.outputs, 0.0)
    agreeing = scores = 0
    for sample in chosen:
        old, new = first.run(sample), second.run(sample)
        for name, array in old.items():
            if not np.issubdtype(array.dtype, np.floating):
                continue
            # What overflows or is no number in the first place has no change to measure.
            finite = np.isfinite(array)
            wide = array[finite].astype(np.float64)
            errors[name] += float(np.square(new[name][finite] - wide).sum())
            sizes[name] += float(np.square(wide).sum())
            same, rows = _agreement(array, new[name])
            agreeing, scores = agreeing + same, scores + rows
    relative = max((_ratio(errors[name], sizes[name]) for name in errors), default=0.0)
    return Change(len(chosen), relative, agreeing, scores)


def report_change(change: Change, count: int, context: PassContext) -> None:
    """Tell how much the quantization of `count` contractions changed; warn where it is much."""
    large = change.relative > LARGE
    context.report(
        "quantization-change",
        f"quantized {count} contractions: {change}",
        help="use more bits, another observer, or keep the worst layers in float" if large else "",
        severity=Severity.WARNING if large else Severity.NOTE,
    )


def _ratio(error: float, size: float) -> float:
    if error == 0.0:
        return 0.0
    return float(np.sqrt(error / size)) if size else float("inf")


def _agreement(old: Array, new: Array) -> tuple[int, int]:
    """Count rows of scores, along the last axis, and those with the same largest score."""
    if old.ndim < 2 or old.ndim > 3 or old.shape[-1] < _FEWEST_CLASSES or not old.size:
        return 0, 0
    same = old.argmax(axis=-1) == new.argmax(axis=-1)
    return int(same.sum()), same.size
