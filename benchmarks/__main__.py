"""Runs the benchmarks one after another, each in its own process: `python -m benchmarks [NAME...]`.

Ends with 1 where one of them misses what it must hold.
"""

from __future__ import annotations

import subprocess
import sys

import click

NAMES = ("kernels", "networks", "resnet18", "accuracy", "cycles", "wires")


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(NAMES), metavar="[NAME]...")
def main(names: tuple[str, ...]) -> None:
    """Run the named benchmarks, or kernels, networks, resnet18, accuracy, cycles and wires."""
    failed: list[str] = []
    for name in names or NAMES:
        click.echo(f"\n=== {name}: python -m benchmarks.{name} ===")
        if subprocess.call([sys.executable, "-m", f"benchmarks.{name}"]):
            failed.append(name)
    click.echo(f"\nmissed: {', '.join(failed)}" if failed else "\nall hold")
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
