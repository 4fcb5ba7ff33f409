"""Trained networks on real data: float, then each fidelity on each target, and why it is bad.

Run `python -m benchmarks.accuracy [--quick] [--network NAME] [--target NAME] [--json FILE]`. Ends
with 1 where `exact` lies farther from float than the test allows; runs on fewer samples than there
are print their figures and judge nothing.
"""

from __future__ import annotations

import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import final

import click
import numpy as np

import mcc
from benchmarks.reasons import HEAD as HEAD_CAUSES
from benchmarks.reasons import Cause, alone, cause, sums_of
from benchmarks.resnet18 import TARGETS
from benchmarks.tables import note, show, show_lines, write_json
from benchmarks.workloads import WORKLOADS, Array, Test, Workload, load
from mcc.cli.console import Progress, progress_bar

CHIPS, QUICK_CHIPS, QUICK_SAMPLES = 5, 2, 100
REASON_CHIPS = 2
"""Chips on which each imperfection is tried alone."""
REASON_SAMPLES = 4
"""Samples whose sums are compared."""
ROUNDING = 1e-9
REASONS = "where chips are worse than `exact` may be than float: what each imperfection does"
NOTES = (
    "loss: by how much the score is worse, in points or perplexity.",
    "first, last, worst: error of the sums of a layer, of what precedes it too, over their size.",
    "Converters round to whole sums: an error far below half a step vanishes when it is alone, and"
    " not on top of others. Losses therefore do not add up.",
)


@final
@dataclass(frozen=True)
class Result:
    """The scores of one network on one set of samples and one target."""

    network: str
    samples: str
    count: int
    target: str
    unit: str
    floating: float
    exact: float
    converter: float
    on_chips: int
    """How many of the samples were run on chips, the first ones; all below is on them."""
    exact_there: float
    converter_there: float
    device: tuple[float, ...]
    """Of each chip."""
    tolerance: float | None
    """How far `exact` may lie from float; None where only some of the samples were run."""

    @property
    def holds(self) -> bool:
        """Whether `exact` is as near to float as it must be."""
        distance = abs(self.exact - self.floating)
        return self.tolerance is None or distance <= self.tolerance + ROUNDING

    @property
    def mean(self) -> float:
        """Of the chips."""
        return float(np.mean(self.device))

    def row(self) -> tuple[str, ...]:
        """Return the cells of the table."""
        places = 2 if self.unit == "%" else 3
        scores = (self.floating, self.exact, self.converter)
        chips = (self.exact_there, self.mean, min(self.device), max(self.device))
        within = "not judged" if self.tolerance is None else f"within {self.tolerance:g}"
        return (
            self.network,
            f"{self.count:,} {self.samples}",
            self.unit,
            self.target,
            *(f"{score:.{places}f}" for score in scores),
            f"first {self.on_chips:,}",
            *(f"{score:.{places}f}" for score in chips),
            within if self.holds else f"NOT {within}",
        )


HEAD = ("network", "samples", "in", "target", ">float", ">exact", ">converter")
HEAD_CHIPS = ("on chips", ">exact", ">device", ">least", ">most", "exact is")


