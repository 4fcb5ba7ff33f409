"""Archives of arrays as NumPy reads them, with reproducible bytes and bounded when read."""

from __future__ import annotations

import hashlib
import io
import math
import zipfile
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcc.ir.container import damaged

MOST_BYTES = 16 << 30
"""Arrays of one archive take at most this much."""
_MOST_HEADER = 4096
_EARLIEST = (1980, 1, 1, 0, 0, 0)
_LEVEL = 1
"""Cells are digits without pattern: higher levels gain little and take ten times as long."""
_SUFFIX = ".npy"


def pack_arrays(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Return the compressed archive of arrays, sorted by name."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=_LEVEL) as archive:
        for name in sorted(arrays):
            item = zipfile.ZipInfo(name + _SUFFIX, _EARLIEST)
            item.compress_type = zipfile.ZIP_DEFLATED
            item.create_system = 3
            item.external_attr = 0o100644 << 16
            buffer = io.BytesIO()
            array = np.ascontiguousarray(arrays[name]).reshape(arrays[name].shape)
            np.lib.format.write_array(buffer, array, version=(1, 0), allow_pickle=False)
            archive.writestr(item, buffer.getvalue(), compresslevel=_LEVEL)
    return target.getvalue()


def hash_arrays(arrays: Mapping[str, NDArray[Any]]) -> str:
    """Return the SHA-256 of names, types, shapes and elements, however they are packed."""
    found = hashlib.sha256()
    for name in sorted(arrays):
        array = arrays[name]
        found.update(f"{name}\n{array.dtype.str} {array.shape}\n".encode())
        found.update(array.tobytes())
    return found.hexdigest()


def unpack_arrays(
    member: str, data: bytes, most_bytes: int = MOST_BYTES
) -> dict[str, NDArray[Any]]:
    """Return the arrays of an archive by name.

    Args:
        member: What to call it in errors.
        data: What `pack_arrays` returned.
        most_bytes: Refuse arrays that take more together.

    Raises:
        MccError: `artifact-damaged`.
    """
    found: dict[str, NDArray[Any]] = {}
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for item in archive.infolist():
                most_bytes -= item.file_size
                if most_bytes < 0:
                    raise damaged(member, "its arrays are larger than they may be")
                name = item.filename.removesuffix(_SUFFIX)
                if name in found or name == item.filename:
                    raise damaged(member, f"`{item.filename}` is no array, or there twice")
                with archive.open(item) as file:
                    found[name] = _array(member, file.read(), item.file_size)
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, ValueError, EOFError) as cause:
        raise damaged(member, f"its arrays cannot be read: {cause}") from cause
    return found


def _array(member: str, data: bytes, size: int) -> NDArray[Any]:
    """Return the array of a file whose header must promise no more than the file holds."""
    head = io.BytesIO(data[:_MOST_HEADER])
    if np.lib.format.read_magic(head) != (1, 0):
        raise damaged(member, "an array has an unknown format")
    shape, _, dtype = np.lib.format.read_array_header_1_0(head)
    if dtype.hasobject:
        raise damaged(member, "an array holds objects")
    if head.tell() + math.prod(shape) * dtype.itemsize != size or len(data) != size:
        raise damaged(member, "an array has another size than it says")
    return np.lib.format.read_array(io.BytesIO(data), allow_pickle=False)
