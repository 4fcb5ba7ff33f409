"""The command line: finds the command, and turns what it raises into exit codes."""

from __future__ import annotations

import errno
import importlib
import traceback
from collections.abc import Sequence
from typing import final

import click

from mcc.cli.console import print_diagnostics
from mcc.cli.usage import diagnose
from mcc.ir.diagnostics import EXIT_BUG, EXIT_OK, EXIT_USER, Diagnostic, MccError

EXIT_UNREAD = 141
"""What the shell reports of a command that SIGPIPE ended."""
DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
COMMANDS = (
    "compare",
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

    def invoke(self, ctx: click.Context) -> object:
        """Run the command; it ends without a word where the reader of stdout has gone."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError as gone:
            raise click.exceptions.Exit(EXIT_UNREAD) from gone
        except SystemExit as end:
            # rich ends the process itself.
            if not isinstance(end.__context__, BrokenPipeError):
                raise
            raise click.exceptions.Exit(EXIT_UNREAD) from end


@click.command(
    cls=CommandTable,
    context_settings={"help_option_names": ["-h", "--help"]},
    invoke_without_command=True,
)
@click.version_option(package_name="mcc", prog_name="mcc")
@click.pass_context
def mcc(context: click.Context) -> None:
    """Compile networks for memristor crossbars, and run what was compiled."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


def run(arguments: Sequence[str] | None = None) -> int:
    """Run a command; say what is wrong, and return the documented exit code."""
    try:
        result = mcc.main(args=arguments, prog_name="mcc", standalone_mode=False)
    except MccError as failure:
        print_diagnostics(failure.diagnostics)
        return failure.exit_code
    except click.ClickException as misuse:
        print_diagnostics([diagnose(misuse)])
        return EXIT_USER
    except click.Abort as abort:
        raise KeyboardInterrupt from abort
    except MemoryError as problem:
        print_diagnostics([_out_of_memory(problem)])
        return EXIT_USER
    except Exception as bug:
        if isinstance(bug, OSError) and bug.errno in DISK_FULL:
            print_diagnostics([_disk_full(bug)])
            return EXIT_USER
        traceback.print_exception(bug)
        click.echo("This is a bug in mcc. Please report it with the lines above.", err=True)
        return EXIT_BUG
    return result if isinstance(result, int) else EXIT_OK


def _out_of_memory(problem: MemoryError) -> Diagnostic:
    text = f"there is not enough memory: {problem}".removesuffix(": ")
    return Diagnostic("memory-exhausted", text, "give fewer samples at a time, or more memory")


def _disk_full(problem: OSError) -> Diagnostic:
    where = f"`{problem.filename}`" if problem.filename else "the output"
    text = f"{where} could not be written: {problem.strerror}"
    return Diagnostic("write-failed", text, "free space, or write elsewhere")
