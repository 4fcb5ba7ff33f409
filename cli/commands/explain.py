"""`mcc explain`: what a diagnostic means, or where each operator of a network went and why."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import click

from mcc.cli.console import json_option, make_table, plain, print_json, print_tables
from mcc.ir.codes import CODES
from mcc.ir.diagnostics import error, nearest

_LABEL = re.compile(r"(?:error|warning|note)\[(.*)\]", re.IGNORECASE)


@click.command(short_help="Explain a diagnostic, or the places of a network's operators.")
@click.argument("subject", metavar="MODEL|CODE", required=False)
@click.argument("node", required=False)
@json_option
def command(subject: str | None, node: str | None, as_json: bool) -> None:
    """Say where every operator of MODEL runs and by which rule, or what the diagnostic CODE means.

    With NODE, those whose name, operator or place in the source holds it (`layer1`, `Conv`).
    Without MODEL or CODE, list all codes.
    """
    if subject is None:
        codes = make_table("", ("code", "meaning"), CODES.items())
        print_json(CODES) if as_json else print_tables(codes)
        return
    code = _code(subject)
    if code in CODES:
        print_json({code: CODES[code]}) if as_json else click.echo(CODES[code])
        return
    if not Path(subject).suffix and not Path(subject).exists():
        raise error("usage", f"there is no file and no code `{subject}`", nearest(code, CODES))
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


def _code(subject: str) -> str:
    """Return the code in what a user copies from a diagnostic: `usage`, `error[usage]`."""
    label = _LABEL.fullmatch(subject.strip())
    return (label[1] if label else subject).lower()


def _short(row: dict[str, Any]) -> tuple[str, str, str, str, str]:
    rule = row["rule"].replace(row["operator"], "It")
    return row["operator"], row["node"], row["location"], row["unit"], rule


def _full(row: dict[str, Any]) -> str:
    lines = [f"{row['node']} ({row['operator']}) runs on: {row['unit']}", f"  rule: {row['rule']}"]
    for key in ("measured", "location"):
        if row[key]:
            lines.append(f"  {key}: {row[key]}")
    return "\n".join(map(plain, lines))
