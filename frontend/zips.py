"""Zip files, judged by their directory before anything in them is unpacked."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

from mcc.ir.diagnostics import error

RATIO = 100
"""Largest growth of a compressed member; source text and JSON reach about ten."""

COMPRESSED_BYTES = 64 << 20
"""Most that the compressed members of a file may unpack to; tensors are stored as they are."""


def check_zip(path: Path) -> dict[str, zipfile.ZipInfo]:
    """Read the directory of a zip file and list its members without their common folder.

    Raises:
        MccError: The file is cut off, its members overlap, or they unpack to too much.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError) as problem:
        text = f"`{path.name}` is a damaged or truncated zip file: {problem}"
        raise error("file-damaged", text, "fetch or save it again") from problem
    size = path.stat().st_size
    unpacked = sum(item.file_size for item in members if item.compress_type != zipfile.ZIP_STORED)
    steep = any(item.file_size > RATIO * max(item.compress_size, 1) for item in members)
    if steep or unpacked > COMPRESSED_BYTES:
        total = sum(item.file_size for item in members)
        text = f"`{path.name}` has {size} bytes and says that it unpacks to {total}"
        raise error("file-too-large", text, "it looks like a zip bomb; do not use it")
    _check_places(path, members, size)
    if len({item.filename for item in members}) != len(members):
        text = f"`{path.name}` has two members of the same name"
        raise error("file-damaged", text, "fetch or save it again")
    folders = {item.filename.partition("/")[0] for item in members}
    prefix = f"{folders.pop()}/" if len(folders) == 1 else ""
    return {item.filename.removeprefix(prefix): item for item in members}


def read_member(path: Path, member: zipfile.ZipInfo, most: int) -> bytes:
    """Read one member of at most `most` bytes, and check its sum.

    Raises:
        MccError: The member is larger, or damaged.
    """
    if member.file_size > most:
        text = f"`{member.filename}` in `{path.name}` has {member.file_size} bytes, over {most}"
        raise error("file-too-large", text, "save tensors as tensors, not inside other objects")
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.read(member)
    except (zipfile.BadZipFile, zlib.error, ValueError, OSError, EOFError) as problem:
        text = f"`{member.filename}` in `{path.name}` is damaged: {problem}"
        raise error("file-damaged", text, "fetch or save it again") from problem
    except (RuntimeError, NotImplementedError) as problem:
        text = f"`{member.filename}` in `{path.name}` cannot be read: {problem}"
        raise error("file-damaged", text, "save it without encryption or compression") from problem


def _check_places(path: Path, members: list[zipfile.ZipInfo], size: int) -> None:
    """Refuse members that lie outside the file or over each other."""
    end = 0
    for item in sorted(members, key=lambda member: member.header_offset):
        stored = item.compress_type == zipfile.ZIP_STORED
        wrong = stored and item.file_size != item.compress_size
        if wrong or item.header_offset < end or item.header_offset + item.compress_size > size:
            text = f"`{item.filename}` in `{path.name}` overlaps others or lies outside the file"
            raise error("file-damaged", text, "fetch or save it again")
        end = item.header_offset + item.compress_size
