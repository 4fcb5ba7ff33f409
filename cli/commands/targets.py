"""`mcc targets`: the chips that can be compiled for, and the device cards for their cells."""

from __future__ import annotations

from typing import Any

import click

from mcc.cli.console import (
    json_option,
    make_table,
    print_diagnostics,
    print_json,
    print_tables,
)
from mcc.ir.diagnostics import error


@click.group(short_help="List, show and check targets.", invoke_without_command=True)
@json_option
@click.pass_context
def command(context: click.Context, as_json: bool) -> None:
    """List the shipped targets, show the values of one, or check one."""
    name = context.invoked_subcommand
    if name is None:
        context.invoke(list_targets, as_json=as_json)
    elif as_json:
        text = f"`--json` belongs to `{name}`"
        raise error("usage", text, f"write `mcc targets {name} --json`")


@command.command("list")
@json_option
def list_targets(as_json: bool) -> None:
    """List the shipped targets and device cards."""
    from mcc.backends.crossbar import targets

    chips = [(name, targets.load(name).description) for name in targets.names()]
    cards = [(name, targets.load_device(name).description) for name in targets.cards()]
    if as_json:
        print_json(
            [
                {"name": name, "kind": kind, "description": text}
                for kind, items in (("chip", chips), ("device", cards))
                for name, text in items
            ]
        )
    else:
        columns = ("name", "description")
        print_tables(make_table("", columns, chips), make_table("device cards", columns, cards))


@command.command("show")
@click.argument("name")
@click.option("--resolved", is_flag=True, help="With what `extends` inherits, and all origins.")
@json_option
def show_target(name: str, resolved: bool, as_json: bool) -> None:
    """Show target NAME, a shipped name, a device card or a file, as it was written, or resolved."""
    from mcc.backends.crossbar import targets
    from mcc.ir.files import read_file
    from mcc.ir.hardware import Card

    chip = targets.load_any(name)
    if as_json:
        print_json(chip.to_dict() | ({} if isinstance(chip, Card) else {"digest": chip.digest()}))
    elif resolved:
        print_tables(make_table(chip.description, ("field", ">value", "unit", "kind", "source"),
                                _quantities(chip)))  # fmt: skip
    else:
        click.echo(read_file(targets.file_of(name)).decode(), nl=False)


@command.command("check")
@click.argument("name")
@json_option
def check_target(name: str, as_json: bool) -> None:
    """Check target NAME: a file, a shipped name or a device card; mistakes have their lines."""
    from mcc.backends.crossbar import targets
    from mcc.ir.hardware import Card
    from mcc.ir.hardware.validity import conductance_warnings

    checked = targets.load_any(name)
    if not isinstance(checked, Card):
        print_diagnostics(conductance_warnings(checked.cell))
    counts: dict[str, int] = {}
    for quantity in checked.provenance.values():
        counts[str(quantity.kind)] = counts.get(str(quantity.kind), 0) + 1
    if as_json:
        digest = {} if isinstance(checked, Card) else {"digest": checked.digest()}
        print_json({"name": checked.name, **digest, "kinds": counts})
    else:
        kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items()))
        click.echo(f"{checked.name}: right ({kinds})")


def _quantities(chip: Any) -> list[tuple[str, str, str, str, str]]:
    return [
        (path, item.value, item.unit, str(item.kind), item.source)
        for path, item in chip.provenance.items()
    ]
