"""Array files of the command line: `.npz` archives of named inputs and outputs."""

from __future__ import annotations

import io
import math
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, cast

import numpy as np

from mcc.ir.diagnostics import Diagnostic, MccError, error
from mcc.ir.files import read_file, write_file
from mcc.ir.npz import MOST_BYTES, pack_arrays
from mcc.ir.tensors import Array

_SUFFIX = ".npy"
_HELP = "write it with `numpy.savez(path, name=array)`"


def read_arrays(path: Path) -> dict[str, Array]:
    """Read the arrays of an `.npz` file by name; no pickle is loaded.

    Every member is judged by its header before anything is unpacked.

    Raises:
        MccError: `file-missing`, `file-damaged`, `file-too-large`.
    """
    data = read_file(path)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            _check(path, archive)
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except zipfile.BadZipFile as cause:
        what = "one array, not an archive of named ones" if _is_array(data) else str(cause)
        raise error("file-damaged", f"`{path}` is no .npz file: {what}", _HELP) from cause
    except (ValueError, EOFError, OSError, zlib.error, NotImplementedError, RuntimeError) as cause:
        raise error("file-damaged", f"`{path}` cannot be read: {cause}", _HELP) from cause


def write_arrays(path: Path, arrays: Mapping[str, Array]) -> None:
    """Write arrays as an `.npz` file, completely or not at all."""
    write_file(path, (pack_arrays(arrays),))


def in_order(arrays: Mapping[str, Any]) -> Any:
    """Return the arrays as a tuple where they have no names but those that NumPy gave them."""
    plain = [f"arr_{index}" for index in range(len(arrays))]
    return tuple(arrays[name] for name in plain) if arrays and set(arrays) == set(plain) else arrays


def _check(path: Path, archive: zipfile.ZipFile) -> None:
    """Refuse an archive of which a member is no array of the size that it says."""
    items = archive.infolist()
    total = sum(item.file_size for item in items)
    if total > MOST_BYTES:
        text = f"`{path}` unpacks to {total} bytes, over {MOST_BYTES}"
        raise error("file-too-large", text, "give fewer samples at a time")
    problems: list[Diagnostic] = []
    seen: set[str] = set()
    for item in items:
        problem = "is there twice" if item.filename in seen else _problem(archive, item)
        seen.add(item.filename)
        if problem:
            text = f"`{item.filename}` in `{path}` {problem}"
            problems.append(Diagnostic("file-damaged", text, _HELP))
    if problems:
        raise MccError(problems)


def _problem(archive: zipfile.ZipFile, item: zipfile.ZipInfo) -> str:
    """Say what is wrong with a member, or nothing."""
    if not item.filename.endswith(_SUFFIX):
        return "is no array"
    with archive.open(item) as file:
        try:
            shape, dtype = _header(file)
        except ValueError:
            return "is no array"
        if dtype.hasobject:
            return "holds Python objects, not numbers"
        size = file.tell() + math.prod(shape) * dtype.itemsize
    if size != item.file_size or any(extent < 0 for extent in shape):
        sizes = "x".join(map(str, shape))
        return f"says that it is {sizes} {dtype.name}, {size} bytes, and has {item.file_size}"
    return ""


def _header(file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    form = cast(Any, np.lib.format)
    if form.read_magic(file) == (1, 0):
        shape, _, dtype = form.read_array_header_1_0(file)
    else:
        shape, _, dtype = form.read_array_header_2_0(file)
    return shape, dtype


def _is_array(data: bytes) -> bool:
    return data.startswith(b"\x93NUMPY")
