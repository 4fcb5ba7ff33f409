"""`mcc explain`: what a diagnostic means, or where each operator of a network went and why."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from mcc.cli.console import json_option, make_table, print_json, print_tables
from mcc.ir.codes import CODES
from mcc.ir.diagnostics import error, nearest


@click.command(short_help="Explain a diagnostic, or the places of a network's operators.")
@click.argument("subject", metavar="MODEL|CODE")
@click.argument("node", required=False)
@json_option
def command(subject: str, node: str | None, as_json: bool) -> None:
    """Say where every operator of MODEL runs and by which rule, or what the diagnostic CODE means.

    With NODE, those whose name, operator or place in the source holds it (`layer1`, `Conv`).
    """
    if subject in CODES:
        print_json({subject: CODES[subject]}) if as_json else click.echo(CODES[subject])
        return
    if not Path(subject).suffix and not Path(subject).exists():
        raise error("usage", f"there is no file and no code `{subject}`", nearest(subject, CODES))
    from mcc.cli.program import load

    rows = load(Path(subject)).explain(node)
    if as_json:
        print_json(rows)
    elif node is not None:
        for row in rows:
            click.echo(_full(row))
    else:
        print_tables(
            make_table("", ("operator", "node", "source", "unit", "rule"), map(_short, rows))
        )


def _short(row: dict[str, Any]) -> tuple[str, str, str, str, str]:
    rule = row["rule"].replace(row["operator"], "It")
    return row["operator"], row["node"], row["location"], row["unit"], rule


def _full(row: dict[str, Any]) -> str:
    lines = [f"{row['node']} ({row['operator']}) runs on: {row['unit']}", f"  rule: {row['rule']}"]
    for key in ("measured", "location"):
        if row[key]:
            lines.append(f"  {key}: {row[key]}")
    return "\n".join(lines)
