"""`mcc targets`: the chips that can be compiled for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from mcc.cli.console import json_option, make_table, print_json, print_tables
from mcc.ir.diagnostics import error


@click.group(short_help="List, show and check targets.", invoke_without_command=True)
@json_option
@click.pass_context
def command(context: click.Context, as_json: bool) -> None:
    """List the shipped targets, show the values of one, or check a target file."""
    name = context.invoked_subcommand
    if name is None:
        context.invoke(list_targets, as_json=as_json)
    elif as_json:
        text = f"`--json` belongs to `{name}`"
        raise error("usage", text, f"write `mcc targets {name} --json`")


@command.command("list")
@json_option
def list_targets(as_json: bool) -> None:
    """List the shipped targets."""
    from mcc.backends.crossbar import targets

    chips = [targets.load(name) for name in targets.names()]
    if as_json:
        print_json([{"name": chip.name, "description": chip.description} for chip in chips])
    else:
        rows = [(chip.name, chip.description) for chip in chips]
        print_tables(make_table("", ("name", "description"), rows))


@command.command("show")
@click.argument("name")
@click.option("--resolved", is_flag=True, help="With what `extends` inherits, and all origins.")
@json_option
def show_target(name: str, resolved: bool, as_json: bool) -> None:
    """Show target NAME, a shipped name or a file, as it was written, or resolved."""
    from mcc.backends.crossbar import targets
    from mcc.ir.files import read_file

    chip = targets.load(name)
    if as_json:
        print_json(chip.to_dict() | {"digest": chip.digest()})
    elif resolved:
        print_tables(make_table(chip.description, ("field", ">value", "unit", "kind", "source"),
                                _quantities(chip)))  # fmt: skip
    else:
        path = Path(name) if name not in targets.names() else targets.path(name)
        click.echo(read_file(path).decode(), nl=False)


@command.command("check")
@click.argument("file", type=click.Path(path_type=Path))
@json_option
def check_target(file: Path, as_json: bool) -> None:
    """Check target FILE; every mistake in it is reported with its line."""
    from mcc.backends.crossbar import targets

    chip = targets.load(file)
    counts: dict[str, int] = {}
    for quantity in chip.provenance.values():
        counts[str(quantity.kind)] = counts.get(str(quantity.kind), 0) + 1
    if as_json:
        print_json({"name": chip.name, "digest": chip.digest(), "kinds": counts})
    else:
        kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items()))
        click.echo(f"{chip.name}: right ({kinds})")


def _quantities(chip: Any) -> list[tuple[str, str, str, str, str]]:
    return [
        (path, item.value, item.unit, str(item.kind), item.source)
        for path, item in chip.provenance.items()
    ]
