"""What the tool says to its user: diagnostics, their codes, and the exit codes they lead to."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import final

from mcc.ir.codes import CODES

EXIT_OK = 0
EXIT_USER = 1
EXIT_UNSUPPORTED = 2
EXIT_BUDGET = 3
EXIT_BUG = 70
_LISTED = 20
"""Most names that are offered at once."""


@final
class Severity(StrEnum):
    """How much a diagnostic weighs."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@final
@dataclass(frozen=True)
class Location:
    """A place in what the user wrote: a line of a file, and the module path inside a network."""

    file: str = ""
    line: int = 0
    module: str = ""

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        if self.module:
            place = f"{place} ({self.module})" if place else f"({self.module})"
        return place


NOWHERE = Location()


@final
@dataclass(frozen=True)
class Diagnostic:
    """One sentence to the user, with its place and its remedy."""

    code: str
    message: str
    help: str = ""
    location: Location = NOWHERE
    severity: Severity = Severity.ERROR

    def __post_init__(self) -> None:
        assert self.code in CODES, f"diagnostic code {self.code!r} is not listed in ir/codes.py"

    def __str__(self) -> str:
        place = str(self.location)
        head = f"{place}: " if place else ""
        text = f"{head}{self.severity}[{self.code}]: {self.message}"
        return f"{text}\n  help: {self.help}" if self.help else text


class MccError(Exception):
    """The user's input cannot be used as asked; carries every diagnostic that was found."""

    def __init__(self, diagnostics: Sequence[Diagnostic], exit_code: int = EXIT_USER) -> None:
        super().__init__("\n".join(str(item) for item in diagnostics))
        self.diagnostics = tuple(diagnostics)
        self.exit_code = exit_code


@final
class MccWarning(UserWarning):
    """A finding of severity `warning`, where there is no list to put it into."""


def error(
    code: str,
    message: str,
    help: str = "",
    location: Location = NOWHERE,
    exit_code: int = EXIT_USER,
) -> MccError:
    """Build the exception that carries a single diagnostic."""
    return MccError([Diagnostic(code, message, help, location)], exit_code)


def located(problem: MccError, location: Location) -> MccError:
    """Give a place to those diagnostics of an exception that have none."""
    placed = [
        item if str(item.location) else replace(item, location=location)
        for item in problem.diagnostics
    ]
    return MccError(placed, problem.exit_code)


def nearest(name: str, known: Iterable[str]) -> str:
    """Offer the known name that is most like `name`, as a sentence, or all there are."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1)
    if close:
        return f"did you mean `{close[0]}`?"
    more = len(names) - _LISTED
    return f"known: {', '.join(names[:_LISTED])}" + (f" and {more} more" if more > 0 else "")
