"""`mcc ops`: which operators run where, and under which conditions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from mcc.cli.console import engineering, json_option, make_table, print_json, print_tables

if TYPE_CHECKING:
    from rich.table import Table

    from mcc.ir.hardware import Host


@click.command(short_help="List the operators that a target runs.")
@click.option("--target", default="rram40nm", show_default=True, help="A shipped name or a file.")
@json_option
def command(target: str, as_json: bool) -> None:
    """List the operators that run on the chip: how fast at best, and under which conditions.

    Any other operator, and one that breaks a condition, runs on the host in ONNX Runtime.
    """
    from mcc.backends.crossbar import targets
    from mcc.backends.crossbar.capabilities import capability
    from mcc.passes.place_rules import operator_rows

    chip = targets.load(target)
    rows: list[dict[str, Any]] = [
        {
            "operator": f"{row.domain}.{row.op_type}".lstrip("."),
            "unit": str(row.unit),
            "conditions": list(row.conditions),
            "on_chip": capability(row.domain, row.op_type, row.unit, chip),
        }
        for row in operator_rows()
    ]
    if as_json:
        plain = [row | {"on_chip": row["on_chip"] and asdict(row["on_chip"])} for row in rows]
        host = asdict(chip.host) | {"origin": "estimate"}
        print_json({"target": chip.name, "operators": plain, "host": host})
        return
    units = {row["unit"]: None for row in rows}
    tables = [_table(unit, [row for row in rows if row["unit"] == unit]) for unit in units]
    print_tables(*tables, _host_table(chip.host))


def _table(unit: str, rows: Sequence[dict[str, Any]]) -> Table:
    """Return the operators of one unit; what all of them must fulfil stands above them."""
    common = [item for item in rows[0]["conditions"] if all(item in r["conditions"] for r in rows)]
    lines = [
        (
            row["operator"],
            row["on_chip"] or "no time",
            "\n".join(item for item in row["conditions"] if item not in common),
        )
        for row in rows
    ]
    able = "one macro" if unit == "crossbar" else "one core at best"
    return make_table("\n".join([unit, *common]), ("operator", able, "also"), lines)


def _host_table(host: Host) -> Table:
    rows = [
        ("arithmetic", engineering(host.operations_per_second, "op/s")),
        ("transfers", engineering(host.bytes_per_second, "byte/s")),
        ("a call", engineering(host.call_seconds, "s")),
    ]
    return make_table("host (estimates)", ("", ">"), rows)
