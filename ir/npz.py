"""Archives of arrays as NumPy reads them, with reproducible bytes and bounded when read."""

from __future__ import annotations

import hashlib
import io
import math
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import IO, Any, cast, final

import numpy as np
from numpy.typing import NDArray

from mcc.ir.container import damaged

MOST_BYTES = 16 << 30
"""Arrays of one archive take at most this much."""
_EARLIEST = (1980, 1, 1, 0, 0, 0)
_LEVEL = 1
"""Cells are digits without pattern: higher levels gain little and take ten times as long."""
SUFFIX = ".npy"


@final
@dataclass(frozen=True)
class Form:
    """What the header of an array says of it."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    columns_first: bool = False
    """Whether the elements lie in the order of Fortran."""

    @property
    def bytes(self) -> int:
        """Bytes of all elements, -1 for extents that no array has."""
        sound = all(extent >= 0 for extent in self.shape)
        return math.prod(self.shape) * self.dtype.itemsize if sound else -1


def pack_arrays(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Return the compressed archive of arrays, sorted by name."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=_LEVEL) as archive:
        for name in sorted(arrays):
            item = zipfile.ZipInfo(name + SUFFIX, _EARLIEST)
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
    member: str,
    data: bytes,
    most_bytes: int = MOST_BYTES,
    belongs: Callable[[str, Form], bool] = lambda name, form: True,
) -> dict[str, NDArray[Any]]:
    """Return the arrays of an archive by name; each is judged by its header, then unpacked.

    Args:
        member: What to call it in errors.
        data: What `pack_arrays` returned.
        most_bytes: Refuse arrays that take more together.
        belongs: Tells whether an array of this name and form may be there.

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
                name = item.filename.removesuffix(SUFFIX)
                if name in found or name == item.filename:
                    raise damaged(member, f"`{item.filename}` is no array, or there twice")
                with archive.open(item) as file:
                    form = read_form(file)
                    size = file.tell() + form.bytes
                    if form.dtype.hasobject or form.bytes < 0 or size != item.file_size:
                        raise damaged(member, "an array has another size than it says")
                    if not belongs(name, form):
                        raise damaged(member, f"`{name}` is not of the form that it must have")
                    found[name] = read_elements(file, form)
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, ValueError, EOFError) as cause:
        raise damaged(member, f"its arrays cannot be read: {cause}") from cause
    return found


def read_form(file: IO[bytes]) -> Form:
    """Read the header of an array file.

    Raises:
        ValueError: It is none.
    """
    form = cast(Any, np.lib.format)
    first = form.read_magic(file) == (1, 0)
    read = form.read_array_header_1_0 if first else form.read_array_header_2_0
    shape, columns_first, dtype = read(file)
    return Form(shape, dtype, columns_first)


def read_elements(file: IO[bytes], form: Form) -> NDArray[Any]:
    """Read the elements that follow the header, no more than it says.

    Raises:
        ValueError: There are more or fewer.
    """
    array = np.empty(form.bytes, np.uint8)
    rest = memoryview(cast(Any, array))
    while rest and (count := cast(Any, file).readinto(rest)):
        rest = rest[count:]
    if rest or file.read(1):
        raise ValueError("an array has another size than it says")
    order = "F" if form.columns_first else "C"
    return np.ndarray(form.shape, form.dtype, array.data, order=order)
