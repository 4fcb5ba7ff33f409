"""Files that are written completely or not at all."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable
from pathlib import Path

from mcc.ir.diagnostics import error


def write_file(path: str | Path, pieces: Iterable[bytes]) -> None:
    """Write the pieces to a file, replacing what was there in one step.

    They go into a new file in the same folder, which takes the name at the end; whatever happens
    before, an interrupt included, that file is removed and the old one stays.

    Raises:
        MccError: `write-failed`, for example because the disk is full.
    """
    path = Path(path)
    partial = path.with_name(f".{path.name}.{secrets.token_hex(6)}.partial")
    try:
        try:
            with open(partial, "xb") as file:
                for piece in pieces:
                    file.write(piece)
                file.flush()
                os.fsync(file.fileno())
            os.replace(partial, path)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise
    except OSError as cause:
        raise error(
            "write-failed",
            f"`{path}` could not be written: {cause.strerror or cause}",
            "nothing was left behind; free space or name another folder",
        ) from cause


def read_file(path: str | Path) -> bytes:
    """Return the bytes of a file.

    Raises:
        MccError: `file-missing`.
    """
    try:
        return Path(path).read_bytes()
    except OSError as cause:
        reason = cause.strerror or str(cause)
        raise error("file-missing", f"`{path}` cannot be read: {reason}") from cause
