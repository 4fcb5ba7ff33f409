"""`mcc disassemble`: the instructions of a compiled file as text."""

from __future__ import annotations

from pathlib import Path

import click

from mcc.cli.console import json_option, print_json


@click.command(short_help="Print the instructions of a compiled file.")
@click.argument("model", type=click.Path(path_type=Path))
@json_option
def command(model: Path, as_json: bool) -> None:
    """Print the program of MODEL in the assembly language of the machine manual."""
    from mcc.cli.program import load

    text = load(model).disassemble()
    print_json({"assembly": text}) if as_json else click.echo(text, nl=not text.endswith("\n"))
