"""The rules of the house that no other tool checks: a quick start, small files, known codes."""

from __future__ import annotations

import ast
import resource
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import cast

import click
import pytest
from click.testing import CliRunner

import mcc
from mcc.cli.command_line import COMMANDS
from mcc.cli.command_line import mcc as program
from mcc.ir.codes import CODES

ROOT = Path(__file__).parents[1]
PACKAGES = ("backends", "cli", "frontend", "ir", "models", "passes", "runtime")
HEAVY = {"torch", "onnx", "onnx_ir", "onnxruntime", "onnxscript", "numpy", "networkx", "cvxpy"}
MOST_SECONDS = 0.3
MOST_LINES = 400
STARTS = {"import": "import mcc", "help": "from mcc.cli.main import main; main(['--help'])"}
_TELL = "import atexit, sys; atexit.register(lambda: print(*sys.modules, file=sys.stderr))"


def files(*folders: str) -> list[Path]:
    return [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]


def start(script: str) -> tuple[float, set[str]]:
    """Run a script in a new process; return its seconds and the packages that it imported.

    The seconds are those of the processor: a machine that is busy elsewhere is no slow start.
    """
    command = [sys.executable, "-c", f"{_TELL}\n{script}"]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return seconds, {name.partition(".")[0] for name in done.stderr.split()}


@pytest.mark.parametrize("name", STARTS)
def test_it_starts_quickly(name: str) -> None:
    runs = [start(STARTS[name]) for _ in range(5)]
    assert min(seconds for seconds, _ in runs) < MOST_SECONDS
    assert not runs[0][1] & HEAVY


def test_files_are_small() -> None:
    long = {
        str(path.relative_to(ROOT)): count
        for path in files(*PACKAGES, "benchmarks", "tests")
        if (count := len(path.read_text().splitlines())) > MOST_LINES
    }
    assert not long


def test_every_public_name_resolves() -> None:
    for name in mcc.__all__:
        assert getattr(mcc, name).__doc__, name
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        getattr(mcc, "nothing")  # noqa: B009


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(name: str) -> None:
    shown = CliRunner().invoke(program, [name, "--help"])
    assert shown.exit_code == 0
    command = cast(click.Group, program).get_command(click.Context(program), name)
    assert command is not None
    assert command.help
    assert command.short_help
    options = [it for it in command.params if isinstance(it, click.Option)]
    assert not [option.name for option in options if not option.help]


@cache
def trees() -> dict[Path, ast.Module]:
    return {path: ast.parse(path.read_text()) for path in files(*PACKAGES)}


def texts(node: ast.AST) -> Iterator[str]:
    for part in ast.walk(node):
        if isinstance(part, ast.Constant) and isinstance(part.value, str):
            yield part.value


def test_every_diagnostic_code_is_used() -> None:
    said = {
        text for path, tree in trees().items() if path.name != "codes.py" for text in texts(tree)
    }
    assert not CODES.keys() - said


def takers() -> dict[str, int]:
    """Return the functions that take a code, with its position among the arguments."""
    found = {"Diagnostic": 0}
    for tree in trees().values():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef):
                names = [it.arg for it in node.args.args if it.arg not in ("self", "cls")]
                if "code" in names:
                    found[node.name] = names.index("code")
    return found


def codes_said() -> Iterator[tuple[str, str]]:
    """Yield every code that is written in a call, with its place in the source."""
    positions = takers()
    for path, tree in trees().items():
        for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
            name = getattr(call.func, "id", getattr(call.func, "attr", ""))
            for argument in call.args[positions.get(name, len(call.args)) :][:1]:
                either = isinstance(argument, ast.IfExp)
                for option in (argument.body, argument.orelse) if either else (argument,):
                    if isinstance(option, ast.Constant) and isinstance(option.value, str):
                        yield option.value, f"{path.relative_to(ROOT)}:{call.lineno}"


def test_every_code_in_the_source_is_explained() -> None:
    said = list(codes_said())
    assert len({code for code, _ in said}) > len(CODES) // 2
    assert not [(code, where) for code, where in said if code not in CODES]


def test_codes_are_sorted_sentences() -> None:
    assert list(CODES) == sorted(CODES)
    for code, text in CODES.items():
        assert text.endswith("."), code
