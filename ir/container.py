"""A zip archive that stores its members as they are, and whose every byte follows from them.

Any zip tool reads it. Because nothing in it is free to vary, a reader can demand that the bytes
between the members are exactly those that `pieces` would write.
"""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

from mcc.ir.diagnostics import Location, MccError, error, located

_LOCAL = struct.Struct("<IHHHHHIIIHH")
_CENTRAL = struct.Struct("<IHHHHHHIIIHHHHHII")
_END = struct.Struct("<IHHHHIIH")
_BEGIN, _LAST = b"PK\3\4", b"PK\5\6"
_VERSION = 20
_UTF8 = 0x800
_TIME, _DATE = 0, 0x21
"""Midnight of the first of January 1980, the earliest time that a zip archive can name."""
_MODE = 0o100644 << 16
_UNIX = 3 << 8
LARGEST = 0xFFFF_FFFE
T = TypeVar("T")


def pieces(members: Mapping[str, bytes]) -> Iterator[bytes]:
    """Yield the bytes of the archive of some members, in their order.

    Raises:
        MccError: `write-failed` where it would be larger than 4 GiB.
    """
    directory: list[bytes] = []
    position = 0
    for name, data in members.items():
        encoded = name.encode()
        if position + len(data) > LARGEST or len(members) > 0xFFFE:
            raise error("write-failed", "a compiled file holds at most 4 GiB", "compile in parts")
        common = (_VERSION, _UTF8, 0, _TIME, _DATE, zlib.crc32(data), len(data), len(data))
        local = _LOCAL.pack(0x04034B50, *common, len(encoded), 0)
        fields = (_UNIX | _VERSION, *common, len(encoded), 0, 0, 0, 0, _MODE, position)
        directory += [_CENTRAL.pack(0x02014B50, *fields), encoded]
        yield from (local, encoded, data)
        position += len(local) + len(encoded) + len(data)
    listing = b"".join(directory)
    yield listing
    count = len(members)
    yield _END.pack(0x06054B50, 0, 0, count, count, len(listing), position, 0)


def members_of(data: bytes) -> list[tuple[str, bytes]]:
    """Return names and bytes of the members of an archive, trusting none of it.

    Raises:
        MccError: `artifact-damaged` where it is no such archive; members may still be others than
            were written.
    """
    if not data.startswith(_BEGIN):
        help = "a compiled file is what `mcc compile` writes"
        raise error("artifact-damaged", "this is no compiled file", help)
    if data[-_END.size :][: len(_LAST)] != _LAST:
        raise damaged("the archive", "it is cut off, or bytes follow its end")
    found: list[tuple[str, bytes]] = []
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for item in archive.infolist():
                stored = item.compress_type == zipfile.ZIP_STORED
                if not stored or item.file_size != item.compress_size:
                    raise damaged(item.filename, "it is compressed, so its size is unknown")
                begin = item.header_offset + _LOCAL.size + len(item.orig_filename.encode())
                part = data[begin : begin + item.file_size]
                if len(part) != item.file_size:
                    raise damaged(item.filename, "it is cut off")
                found.append((item.orig_filename, part))
    except (zipfile.BadZipFile, NotImplementedError, UnicodeError, ValueError) as cause:
        raise damaged("the archive", f"it is not whole: {cause}") from cause
    return found


def check_layout(data: bytes, members: Mapping[str, bytes]) -> None:
    """Demand that an archive is, to the byte, that of these members in their order.

    Raises:
        MccError: `artifact-damaged`, naming the member next to the first wrong byte.
    """
    position = 0
    owners = (name for name in members for _ in range(3))
    for piece in pieces(members):
        owner = next(owners, "the directory of the archive")
        if data[position : position + len(piece)] != piece:
            raise damaged(owner, "the archive around it was changed")
        position += len(piece)
    if position != len(data):
        raise damaged("the archive", f"{len(data) - position} bytes follow its end")


def damaged(member: str, why: str) -> MccError:
    """Return the refusal of an archive because of one of its members."""
    help = "compile again, or fetch the file again"
    return error("artifact-damaged", f"{_plain(member)}: {why}", help)


def parsed(member: str, parse: Callable[[], T], file: str = "") -> T:
    """Return what a member means; its hash is right, so only another writer can be at fault.

    Args:
        member: Its name.
        parse: Reads it, and may fail in any way in which plain data make a reader fail.
        file: What to call the archive in errors.

    Raises:
        MccError: `artifact-damaged`, naming the member.
    """
    try:
        return parse()
    except MccError as cause:
        if any(item.code.startswith("artifact") for item in cause.diagnostics):
            raise
        why = "; ".join(item.message for item in cause.diagnostics)
        problem, found = damaged(member, f"it cannot be read: {why}"), cause
    except (LookupError, TypeError, ValueError, ArithmeticError, AttributeError) as cause:
        problem, found = damaged(member, f"it cannot be read: {cause!r}"), cause
    except RecursionError as cause:
        problem, found = damaged(member, "it is nested too deep"), cause
    raise located(problem, Location(file)) from found


def _plain(name: str) -> str:
    return name if name.isprintable() else ascii(name)
