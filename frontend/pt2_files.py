"""What an exported program would make torch import, found without loading it."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

from mcc.frontend.pickles import MOST_BYTES, imports_of, imports_of_file, suspicious
from mcc.frontend.zips import read_member
from mcc.ir.diagnostics import error

Members = dict[str, zipfile.ZipInfo]
"""The members of a zip file without their common folder."""


def imports_of_program(path: Path, members: Members) -> list[str]:
    """List what loading an exported program would import or evaluate beyond tensors."""
    found = _foreign_expressions(path, members)
    for name in _pickled_members(path, members):
        if name not in members:
            text = f"`{path.name}` has no member `{name}`, which it refers to"
            raise error("file-damaged", text, "fetch or save it again")
        data = read_member(path, members[name], MOST_BYTES)
        found |= _imports_of_bytes(path, name, data)
    return suspicious(found)


def _imports_of_bytes(path: Path, name: str, data: bytes) -> set[str]:
    try:
        if data.startswith(b"PK"):
            with zipfile.ZipFile(io.BytesIO(data)) as inner:
                pickles = [item for item in inner.infolist() if item.filename.endswith(".pkl")]
                if sum(item.file_size for item in inner.infolist()) > MOST_BYTES:
                    text = f"`{name}` in `{path.name}` unpacks to too much"
                    raise error("file-too-large", text, "do not use it")
                return {
                    found for item in pickles for found in imports_of(io.BytesIO(inner.read(item)))
                }
        return imports_of_file(io.BytesIO(data)) if data else set()
    except (ValueError, zipfile.BadZipFile) as problem:
        text = f"`{name}` in `{path.name}` is damaged: {problem}"
        raise error("file-damaged", text, "fetch or save it again") from problem


def _pickled_members(path: Path, members: Members) -> list[str]:
    """Name the members that torch unpickles, by their folder or by torch's index of them."""
    names = [name for name in members if _always_pickled(name)]
    for name in members:
        folder = next((item for item in _PAYLOADS if name.startswith(item)), "")
        if folder and name.endswith("_config.json"):
            names += [f"{folder}{entry}" for entry in _index(path, members[name])]
    return list(dict.fromkeys(names))


_PAYLOADS = ("data/weights/", "data/constants/")


def _always_pickled(name: str) -> bool:
    old = name.startswith("serialized_") and name != "serialized_exported_program.json"
    return old or name.endswith(".pt") or name.startswith("data/sample_inputs/")


def _index(path: Path, member: zipfile.ZipInfo) -> list[str]:
    try:
        return _pickled_entries(_json(path, member))
    except (AttributeError, KeyError, TypeError) as problem:
        text = f"`{member.filename}` in `{path.name}` is damaged: {problem!r}"
        raise error("file-damaged", text) from problem


def _pickled_entries(config: Any) -> list[str]:
    """Read the pickled payloads from the index of weights or constants.

    Payloads that are no tensors are pickles whatever the index says.
    """
    entries: dict[str, Any] = config["config"]
    return [
        str(item["path_name"])
        for item in entries.values()
        if item.get("use_pickle") or not str(item["path_name"]).startswith(("weight_", "tensor_"))
    ]


def _foreign_expressions(path: Path, members: Members) -> set[str]:
    """Find conditions and sizes with unknown names: torch evaluates them as Python."""
    found: set[str] = set()
    for name, member in members.items():
        if name.startswith("models/") or name == "serialized_exported_program.json":
            for text in _expressions(_json(path, member)):
                if _unknown_names(text):
                    found.add(f"the expression {text[:60]!r}")
    return found


def _expressions(data: Any) -> Iterator[str]:
    waiting = [data]
    while waiting:
        item = waiting.pop()
        if isinstance(item, list):
            waiting += cast("list[Any]", item)
        elif isinstance(item, dict):
            for key, value in cast("dict[str, Any]", item).items():
                if key in ("expr_str", "as_expr") and isinstance(value, str):
                    yield value
                elif key == "guards_code":
                    yield from map(str, value)
                else:
                    waiting.append(value)


def _unknown_names(text: str) -> bool:
    """Tell whether an expression has more than sizes of inputs, numbers and arithmetic."""
    text = _SYMBOL.sub("1", text)
    text = re.sub(r"\bL(\['\w*'\]|\[\d+\])+", "1", text)
    text = re.sub(r"(?<=1)\.(size|stride|storage_offset|dim)\(\)(\[\d+\])?", "", text)
    text = re.sub(r"(?<=\d)\.(?=\d)", "", text)
    names = re.findall(r"[^\W\d]\w*", text)
    strange = re.sub(r"[\w\s+*/(),<>=!&|~%-]", "", text)
    known = all(re.fullmatch(r"(s|u|zuf|f|zf)\d+", item) or item in _FUNCTIONS for item in names)
    return bool(strange) or not known


_SYMBOL = re.compile(r"\bSymbol\('(?:s|u|zuf|f|zf)\d+'(?:, ?\w+ ?= ?(?:True|False))*\)")
"""A size of an input that torch wrote with what it knows of it."""

_FUNCTIONS = frozenset(
    """Max Min Mod PythonMod FloorDiv CeilDiv CleanDiv ModularIndexing Where IntTrueDiv
    FloatTrueDiv FloorToInt CeilToInt RoundToInt TruncToInt ToFloat Eq Ne Lt Le Gt Ge And Or Not
    True False and or not Pow PowByNatural Abs Piecewise floor ceiling oo int_oo""".split()
)


def _json(path: Path, member: zipfile.ZipInfo) -> Any:
    try:
        return json.loads(read_member(path, member, MOST_BYTES))
    except (ValueError, RecursionError) as problem:
        text = f"`{member.filename}` in `{path.name}` is damaged: {problem}"
        raise error("file-damaged", text) from problem
