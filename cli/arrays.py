"""Array files of the command line: `.npz` archives of named inputs and outputs."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mcc.ir.diagnostics import error
from mcc.ir.files import read_file, write_file
from mcc.ir.npz import pack_arrays
from mcc.ir.tensors import Array

_LARGEST_BYTES = 16 * 2**30


def read_arrays(path: Path) -> dict[str, Array]:
    """Read the arrays of an `.npz` file by name; no pickle is loaded.

    Raises:
        MccError: `file-missing`, `file-damaged`, `file-too-large`.
    """
    data = read_file(path)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            if sum(item.file_size for item in archive.infolist()) > _LARGEST_BYTES:
                raise error("file-too-large", f"{path.name} unpacks to more than 16 GiB")
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except (zipfile.BadZipFile, ValueError, EOFError, OSError, KeyError) as cause:
        help = "write it with numpy.savez(path, name=array)"
        raise error("file-damaged", f"{path.name} is no .npz of arrays: {cause}", help) from cause


def write_arrays(path: Path, arrays: Mapping[str, Array]) -> None:
    """Write arrays as an `.npz` file, completely or not at all."""
    write_file(path, (pack_arrays(arrays),))


def in_order(arrays: Mapping[str, Any]) -> Any:
    """Return the arrays as a tuple where they have no names but those that NumPy gave them."""
    plain = [f"arr_{index}" for index in range(len(arrays))]
    return tuple(arrays[name] for name in plain) if arrays and set(arrays) == set(plain) else arrays
