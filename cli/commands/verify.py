"""`mcc verify`: proves again everything that a compiled file claims."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path

import click

from mcc.cli.console import json_option, print_json, progress_bar
from mcc.ir.diagnostics import EXIT_USER


@click.command(short_help="Prove again everything that a compiled file claims.")
@click.argument("model", type=click.Path(path_type=Path))
@json_option
def command(model: Path, as_json: bool) -> None:
    """Prove MODEL, a compiled file, again from what is in it.

    Its hashes; the certificate of each pass; that cells, instructions and host graphs are those
    that its network gives; and that the program computes what the network does, bit for bit.
    """
    from mcc.cli.program import load
    from mcc.cli.proof import Check, verify

    checks: list[Check] = []
    with progress_bar("verify") as progress:
        progress("hashes")
        artifact = load(model).artifact
        checks.append(Check("members", True, "sizes and hashes are those of the manifest"))
        for check in verify(artifact):
            progress(check.name)
            checks.append(check)
    passed = all(check.passed for check in checks)
    if as_json:
        print_json({"passed": passed, "checks": [asdict(check) for check in checks]})
    else:
        for check in checks:
            mark = click.style("proved", fg="green") if check.passed else _failed()
            click.echo(f"{mark}  {check.name}: {check.detail}")
    if not passed:
        sys.exit(EXIT_USER)


def _failed() -> str:
    return click.style("FAILED", fg="red", bold=True)
