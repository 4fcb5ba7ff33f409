"""`mcc compile`: a network in, one compiled file out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from mcc.cli.arguments import check_output, pairs, refuse_replacing, shapes
from mcc.cli.console import (
    engineering,
    json_option,
    make_table,
    print_diagnostics,
    print_json,
    print_tables,
    progress_bar,
)
from mcc.ir.diagnostics import error, nearest
from mcc.ir.files import make_folder, write_file

if TYPE_CHECKING:
    from mcc.cli.program import Program
    from mcc.ir.tensors import Array
    from mcc.passes import Hook, Step

INFIX = "-after-"


@click.command(short_help="Compile a network for a target.")
@click.argument("model", type=click.Path(path_type=Path))
@click.option("--target", default="rram40nm", show_default=True, help="A shipped name or a file.")
@click.option("--device", help="A device card for its cells: a shipped name or a file.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="The file to write.  [default: MODEL's name with .mcc, in the working folder]",
)
@click.option(
    "--input",
    "inputs",
    multiple=True,
    metavar="NAME=1x3x32x32[:DTYPE]",
    help="Shape of an input for which there is no data, as often as needed.",
)
@click.option(
    "--calibration", type=click.Path(path_type=Path), help="An .npz of inputs to calibrate with."
)
@click.option("--passes", default="default", show_default=True, help="The pipeline.")
@click.option(
    "--strict",
    is_flag=True,
    help="Refuse a network whose weights do not all fit on the chip; the host may still run parts.",
)
@click.option(
    "--set", "overrides", multiple=True, metavar="PATH=VALUE", help="Change a value of the target."
)
@click.option("--dump-dir", type=click.Path(path_type=Path), help="Write the network of each pass.")
@click.option("--print-after", multiple=True, metavar="PASS", help="Print the network as text.")
@click.option("--time-passes", is_flag=True, help="Print the time that each pass took.")
@click.option("--module", metavar="PKG.MOD:FACTORY", help="What builds the module of a state dict.")
@click.option("--trust-pickle", is_flag=True, help="Load a pickle, which can run any code.")
@json_option
def command(model: Path, as_json: bool, **options: Any) -> None:
    """Compile MODEL (.pt, .pth, .pt2 or .onnx) for a target.

    Shapes that the file does not tell come from --input, else from the calibration data. An array
    file names its arrays like the inputs; arrays without names (arr_0, ...) are taken in order.
    """
    from mcc.cli.driver import compile
    from mcc.frontend.files import check_kind
    from mcc.passes import parse_passes

    check_kind(model)
    output = options["output"] or Path(model.with_suffix(".mcc").name)
    check_output(output, model, options["calibration"])
    pipeline = parse_passes(options["passes"])
    names = [item.name for item in pipeline]
    _check_names(options["print_after"], names)
    dumps = _dumps(options["dump_dir"], names)
    _check_outputs(output, dumps, _sources(model, options))
    given = shapes(options["inputs"])
    arrays = _arrays(options["calibration"])
    steps: list[Step] = []
    with progress_bar("compile") as progress:
        program = compile(
            model,
            **({} if given else _examples(model, arrays)),
            target=options["target"],
            device=options["device"],
            overrides=pairs("--set", options["overrides"], "--set macro.adc.bits=6"),
            calibration=arrays,
            passes=pipeline,
            strict=options["strict"],
            input_shapes=given,
            module_factory=options["module"],
            trust_pickle=options["trust_pickle"],
            hook=_hook(steps, options["print_after"], dumps),
            progress=progress,
        )
        progress("writing")
        program.save(output)
    print_diagnostics(program.findings)
    if options["time_passes"]:
        _print_times(steps)
    summary = _summary(program, output)
    print_json(summary) if as_json else print_tables(_table(summary))


def _sources(model: Path, options: Mapping[str, Any]) -> list[Path | None]:
    """Return every file that the command reads."""
    from mcc.backends.crossbar import targets
    from mcc.frontend.files import files_of

    return [
        *sorted(files_of(model)),
        *targets.files(options["target"], options["device"]),
        options["calibration"],
    ]


def _dumps(folder: Path | None, names: Sequence[str]) -> list[Path]:
    """Return the files of the networks after these passes."""
    if folder is None:
        return []
    return [folder / f"{index:02}{INFIX}{name}.onnx" for index, name in enumerate(names)]


def _check_outputs(output: Path, dumps: Sequence[Path], sources: Sequence[Path | None]) -> None:
    """Refuse to write over what the command reads, or one result over another."""
    check_output(output, *sources)
    for dump in dumps:
        refuse_replacing(dump, (*sources, output), "name another folder: `--dump-dir FOLDER`")


def _check_names(names: Sequence[str], known: Sequence[str]) -> None:
    for name in names:
        if name not in known:
            text = f"--print-after: the pipeline has no pass `{name}`"
            raise error("unknown-pass", text, nearest(name, known))


def _arrays(path: Path | None) -> dict[str, Array] | None:
    """Read the calibration data, at least one sample."""
    if path is None:
        return None
    from mcc.cli.arrays import read_arrays
    from mcc.cli.calibration import refuse_empty

    arrays = read_arrays(path)
    refuse_empty(arrays)
    return arrays


def _examples(model: Path, arrays: Mapping[str, Array] | None) -> dict[str, Any]:
    """Choose from the calibration data what the network is captured with.

    An ONNX file declares its shapes, a module takes one sample, and an exported program brings
    its own.
    """
    from mcc.cli.arrays import in_order
    from mcc.frontend.files import brings_examples

    if arrays is None or brings_examples(model):
        return {}
    if model.suffix != ".onnx":
        arrays = {name: array[:1] if array.ndim else array for name, array in arrays.items()}
    given = in_order(arrays)
    return {"example_inputs" if isinstance(given, tuple) else "kwargs": given}


def _hook(steps: list[Step], print_after: Sequence[str], dumps: Sequence[Path]) -> Hook:
    """Return what is called after each pass: it notes, prints and dumps as the user asked."""
    from mcc.ir.network import to_bytes, to_text

    def hook(step: Step) -> None:
        steps.append(step)
        if step.item.name in print_after:
            click.echo(f"# after {step.item.name}\n{to_text(step.network)}", err=True)
        if dumps:
            make_folder(dumps[0].parent)
            write_file(dumps[step.index], (to_bytes(step.network),))

    return hook


def _print_times(steps: Sequence[Step]) -> None:
    click.echo("pass          rewrite [s]  proof [s]", err=True)
    for step in steps:
        name = step.item.name
        click.echo(f"{name:<12} {step.seconds:>12.2f} {step.proof_seconds:>10.2f}", err=True)


def _summary(program: Program, output: Path) -> dict[str, Any]:
    report = program.report()
    units: dict[str, int] = {}
    for row in report["operators"]:
        units[row["unit"]] = units.get(row["unit"], 0) + 1
    return {
        "file": str(output),
        "bytes": output.stat().st_size,
        "target": report["target"],
        "cycles": report["time"]["cycles"],
        "seconds": report["time"]["seconds"],
        "joules": report["energy"]["total"],
        "operators": units,
        "occupied": report["use"]["occupied"],
        "certificates": [item.to_dict() for item in program.certificates],
        "findings": [str(item) for item in program.findings],
    }


def _table(summary: dict[str, Any]) -> Any:
    def number(value: float | None) -> str:
        return "no finite number" if value is None else f"{value:.3g}"

    def shown(name: str) -> str:
        item = cast("dict[str, Any]", summary[name])
        return f"{engineering(item['value'], item['unit'])} ({item['origin']})"

    where = ", ".join(f"{count} {unit}" for unit, count in sorted(summary["operators"].items()))
    proofs = [
        f"{item['subject']}: {item['contract']}, measured {number(item['measured'])}"
        for item in summary["certificates"]
    ]
    rows = [
        ("file", f"{summary['file']} ({summary['bytes']:,} bytes)"),
        ("operators", where),
        ("cycles of one sample", shown("cycles")),
        ("time of one sample", shown("seconds")),
        ("energy of one sample", shown("joules")),
        *(("proved" if index == 0 else "", text) for index, text in enumerate(proofs)),
    ]
    return make_table(f"compiled for {summary['target']}", ("", ""), rows)
