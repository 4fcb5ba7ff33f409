"""`mcc run`: a compiled file and its inputs to outputs, cycles and energy."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mcc.cli.console import (
    engineering,
    json_option,
    make_table,
    print_diagnostics,
    print_json,
    print_tables,
    progress_bar,
)
from mcc.ir.diagnostics import error

if TYPE_CHECKING:
    from mcc.ir.tensors import Array
    from mcc.runtime.machine import Run

FIDELITIES = ("exact", "converter", "device", "wire")
_WITH_CHIPS = ("device", "wire")


@click.command(short_help="Run a compiled file.")
@click.argument("model", type=click.Path(path_type=Path))
@click.option(
    "--input", "inputs", type=click.Path(path_type=Path), required=True, help="An .npz of inputs."
)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="The .npz to write.")
@click.option(
    "--fidelity",
    type=click.Choice(FIDELITIES),
    default="exact",
    show_default=True,
    help="How much of the physics to include.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**64 - 1),
    help="Which chip, at device and wire.  [default: 0]",
)
@click.option(
    "--threads", type=click.IntRange(1), default=2, show_default=True, help="To compute with."
)
@click.option(
    "--age",
    type=float,
    default=0.0,
    metavar="SECONDS",
    help="Seconds since programming, at device and wire.  [default: right after]",
)
@click.option(
    "--kelvin",
    type=float,
    help="Temperature, at device and wire.  [default: the device's reference]",
)
@click.option("--trace", type=click.Path(path_type=Path), help="Write a Chrome trace.")
@json_option
def command(
    model: Path,
    inputs: Path,
    output: Path | None,
    fidelity: str,
    seed: int | None,
    threads: int,
    age: float,
    kelvin: float | None,
    trace: Path | None,
    as_json: bool,
) -> None:
    """Run MODEL, a compiled file, on the inputs of an .npz file.

    Axis 0 of every array counts samples, except for a network without an axis of samples: it
    takes its inputs as they are. Cycles and energy are those of all samples.
    """
    from mcc.cli.arguments import check_output
    from mcc.cli.arrays import read_arrays, write_arrays
    from mcc.cli.calibration import feeds_of
    from mcc.cli.machine import Machine
    from mcc.cli.program import load
    from mcc.ir.files import write_file
    from mcc.runtime.trace import trace_text

    _check_seed(fidelity, seed)
    _check_conditions(fidelity, age, kelvin)
    if output is not None:
        check_output(output, model, inputs)
    if trace is not None:
        check_output(trace, model, inputs, output)
    program = load(model)
    signature = program.artifact.signature
    arrays = read_arrays(inputs, lambda form: signature.takes(form.shape, form.dtype))
    feeds = feeds_of(signature, arrays)
    with progress_bar("run") as progress:
        progress("programming")
        machine = Machine(program, fidelity, seed, threads, seconds=age, kelvin=kelvin)
        outputs, run = machine.run_feeds(
            feeds, trace=trace is not None, progress=lambda done: progress(fidelity, done)
        )
    print_diagnostics(machine.findings)
    if output is not None:
        write_arrays(output, outputs)
    if trace is not None and run.trace is not None:
        lines = trace_text(program.artifact.program, run.trace)
        write_file(trace, (line.encode() for line in lines))
    if as_json:
        print_json(_plain(fidelity, seed, outputs, run))
    else:
        print_tables(*_tables(fidelity, outputs, run))


def _check_seed(fidelity: str, seed: int | None) -> None:
    """Refuse a chip instance where all chips are the same."""
    if seed is not None and fidelity not in _WITH_CHIPS:
        text = f"at fidelity {fidelity} all chips are the same: --seed {seed} has no effect"
        raise error("usage", text, "add `--fidelity device` or `wire`, or leave out --seed")


def _check_conditions(fidelity: str, age: float, kelvin: float | None) -> None:
    """Refuse conditions where cells are ideal."""
    if (age or kelvin is not None) and fidelity not in _WITH_CHIPS:
        text = f"at fidelity {fidelity} cells are ideal: --age and --kelvin have no effect"
        raise error("usage", text, "add `--fidelity device` or `wire`, or leave them out")


def _plain(fidelity: str, seed: int | None, outputs: dict[str, Array], run: Run) -> dict[str, Any]:
    return {
        "fidelity": fidelity,
        "seed": seed or 0 if fidelity in _WITH_CHIPS else None,
        "samples": run.samples,
        "cycles": run.cycles,
        "seconds": run.seconds,
        "joules": run.joules,
        "joules_by_component": run.joules_by_component,
        "outputs": {
            name: {"shape": list(array.shape), "dtype": array.dtype.name}
            for name, array in outputs.items()
        },
    }


def _tables(fidelity: str, outputs: dict[str, Array], run: Run) -> list[Any]:
    costs = [
        ("samples", f"{run.samples:,}"),
        ("cycles", f"{run.cycles:,}"),
        ("time on the chip", engineering(run.seconds, "s")),
        ("energy", engineering(run.joules, "J")),
        *(
            (f"  {name}", engineering(value, "J"))
            for name, value in run.joules_by_component.items()
            if value
        ),
    ]
    arrays = [
        (name, array.dtype.name, "x".join(map(str, array.shape)), *_range(array))
        for name, array in outputs.items()
    ]
    return [
        make_table("outputs", ("name", "type", "shape", ">least", ">most"), arrays),
        make_table(f"simulated at fidelity {fidelity}", ("", ">"), costs),
    ]


def _range(array: Array) -> tuple[str, str]:
    if not array.size:
        return "", ""
    return f"{array.min():.4g}", f"{array.max():.4g}"
