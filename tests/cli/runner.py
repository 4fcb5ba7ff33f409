"""Runs commands as a shell would, and holds every refusal against what a refusal must be."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import final

import pytest

from mcc.cli.command_line import run

_HEAD = re.compile(
    r"(?P<place>\S.*?: )?(?P<severity>error|warning|note)\[(?P<code>[a-z-]+)\]: (?P<message>.+)"
)
_HELP = "  help: "


@final
@dataclass(frozen=True)
class Finished:
    """What a command left behind."""

    code: int
    out: str
    err: str


@final
@dataclass
class Said:
    """One diagnostic as it stands on stderr."""

    place: str
    severity: str
    code: str
    message: str
    help: str = ""


@final
class Shell:
    """A working folder with commands in it."""

    def __init__(self, folder: Path, capture: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self._capture = capture

    def __call__(self, *arguments: object) -> Finished:
        """Run `mcc` with these arguments, in this process."""
        self._capture.readouterr()
        code = run([str(item) for item in arguments])
        captured = self._capture.readouterr()
        return Finished(code, captured.out, captured.err)

    def succeed(self, *arguments: object) -> str:
        """Run a command that must succeed, and return what it prints on stdout."""
        done = self(*arguments)
        assert done.code == 0, done.err
        return done.out

    def refusals(self, *arguments: object, exit_code: int = 1) -> list[Said]:
        """Run a command that must refuse: nothing but diagnostics, and nothing written."""
        before = contents(self.folder)
        done = self(*arguments)
        said = diagnostics(done.err)
        assert done.code == exit_code, done.err
        assert done.out == ""
        assert said
        assert {item.severity for item in said} == {"error"}
        assert all(item.help for item in said), done.err
        assert contents(self.folder) == before
        return said

    def refusal(self, *arguments: object, exit_code: int = 1) -> Said:
        """Run a command that must refuse, for a single reason."""
        said = self.refusals(*arguments, exit_code=exit_code)
        assert len(said) == 1, said
        return said[0]


def diagnostics(text: str) -> list[Said]:
    """Read what stands on stderr, of which every line must belong to a diagnostic."""
    found: list[Said] = []
    for line in text.splitlines():
        head = _HEAD.fullmatch(line)
        if head is not None:
            parts = head.groupdict(default="")
            found.append(Said(**{**parts, "place": parts["place"].removesuffix(": ")}))
        else:
            assert line.startswith(_HELP), text
            assert found, text
            found[-1].help = line.removeprefix(_HELP)
    return found


def contents(folder: Path) -> dict[str, bytes]:
    """Return every file below a folder, and the folder above it, with its bytes."""
    return {
        str(path.relative_to(folder.parent)): path.read_bytes() if path.is_file() else b""
        for path in folder.parent.rglob("*")
    }
