"""`mcc passes`: the passes there are, with their options."""

from __future__ import annotations

import dataclasses
import inspect
from typing import Any

import click

from mcc.cli.console import json_option, make_table, print_json, print_tables


@click.command(short_help="List the passes and their options.")
@json_option
def command(as_json: bool) -> None:
    """List the passes with their contracts, stages and options, and the default pipeline."""
    from mcc.passes import DEFAULT_PIPELINE, PASSES
    from mcc.passes.arguments import format_value

    rows: list[dict[str, Any]] = []
    for name, find in PASSES.items():
        kind = find()
        rows.append(
            {
                "name": name,
                "about": (inspect.getdoc(kind) or "").partition("\n")[0],
                "contract": str(kind.contract),
                "from": str(kind.from_stage),
                "to": str(kind.to_stage),
                "options": {it.name: format_value(it.default) for it in dataclasses.fields(kind)},
            }
        )
    if as_json:
        print_json({"default": DEFAULT_PIPELINE, "passes": rows})
        return
    lines = [
        (
            row["name"],
            f"{row['about']}\n{row['contract']}, {row['from']} to {row['to']}",
            "\n".join(f"{key}={value}" for key, value in row["options"].items()),
        )
        for row in rows
    ]
    print_tables(make_table(f"default: {DEFAULT_PIPELINE}", ("pass", "about", "options"), lines))
