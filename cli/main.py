"""The entry of the command line: finds the command, and turns what it raises into exit codes."""

from __future__ import annotations

import importlib
import sys
import traceback
from collections.abc import Sequence
from typing import final

import click

from mcc.cli.console import print_diagnostics
from mcc.ir.diagnostics import EXIT_BUG, EXIT_OK, EXIT_USER, MccError

EXIT_INTERRUPTED = 130
COMMANDS = (
    "compile",
    "disassemble",
    "explain",
    "inspect",
    "ops",
    "passes",
    "report",
    "run",
    "targets",
    "verify",
)


@final
class CommandTable(click.Group):
    """The commands by name; each is imported when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """List the names in the order of the help page."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the module of the command."""
        if cmd_name not in COMMANDS:
            return None
        return importlib.import_module(f"mcc.cli.commands.{cmd_name}").command


@click.command(cls=CommandTable, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="mcc", prog_name="mcc")
def mcc() -> None:
    """Compile networks for memristor crossbars, and run what was compiled."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and leave the process with the documented exit code."""
    sys.exit(_run(arguments))


def _run(arguments: Sequence[str] | None) -> int:
    try:
        result = mcc.main(args=arguments, prog_name="mcc", standalone_mode=False)
    except MccError as failure:
        print_diagnostics(failure.diagnostics)
        return failure.exit_code
    except click.ClickException as misuse:
        misuse.show()
        return EXIT_USER
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        sys.stderr.close()
        return EXIT_OK
    except Exception as bug:
        traceback.print_exception(bug)
        click.echo("This is a bug in mcc. Please report it with the lines above.", err=True)
        return EXIT_BUG
    return result if isinstance(result, int) else EXIT_OK


if __name__ == "__main__":
    main()
