"""The entry of the command line, which obeys signals while everything else is still imported."""

from __future__ import annotations

import os
import signal
import sys
import warnings
from collections.abc import Sequence
from contextlib import suppress

EXIT_INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and leave the process with the documented exit code."""
    try:
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        code = _run(arguments)
    except KeyboardInterrupt:
        with suppress(OSError):
            os.write(2, b"interrupted\n")
        code = EXIT_INTERRUPTED
    sys.exit(code)


def _run(arguments: Sequence[str] | None) -> int:
    _open_streams()
    from mcc.cli.command_line import run

    if not sys.warnoptions:
        warnings.simplefilter("ignore")
    try:
        return run(arguments)
    finally:
        _flush()


def _open_streams() -> None:
    """Let what is written to a closed stream go nowhere, as the shell asked."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w"))


def _flush() -> None:
    try:
        sys.stdout.flush()
    except OSError:
        # What is left in the buffer has no place to go, and Python would try again at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    main()
