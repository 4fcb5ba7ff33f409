"""The terminal: results on stdout, diagnostics and progress on stderr."""

from __future__ import annotations

import json
import math
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

import click

from mcc.ir.diagnostics import Diagnostic, Severity

if TYPE_CHECKING:
    from rich.table import Table

_STYLES = {Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.NOTE: "cyan"}

json_option = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")


class Progress(Protocol):
    """Called with the name of each step as it begins, and the part of it that is done if known."""

    def __call__(self, step: str, done: float | None = None) -> None:
        """Show `step`, of which the fraction `done` is done."""
        ...


def silent(step: str, done: float | None = None) -> None:
    """Show no progress."""


def print_json(data: object) -> None:
    """Print plain data on stdout."""
    click.echo(json.dumps(data, indent=2, sort_keys=True))


def print_diagnostics(diagnostics: Iterable[Diagnostic]) -> None:
    """Print diagnostics on stderr, the severity in colour where the terminal has it."""
    for item in diagnostics:
        place = f"{plain(str(item.location))}: " if str(item.location) else ""
        label = click.style(f"{item.severity}[{item.code}]", fg=_STYLES[item.severity], bold=True)
        click.echo(f"{place}{label}: {plain(item.message)}", err=True)
        if item.help:
            click.echo(f"  help: {plain(item.help)}", err=True)


def plain(text: str) -> str:
    """Write what no terminal should obey or break a line at, as Python writes it in strings."""
    return "".join(it if it.isprintable() else ascii(it)[1:-1] for it in text)


def print_tables(*tables: Table) -> None:
    """Print tables on stdout, as wide as the terminal, or 100 columns where there is none."""
    from rich.console import Console

    console = Console()
    if not console.is_terminal:
        console = Console(width=100)
    for table in tables:
        console.print(table)


@contextmanager
def progress_bar(label: str) -> Generator[Progress]:
    """Show the running step and the time it has taken, on stderr where that is a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    console = Console(stderr=True)
    with Bar(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(label, total=None)

        def show(step: str, done: float | None = None) -> None:
            bar.update(task, description=f"{label}: {step}", total=done and 1.0, completed=done)

        yield show


def make_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Table:
    """Return a table; columns whose name begins with `>` are aligned to the right."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD)
    for name in columns:
        table.add_column(name.lstrip(">"), justify="right" if name.startswith(">") else "left")
    for row in rows:
        table.add_row(*(Text("\n".join(map(plain, str(item).split("\n")))) for item in row))
    return table


def engineering(value: float | None, unit: str) -> str:
    """Write a number with three digits and a prefix of its unit, such as `12.3 uJ`."""
    if value is None:
        return "no limit"
    if unit in ("1", "cycle"):
        return f"{value:,}" if isinstance(value, int) else f"{value:,.4g}"
    if unit.startswith("1/"):
        return f"{_digits(value)} {unit.removeprefix('1')}"
    if value == 0:
        return f"0 {unit}"
    exponent = max(-5, min(4, math.floor(math.log10(abs(value)) / 3)))
    prefix = {-5: "f", -4: "p", -3: "n", -2: "u", -1: "m", 0: "", 1: "k", 2: "M", 3: "G", 4: "T"}
    power = 2 if unit.endswith("2") else 1
    if power == 2:
        exponent = max(-2, min(0, math.floor(math.log10(abs(value)) / 6)))
    return f"{value / 1000 ** (exponent * power):.3g} {prefix[exponent]}{unit}"


def _digits(value: float) -> str:
    """Write a number with four digits that count, and no exponent where it is large."""
    return f"{float(f'{value:.4g}'):,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
