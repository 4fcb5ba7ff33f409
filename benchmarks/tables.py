"""Tables of benchmarks: plain text that survives a log file, and the same rows as JSON."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Sequence
from pathlib import Path

import click


def show(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table; columns whose name begins with `>` are aligned to the right."""
    names = [name.lstrip(">") for name in columns]
    widths = [max(map(len, cells)) for cells in zip(names, *rows, strict=True)]

    def line(cells: Sequence[str]) -> str:
        padded = [
            cell.rjust(width) if name.startswith(">") else cell.ljust(width)
            for cell, width, name in zip(cells, widths, columns, strict=True)
        ]
        return "  ".join(padded).rstrip()

    click.echo(f"\n{title}\n{line(names)}\n{'-' * (sum(widths) + 2 * len(widths) - 2)}")
    for row in rows:
        click.echo(line(row))


def show_lines(title: str, lines: Sequence[str]) -> None:
    """Print sentences below a title."""
    click.echo(f"\n{title}")
    for line in lines:
        click.echo(textwrap.fill(line, 110, initial_indent="- ", subsequent_indent="  "))


def note(text: str) -> None:
    """Say on stderr what has been found, long before the tables are complete."""
    click.echo(text, err=True)


def write_json(path: Path | None, data: object) -> None:
    """Write plain data, where a file is asked for."""
    if path is not None:
        path.write_text(json.dumps(data, indent=2) + "\n")
