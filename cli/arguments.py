"""What the arguments of the commands mean."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mcc.ir.diagnostics import error, nearest
from mcc.ir.files import check_place

if TYPE_CHECKING:
    from mcc.frontend import InputSpec


def check_output(output: Path, *others: Path | None) -> None:
    """Refuse a place where nothing can be written, before any work is done for it.

    Args:
        output: The file to write.
        others: What the same command reads and writes; none of it may be replaced.

    Raises:
        MccError: `write-failed`, `usage`.
    """
    check_place(output)
    refuse_replacing(output, others, "write to a file of another name: `-o FILE`")


def refuse_replacing(output: Path, others: Iterable[Path | None], help: str) -> None:
    """Refuse to write a file over one of the others.

    Raises:
        MccError: `usage`.
    """
    for other in others:
        if other is not None and _same(output, other):
            text = f"`{output}` would replace `{other}`, which this command needs"
            raise error("usage", text, help)


def _same(left: Path, right: Path) -> bool:
    if os.path.realpath(left) == os.path.realpath(right):
        return True
    return os.path.exists(left) and os.path.exists(right) and os.path.samefile(left, right)


def pairs(option: str, texts: Sequence[str], form: str) -> dict[str, str]:
    """Read values by name.

    Args:
        option: What is read, for errors.
        texts: Each `name=value`.
        form: An example of one.

    Raises:
        MccError: `usage`.
    """
    found: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name or not value:
            raise error("usage", f"{option} `{text}` is no name with a value", f"write `{form}`")
        if name in found:
            raise error("usage", f"{option} `{name}` is given twice", "give it once")
        found[name] = value
    return found


def shapes(texts: Sequence[str]) -> dict[str, InputSpec]:
    """Read the shapes of inputs, each `name=1x3x32x32` or `name=1x16:int64`.

    Raises:
        MccError: `usage`.
    """
    from mcc.frontend import InputSpec
    from mcc.frontend.examples import DTYPES

    form = "--input name=1x3x32x32"
    found: dict[str, InputSpec] = {}
    for name, text in pairs("--input", texts, form).items():
        size, colon, dtype = text.partition(":")
        if colon and dtype not in DTYPES:
            raise error("usage", f"--input {name}: no type `{dtype}`", nearest(dtype, DTYPES))
        sizes = size.split("x")
        if not all(part.isascii() and part.isdecimal() and int(part) for part in sizes):
            text = f"--input {name}: `{size}` is no shape"
            raise error("usage", text, f"write `{form}`, or `--input {name}=1x16:int64`")
        found[name] = InputSpec(tuple(map(int, sizes)), dtype or None)
    return found
