"""What the commands share on the terminal: results on stdout, diagnostics and progress on stderr."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

import click

from mcc.ir.diagnostics import Diagnostic, Severity

if TYPE_CHECKING:
    from rich.table import Table

_STYLES = {Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.NOTE: "cyan"}

json_option = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")


class Progress(Protocol):
    """Called with the name of each step as it begins."""

    def __call__(self, step: str) -> None:
        """Show `step`."""
        ...


def silent(step: str) -> None:
    """Show no progress."""


def print_json(data: object) -> None:
    """Print plain data on stdout."""
    click.echo(json.dumps(data, indent=2, sort_keys=True))


def print_diagnostics(diagnostics: Iterable[Diagnostic]) -> None:
    """Print diagnostics on stderr, the severity in colour where the terminal has it."""
    for item in diagnostics:
        place = f"{item.location}: " if str(item.location) else ""
        label = click.style(f"{item.severity}[{item.code}]", fg=_STYLES[item.severity], bold=True)
        click.echo(f"{place}{label}: {item.message}", err=True)
        if item.help:
            click.echo(f"  help: {item.help}", err=True)


def print_tables(*tables: Table) -> None:
    """Print tables on stdout, as wide as the terminal, or 100 columns where there is none."""
    from rich.console import Console

    console = Console()
    if not console.is_terminal:
        console = Console(width=100)
    for table in tables:
        console.print(table)


@contextmanager
def progress_bar(label: str) -> Iterator[Progress]:
    """Show the running step and the time it has taken, on stderr where that is a terminal."""
    from rich.console import Console
    from rich.progress import Progress as Bar
    from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(label)

        def show(step: str) -> None:
            bar.update(task, description=f"{label}: {step}")

        yield show
