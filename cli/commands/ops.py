"""`mcc ops`: which operators run where, and under which conditions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from mcc.cli.console import json_option, make_table, print_json, print_tables


@click.command(short_help="List the operators that a target runs.")
@click.option("--target", default="rram40nm", show_default=True, help="A shipped name or a file.")
@json_option
def command(target: str, as_json: bool) -> None:
    """List the operators that run on the chip, and what each must fulfil.

    Any other operator, and one that breaks a condition, runs on the host in ONNX Runtime.
    """
    from mcc.backends.crossbar import targets
    from mcc.passes.place_rules import operator_rows

    chip = targets.load(target)
    rows: list[dict[str, Any]] = [
        {
            "operator": f"{row.domain}.{row.op_type}".lstrip("."),
            "unit": str(row.unit),
            "conditions": list(row.conditions),
        }
        for row in operator_rows()
    ]
    if as_json:
        print_json({"target": chip.name, "operators": rows})
        return
    units = {row["unit"]: None for row in rows}
    print_tables(*(_table(unit, [row for row in rows if row["unit"] == unit]) for unit in units))


def _table(unit: str, rows: Sequence[dict[str, Any]]) -> Any:
    """Return the operators of one unit; what all of them must fulfil stands above them."""
    common = [item for item in rows[0]["conditions"] if all(item in r["conditions"] for r in rows)]
    lines = [
        (row["operator"], "\n".join(item for item in row["conditions"] if item not in common))
        for row in rows
    ]
    return make_table("\n".join([unit, *common]), ("operator", "also"), lines)
