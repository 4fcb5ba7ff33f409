"""`make demo`: a network for handwritten digits, trained, compiled and run on several chips."""

from __future__ import annotations

import textwrap
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch

from mcc.cli.console import engineering, make_table, print_diagnostics, print_tables, progress_bar
from mcc.cli.driver import compile
from mcc.cli.machine import Machine
from mcc.cli.program import Program
from mcc.ir.tensors import Array
from mcc.models.digits import Digits, DigitsNet, accuracy, load_digits, train

EPOCHS = 30
BAR = 30
"""Length of the longest bar in characters."""


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--target", default="rram40nm", show_default=True, help="The chip.")
@click.option("--chips", type=click.IntRange(2), default=5, show_default=True, help="How many.")
@click.option("-o", "--output", type=click.Path(path_type=Path), default=Path("digits.mcc"))
def demo(target: str, chips: int, output: Path) -> None:
    """Train, compile, prove and run a residual network for handwritten digits."""
    torch.set_num_threads(1)  # faster than more for layers this small
    digits = load_digits()
    with progress_bar("demo") as progress:
        start = time.perf_counter()
        module = train(
            digits, epochs=EPOCHS, progress=lambda epoch: progress("training", epoch / EPOCHS)
        )
        trained = time.perf_counter() - start
        program = compile(
            module,
            (digits.calibration_images[:1],),
            target=target,
            calibration=digits.calibration_images,
            progress=progress,
        )
        compiled = time.perf_counter() - start - trained
        program.save(output)
        progress("proving again")
        proofs = [proof for proof in program.verify() if not proof.recorded]
        float_accuracy = accuracy(_eager(module, digits.test_images), digits.test_labels)
        scores = [("float", "PyTorch, before compilation", f"{float_accuracy:.1%}")]
        scores += _scores(program, digits, chips, progress)
    print_diagnostics(program.findings)
    _print_about(digits, trained, compiled)
    report = program.report()
    count = len(digits.test_labels)
    print_tables(
        make_table(f"accuracy on {count} held-out digits", ("computed", "with", ">right"), scores),
        make_table(f"one digit on {report['target']}", ("", ">", ""), _time(report)),
        make_table("its energy", ("part", ">", ""), _energy(report)),
        make_table("where each operator went", ("unit", "operators", "because"), _places(report)),
    )
    passed = sum(proof.passed for proof in proofs)
    click.echo(f"{output}: {passed} of {len(proofs)} proofs hold when they are made again.")
    click.echo(f"Go on: mcc verify {output}; mcc report {output}; mcc explain {output}")


def _eager(module: DigitsNet, images: Array) -> Array:
    with torch.no_grad():
        return module(torch.tensor(images)).numpy()


def _scores(
    program: Program, digits: Digits, chips: int, progress: Any
) -> list[tuple[str, str, str]]:
    """Run the held-out digits at each fidelity, and on several chips at `device`."""

    def score(fidelity: str, seed: int | None = None) -> float:
        progress(f"{fidelity}, chip {seed}" if fidelity == "device" else fidelity)
        machine = Machine(program, fidelity, seed)
        return accuracy(machine(digits.test_images), digits.test_labels)

    right = np.array([score("device", seed) for seed in range(chips)])
    spread = f"{right.mean():.1%} +- {right.std(ddof=1):.1%}"
    return [
        ("exact", "the integers of the quantized network", f"{score('exact'):.1%}"),
        ("converter", "ideal cells, real converters", f"{score('converter'):.1%}"),
        ("device", f"{chips} chips with imperfect cells, mean and spread", spread),
        ("", "the worst and the best of them", f"{right.min():.1%} to {right.max():.1%}"),
    ]


def _print_about(digits: Digits, trained: float, compiled: float) -> None:
    parts = [digits.train_labels, digits.calibration_images, digits.test_labels]
    counts = [len(part) for part in parts]
    text = (
        "A residual network for the 8 x 8 handwritten digits that scikit-learn ships: "
        f"{counts[0]} to train with ({trained:.0f} s), {counts[1]} to calibrate with "
        f"(compiled in {compiled:.0f} s), {counts[2]} to test with."
    )
    click.echo(textwrap.fill(text, 88) + "\n")


def _time(report: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    time, energy, use = report["time"], report["energy"], report["use"]["occupied"]
    rows = [
        ("cycles", time["cycles"]),
        ("time", time["seconds"]),
        ("energy", energy["total"]),
    ]
    shown = [(name, engineering(it["value"], it["unit"]), it["origin"]) for name, it in rows]
    for name, item in use.items():
        shown.append((f"{name} in use", f"{item['used']['value']:,} of {item['of']:,}", ""))
    return shown


def _energy(report: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    parts = {name: item["value"] for name, item in report["energy"]["components"].items()}
    most = max(parts.values())
    return [
        (name, engineering(value, "J"), "█" * max(1, round(BAR * value / most)))
        for name, value in sorted(parts.items(), key=lambda item: -item[1])
        if value
    ]


def _places(report: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Return the operators by unit and rule, as many as there are of each."""
    groups: dict[tuple[str, str], Counter[str]] = {}
    for row in report["operators"]:
        rule = row["rule"].replace(row["operator"], "It")
        groups.setdefault((row["unit"], rule), Counter())[row["operator"]] += 1
    return [(unit, _counts(found), rule) for (unit, rule), found in sorted(groups.items())]


def _counts(found: Mapping[str, int]) -> str:
    names: Sequence[str] = [f"{count} {name}" for name, count in sorted(found.items())]
    return ", ".join(names)


if __name__ == "__main__":
    demo()
