"""`mcc report`: cycles, energy, area and use, and what each number comes from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mcc.cli.console import engineering, json_option, make_table, print_json, print_tables

if TYPE_CHECKING:
    from rich.table import Table

COLUMNS = ("", ">", "")


@click.command(short_help="Report cycles, energy, area and use of a compiled file.")
@click.argument("model", type=click.Path(path_type=Path))
@json_option
def command(model: Path, as_json: bool) -> None:
    """Report what one sample costs on the chip that MODEL was compiled for.

    Every number is simulated (counted by the clock or in the instructions), measured, or an
    estimate from a formula.
    """
    from mcc.cli.program import load
    from mcc.ir.artifact import REPORT
    from mcc.ir.container import parsed

    report = load(model).report()
    tables = parsed(REPORT, lambda: report_tables(report), str(model))
    print_json(report) if as_json else print_tables(*tables)


def report_tables(report: Mapping[str, Any]) -> list[Table]:
    """Return the report as tables."""
    time, energy = report["time"], report["energy"]
    bound = time["bound"]
    timing = [
        _row("cycles", time["cycles"]),
        _row("time", time["seconds"]),
        _row("rate", time["samples_per_second"]),
        _row(f"least possible cycles ({bound['part']})", bound),
        _row("cycles over the least possible", time["above_bound"]),
    ]
    parts = sorted(energy["components"].items(), key=lambda it: -it[1]["value"])
    joules = [
        _row("all", energy["total"]),
        _row("without the host", energy["without_host"]),
        *(_row(f"  {name}", item) for name, item in parts if item["value"]),
    ]
    programming = [_row(name.replace("_", " "), it) for name, it in report["programming"].items()]
    area = [
        _row("all", report["area"]["total"]),
        *(_row(f"  {name}", it) for name, it in report["area"]["components"].items()),
    ]
    return [
        make_table(f"{report['target']}: one sample", COLUMNS, timing),
        make_table("energy of one sample", COLUMNS, joules),
        make_table("use of the chip", ("", ">used", ">of"), _occupied(report)),
        make_table("time busy", ("", ">parts", ">mean", ">most", "busiest"), _busy(report)),
        make_table("programming", COLUMNS, programming),
        make_table("area", COLUMNS, area),
        make_table("operators", ("operator", "node", "unit", ">busy cycles", ">energy", ""),
                   map(_operator, report["operators"])),
    ]  # fmt: skip


def _row(name: str, item: Mapping[str, Any]) -> tuple[str, str, str]:
    return name, engineering(item["value"], item["unit"]), item["origin"]


def _occupied(report: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    return [
        (name, f"{item['used']['value']:,}", f"{item['of']:,}")
        for name, item in report["use"]["occupied"].items()
    ]


def _busy(report: Mapping[str, Any]) -> list[tuple[str, str, str, str, str]]:
    return [
        (
            kind,
            f"{item['parts']:,}",
            f"{item['mean']['value']:.1%}",
            f"{item['most']['value']:.1%}",
            str(item["busiest"]),
        )
        for kind, item in report["use"]["busy"].items()
    ]


def _operator(row: Mapping[str, Any]) -> tuple[str, str, str, str, str, str]:
    busy, joules = row.get("busy_cycles"), row["joules"]
    return (
        row["operator"],
        row["node"],
        f"host, call {row['host_graph']}" if "host_graph" in row else row["unit"],
        f"{busy['value']:,}" if busy else "",
        engineering(joules["value"], "J"),
        joules["origin"],
    )
