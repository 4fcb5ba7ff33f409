"""Tensors that users give: arrays, and torch tensors without importing torch."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
"""An array of any element type."""


def is_torch(value: Any) -> bool:
    """Tell whether a value is a torch tensor, without importing torch."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)


def is_dense(tensor: Any) -> bool:
    """Tell whether a torch tensor holds all of its elements, one after another."""
    strided = "strided" in str(tensor.layout) and not tensor.is_nested
    return strided and not tensor.is_quantized and tensor.device.type != "meta"


def holds_torch(value: Any) -> bool:
    """Tell whether a nested value holds a torch tensor."""
    named = named_items(value)
    if named is not None:
        return any(holds_torch(item) for item in named.values())
    if isinstance(value, (tuple, list)):
        return any(holds_torch(item) for item in cast(Sequence[Any], value))
    return is_torch(value)


def named_items(value: Any) -> Mapping[Any, Any] | None:
    """Return the items of a mapping, or the fields of a dataclass; nothing for anything else."""
    if isinstance(value, Mapping):
        return cast(Mapping[Any, Any], value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    return None


def to_array(value: Any) -> Array | None:
    """View a torch tensor or a NumPy value as an array; nothing for anything else.

    Tensors and arrays without all of their elements are something else: sparse and masked ones.
    Bytes in the order of another machine are turned around.
    """
    if is_torch(value):
        if not is_dense(value):
            return None
        tensor = value.detach().cpu()
        try:
            return cast(Array, tensor.numpy(force=True)) if _has_numpy_type(tensor) else None
        except (RuntimeError, TypeError):  # of a kind of its own, such as a masked one
            return None
    if isinstance(value, (np.ndarray, np.generic)) and not np.ma.is_masked(cast(Any, value)):
        array = np.asarray(cast(Any, value))
        return array.astype(array.dtype.newbyteorder("="), copy=False)
    return None


def type_name(dtype: np.dtype[Any]) -> str:
    """Name an element type as a user knows it."""
    return {"U": "text", "S": "text", "V": "records", "O": "objects"}.get(dtype.kind, dtype.name)


def _has_numpy_type(tensor: Any) -> bool:
    return str(tensor.dtype) not in {"torch.bfloat16"} and "float8" not in str(tensor.dtype)
