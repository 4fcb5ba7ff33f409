"""Array files of the command line: `.npz` archives of named inputs and outputs."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mcc.ir.diagnostics import Diagnostic, MccError, error
from mcc.ir.files import read_file, write_file
from mcc.ir.npz import MOST_BYTES, SUFFIX, Form, pack_arrays, read_elements, read_form
from mcc.ir.tensors import Array

_HELP = "write it with `numpy.savez(path, name=array)`"


def read_arrays(path: Path, wanted: Callable[[Form], bool] = lambda form: True) -> dict[str, Array]:
    """Read the arrays of an `.npz` file by name; no pickle is loaded.

    Every member is judged by its header before anything is unpacked.

    Args:
        path: The file.
        wanted: Tells whether arrays of a form are of any use. Others are not unpacked: zeros that
            take no memory stand for them, so that what is wrong with them can be told.

    Raises:
        MccError: `file-missing`, `file-damaged`, `file-too-large`.
    """
    data = read_file(path)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            _check(path, archive)
            return {
                item.filename.removesuffix(SUFFIX): _array(archive, item, wanted)
                for item in archive.infolist()
            }
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
    if not item.filename.endswith(SUFFIX):
        return "is no array"
    with archive.open(item) as file:
        try:
            form = read_form(file)
        except ValueError:
            return "is no array"
        if form.dtype.hasobject:
            return "holds Python objects, not numbers"
        size = file.tell() + form.bytes
    if form.bytes < 0 or size != item.file_size:
        sizes = "x".join(map(str, form.shape))
        return f"says that it is {sizes} {form.dtype.name}, {size} bytes, and has {item.file_size}"
    return ""


def _array(
    archive: zipfile.ZipFile, item: zipfile.ZipInfo, wanted: Callable[[Form], bool]
) -> Array:
    with archive.open(item) as file:
        form = read_form(file)
        if wanted(form):
            return read_elements(file, form)
    return np.broadcast_to(np.zeros((), form.dtype), form.shape)


def _is_array(data: bytes) -> bool:
    return data.startswith(b"\x93NUMPY")
