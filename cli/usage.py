"""What was typed wrongly on the command line, as a diagnostic."""

from __future__ import annotations

import re

import click

from mcc.ir.diagnostics import Diagnostic, nearest

_QUOTED = re.compile(r"'([^']*)'")


def diagnose(misuse: click.ClickException) -> Diagnostic:
    """Turn what click says about the arguments into a diagnostic that offers a remedy."""
    context = misuse.ctx if isinstance(misuse, click.UsageError) else None
    text = misuse.format_message()
    if context is None:
        return Diagnostic("usage", _sentence(text), "`mcc --help` lists the commands")
    if isinstance(misuse, click.NoSuchOption):
        names = [name for item in context.command.get_params(context) for name in item.opts]
        known = [name for name in names if name.startswith("--")]
        message = f"`{context.command_path}` has no option `{misuse.option_name}`"
        return Diagnostic("usage", message, nearest(misuse.option_name, known))
    if isinstance(context.command, click.Group) and text.startswith("No such command"):
        name = _QUOTED.findall(text)[0]
        known = context.command.list_commands(context)
        message = f"`{context.command_path}` has no command `{name}`"
        return Diagnostic("usage", message, nearest(name, known))
    usage = " ".join(context.get_usage().split()).removeprefix("Usage: ")
    help = f"write `{usage}`; `{context.command_path} --help` tells more"
    return Diagnostic("usage", _sentence(text), help)


def _sentence(text: str) -> str:
    """Write a sentence of click as ours: names as code, no capital, no full stop."""
    plain = _QUOTED.sub(r"`\1`", text).removesuffix(".")
    return plain[:1].lower() + plain[1:]