@final
@dataclass(frozen=True)
class Benchmark:
    """How to measure."""

    images: int | None
    """Samples of each test; all of them if None."""
    chips: int
    passes: str
    """The pipeline."""
    progress: Progress

    def compile(self, work: Workload, target: str | mcc.Target) -> mcc.Program:
        """Compile a network with its calibration samples."""
        self.progress(f"compile {work.name}")
        data = work.calibration
        return mcc.compile(
            work.source, (data[:1],), target=target, calibration=data, passes=self.passes
        )

    def results(self, work: Workload, target: str) -> tuple[list[Result], list[Cause]]:
        """Return the results of one network on one target, and the causes if chips are bad."""
        program, results, why = self.compile(work, target), list[Result](), list[Cause]()
        for whole in work.tests:
            test = whole.first(self.images) if self.images else whole
            start = time.perf_counter()
            result = self.result(work, test, program, len(test.inputs) == len(whole.inputs))
            results.append(result)
            worse = work.loss(result.exact_there, result.mean) > test.tolerance
            if worse and not why:
                why = self.causes(work, test, program, result)
            note(f"{' | '.join(result.row())} ({time.perf_counter() - start:.0f} s)")
        return results, why

    def result(self, work: Workload, test: Test, program: mcc.Program, whole: bool) -> Result:
        """Run samples at every fidelity."""
        few, answers = test.on_chips, test.answers

        def run(fidelity: str, inputs: Array, seed: int | None = None) -> Array:
            chip = "" if seed is None else f", chip {seed}"
            self.progress(f"{work.name}, {program.target.name}, {fidelity}{chip}")
            return mcc.Machine(program, fidelity, seed)(inputs)

        def score(outputs: Array) -> float:
            return work.score(outputs, answers[: len(outputs)])

        floating = score(work.floats(test.inputs))
        exact, converter = run("exact", test.inputs), run("converter", test.inputs)
        chips = [run("device", test.inputs[:few], seed) for seed in range(self.chips)]
        return Result(
            network=work.name,
            samples=test.name,
            count=len(test.inputs),
            target=program.target.name,
            unit=work.unit,
            floating=floating,
            exact=score(exact),
            converter=score(converter),
            on_chips=few,
            exact_there=score(exact[:few]),
            converter_there=score(converter[:few]),
            device=tuple(score(outputs) for outputs in chips),
            tolerance=test.tolerance if whole else None,
        )

    def causes(
        self, work: Workload, test: Test, program: mcc.Program, result: Result
    ) -> list[Cause]:
        """Find out why chips are worse than `exact`: try each imperfection alone."""
        some, place = test.first(result.on_chips), (work.name, result.target)
        few = some.inputs[:REASON_SAMPLES]
        exact = sums_of(mcc.Machine(program, "exact"), few)

        def one(name: str, machine: mcc.Machine, score: float) -> Cause:
            loss = work.loss(result.exact_there, score)
            return cause(place, name, loss, exact, sums_of(machine, few))

        found = [one("converters only", mcc.Machine(program, "converter"), result.converter_there)]
        for name, chip in alone(program.target).items():
            other = self.compile(work, chip)
            self.progress(f"{work.name}, {result.target}, {name} only")
            seeds = range(min(REASON_CHIPS, self.chips))
            machines = [mcc.Machine(other, "device", seed) for seed in seeds]
            scores = [work.score(machine(some.inputs), some.answers) for machine in machines]
            found.append(one(f"{name} only", machines[0], float(np.mean(scores))))
        return [*found, one("everything", mcc.Machine(program, "device"), result.mean)]


@click.command()
@click.option("--network", "networks", multiple=True, type=click.Choice(list(WORKLOADS)))
@click.option("--target", "targets", multiple=True, default=TARGETS, help="As often as needed.")
@click.option("--images", type=click.IntRange(1), help="Samples of each test; all of them.")
@click.option("--chips", type=click.IntRange(1), help=f"Chips at `device`; {CHIPS}.")
@click.option("--quick", is_flag=True, help=f"{QUICK_SAMPLES} samples and {QUICK_CHIPS} chips.")
@click.option("--passes", default="default", show_default=True, help="The pipeline.")
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write the results.")
def main(
    networks: tuple[str, ...],
    targets: tuple[str, ...],
    images: int | None,
    chips: int | None,
    quick: bool,
    passes: str,
    json_file: Path | None,
) -> None:
    """Measure trained networks on real data."""
    images = images or (QUICK_SAMPLES if quick else None)
    chips = chips or (QUICK_CHIPS if quick else CHIPS)
    results, reasons, calibrated = list[Result](), list[Cause](), list[str]()
    with progress_bar("accuracy") as progress:
        how = Benchmark(images, chips, passes, progress)
        for name in networks or WORKLOADS:
            progress(f"load {name}")
            work = load(name)
            calibrated.append(f"{work.name}: {work.calibrated_with}.")
            for target in targets:
                found, why = how.results(work, target)
                results, reasons = results + found, reasons + why
    title = f"trained networks on real data; device: mean, least and most of chips 0 to {chips - 1}"
    show(title, (*HEAD, *HEAD_CHIPS), [result.row() for result in results])
    show_lines("calibrated with", calibrated)
    if reasons:
        show(REASONS, HEAD_CAUSES, [item.row() for item in reasons])
        show_lines("how to read it", NOTES)
    write_json(
        json_file,
        {
            "results": [asdict(result) | {"holds": result.holds} for result in results],
            "calibrated_with": calibrated,
            "reasons": [asdict(item) for item in reasons],
        },
    )
    sys.exit(not all(result.holds for result in results))


if __name__ == "__main__":
    main()
