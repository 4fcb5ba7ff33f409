"""What the resistance of wires costs a trained network at `wire`.

Run `python -m benchmarks.resistances [--target NAME]...`. All lines of a target get the same ohms
from cell to cell; drivers, converters and switches stay as they are. The converters are not
calibrated anew. Prints figures and judges nothing.
"""

from __future__ import annotations

import time

import click

import mcc
from benchmarks.resnet18 import TARGETS
from benchmarks.tables import note, show
from benchmarks.workloads import Array, Workload, load
from mcc.backends.crossbar import targets as shipped

NETWORK, CHIP = "resnet20", 0
OHMS = (0.0, 0.01, 0.03, 0.1, 0.3, 1.0)
LINES = ("wires.word_ohm", "wires.bit_ohm", "wires.source_ohm")


def row(work: Workload, name: str) -> tuple[str, ...]:
    """Return the scores of a network on one target."""
    target, test = shipped.load(name), work.tests[0]
    own = target.wires.bit_ohm
    scores = [_score(work, target, "device", test.inputs, test.answers)]
    for ohms in (*OHMS, own):
        start = time.perf_counter()
        chip = target.with_values(dict.fromkeys(LINES, ohms))
        scores.append(_score(work, chip, "wire", test.inputs, test.answers))
        note(f"{name}, {ohms:g} ohm: {scores[-1]:.2f} ({time.perf_counter() - start:.0f} s)")
    return (name, *(f"{score:.2f}" for score in scores), f"{own:g} ohm")


def _score(
    work: Workload, target: mcc.Target, fidelity: str, inputs: Array, answers: Array
) -> float:
    data = work.calibration
    program = mcc.compile(work.source, (data[:1],), target=target, calibration=data)
    return work.score(mcc.Machine(program, fidelity, CHIP)(inputs), answers)


@click.command()
@click.option("--target", "targets", multiple=True, default=TARGETS, help="As often as needed.")
def main(targets: tuple[str, ...]) -> None:
    """Measure a trained network on one chip of each target."""
    work = load(NETWORK)
    test = work.tests[0]
    title = f"{work.name}, {len(test.inputs)} {test.name}, chip {CHIP}, % right; ohm a segment"
    head = ("target", ">`device`", *(f">{ohms:g}" for ohms in OHMS), ">own", "which is")
    show(title, head, [row(work, name) for name in targets])


if __name__ == "__main__":
    main()
