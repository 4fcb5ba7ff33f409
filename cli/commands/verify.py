"""`mcc verify`: proves again everything that a compiled file claims."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mcc.cli.console import json_option, print_json, progress_bar
from mcc.ir.diagnostics import EXIT_USER

if TYPE_CHECKING:
    from mcc.cli.proofs import Check


@click.command(short_help="Prove again everything that a compiled file claims.")
@click.argument("model", type=click.Path(path_type=Path))
@json_option
def command(model: Path, as_json: bool) -> None:
    """Prove MODEL, a compiled file, again from what is in it.

    Its hashes; the certificate of each pass, and that the pass makes the network again; that cells,
    instructions and host graphs are those that its network gives; and that the program computes
    what the network does, bit for bit. What rests on the original or on calibration data, which
    are not in the file, is shown as recorded.
    """
    from mcc.cli.program import load
    from mcc.cli.proofs import Check, verify

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
            click.echo(f"{_mark(check)}  {check.name}: {check.detail}")
    if not passed:
        click.get_current_context().exit(EXIT_USER)


def _mark(check: Check) -> str:
    if not check.passed:
        return click.style("FAILED  ", fg="red", bold=True)
    if check.recorded:
        return click.style("recorded", fg="yellow")
    return click.style("proved  ", fg="green")
