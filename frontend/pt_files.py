"""Which of four things a `.pt` file is, found without loading it."""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import final

from mcc.frontend.pickles import MOST_BYTES, imports_of, imports_of_file, suspicious
from mcc.frontend.pt2_files import Members, imports_of_program
from mcc.frontend.zips import check_zip, read_member
from mcc.ir.diagnostics import error


@final
class FileKind(StrEnum):
    """The things that torch writes into files of the same name."""

    PROGRAM = "exported program"
    SCRIPT = "TorchScript"
    STATE = "state dict"
    PICKLE = "pickled module"


@final
@dataclass(frozen=True)
class Inspection:
    """What a file is, and what loading it would import beyond tensors."""

    kind: FileKind
    imports: tuple[str, ...]


def inspect_file(path: Path) -> Inspection:
    """Tell what a torch file holds.

    Raises:
        MccError: It is damaged, too large, or nothing that torch writes.
    """
    if _starts_with(path, b"PK\x03\x04") or _ends_as_zip(path):
        return _inspect_zip(path, check_zip(path))
    with path.open("rb") as file:
        start = file.read(MOST_BYTES)
    if not start.startswith(b"\x80"):
        text = f"`{path.name}` is neither a zip file nor a pickle"
        raise error("file-damaged", text, "torch writes nothing else; fetch or save it again")
    try:
        return _by_imports(imports_of_file(io.BytesIO(start)))
    except ValueError as problem:
        text = f"`{path.name}` is cut off or damaged: {problem}"
        raise error("file-damaged", text, "fetch or save it again") from problem


def _inspect_zip(path: Path, members: Members) -> Inspection:
    if "archive_format" in members or "serialized_exported_program.json" in members:
        if any(name.startswith("data/aotinductor/") for name in members):
            text = f"`{path.name}` holds compiled code for this machine"
            raise error("file-kind", text, "save it with `torch.export.save`")
        return Inspection(FileKind.PROGRAM, tuple(imports_of_program(path, members)))
    if "constants.pkl" in members and any(name.startswith("code/") for name in members):
        return Inspection(FileKind.SCRIPT, ())
    if "data.pkl" in members:
        return _by_imports(_imports_in(path, members["data.pkl"]))
    text = f"`{path.name}` is a zip file, but not one that torch writes"
    raise error("file-kind", text, "save a module with `torch.save` or `torch.export.save`")


def _by_imports(found: set[str]) -> Inspection:
    more = tuple(suspicious(found))
    return Inspection(FileKind.PICKLE if more else FileKind.STATE, more)


def _imports_in(path: Path, member: zipfile.ZipInfo) -> set[str]:
    try:
        return imports_of(io.BytesIO(read_member(path, member, MOST_BYTES)))
    except ValueError as problem:
        text = f"`{member.filename}` in `{path.name}` is damaged: {problem}"
        raise error("file-damaged", text, "fetch or save it again") from problem


def _ends_as_zip(path: Path) -> bool:
    try:
        return zipfile.is_zipfile(path)
    except zipfile.BadZipFile:
        return True


def _starts_with(path: Path, start: bytes) -> bool:
    with path.open("rb") as file:
        return file.read(len(start)) == start
