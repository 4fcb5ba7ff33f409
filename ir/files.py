"""Files that are written completely or not at all."""

from __future__ import annotations

import difflib
import os
import secrets
import stat
from collections.abc import Iterable
from pathlib import Path

from mcc.ir.diagnostics import MccError, error

_WRITABLE = stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH


def write_file(path: str | Path, pieces: Iterable[bytes]) -> None:
    """Write the pieces to a file, replacing what was there in one step.

    They go into a new file in the same folder, which takes the name at the end; whatever happens
    before, an interrupt included, that file is removed and the old one stays.

    Raises:
        MccError: `write-failed`, for example because the disk is full.
    """
    check_place(path)
    place = Path(os.path.realpath(path))
    partial = place.with_name(f".{place.name}.{secrets.token_hex(6)}.partial")
    try:
        try:
            with open(partial, "xb") as file:
                _keep_mode(file.fileno(), place)
                for piece in pieces:
                    file.write(piece)
                file.flush()
                os.fsync(file.fileno())
            os.replace(partial, place)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise
    except OSError as cause:
        raise _unwritten(path, cause) from cause


def _keep_mode(file: int, place: Path) -> None:
    """Give a new file the permissions of the one that it will replace."""
    if place.exists():
        os.fchmod(file, stat.S_IMODE(place.stat().st_mode))


def check_place(path: str | Path) -> None:
    """Refuse a place where no file can be written.

    Raises:
        MccError: `write-failed`: its folder is missing or closed, or a file that may not be
            written, or something that is no plain file, has this name.
    """
    path = Path(path)
    try:
        if not path.parent.is_dir():
            raise error("write-failed", f"there is no folder `{path.parent}`", "make it first")
        if path.is_dir():
            raise error("write-failed", f"`{path}` is a folder", "name a file in it")
        if path.exists() and not path.is_file():
            raise error("write-failed", f"`{path}` is no plain file", "name another file")
        if path.exists() and _is_read_only(path):
            help = "change its permissions, or name another file"
            raise error("write-failed", f"`{path}` is read-only", help)
    except OSError as cause:
        raise _unwritten(path, cause) from cause
    if not os.access(path.parent, os.W_OK):
        help = "change its permissions, or name another folder"
        raise error("write-failed", f"the folder `{path.parent}` cannot be written to", help)


def _is_read_only(path: Path) -> bool:
    """Tell whether a file may not be written, also by those whom no permission stops."""
    return not path.stat().st_mode & _WRITABLE or not os.access(path, os.W_OK)


def make_folder(path: str | Path) -> None:
    """Make a folder and those above it, where they are not there.

    Raises:
        MccError: `write-failed`.
    """
    try:
        Path(path).mkdir(parents=True, exist_ok=True)
    except OSError as cause:
        raise _unwritten(path, cause) from cause


def read_file(path: str | Path) -> bytes:
    """Return the bytes of a file.

    Raises:
        MccError: `file-missing`.
    """
    try:
        return Path(path).read_bytes()
    except OSError as cause:
        raise unreadable(path, cause) from cause


def unreadable(path: str | Path, cause: OSError) -> MccError:
    """Return the refusal of a file that cannot be read; it offers the nearest name beside it."""
    path = Path(path)
    message = f"`{path}` cannot be read: {cause.strerror or cause}"
    if not isinstance(cause, FileNotFoundError):
        return error("file-missing", message, "name a file that you may read")
    if not path.parent.is_dir():
        return error("file-missing", message, f"there is no folder `{path.parent}` either")
    beside = [item.name for item in path.parent.iterdir()]
    close = difflib.get_close_matches(path.name, beside, n=1)
    help = f"did you mean `{path.with_name(close[0])}`?" if close else "check the name"
    return error("file-missing", message, help)


def _unwritten(path: str | Path, cause: OSError) -> MccError:
    message = f"`{path}` could not be written: {cause.strerror or cause}"
    help = "nothing was left behind; free space or name another folder"
    return error("write-failed", message, help)
