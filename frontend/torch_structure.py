"""The structure of Python values that hold tensors."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, cast

import torch

from mcc.frontend.examples import DTYPES
from mcc.ir.diagnostics import error
from mcc.ir.structure import Constant, Group, GroupKind, Leaf, Structure

_PLAIN = (bool, int, float, str)


def describe(
    value: Any, path: str, code: str, leaves: list[torch.Tensor], separator: str = "."
) -> Structure:
    """Write down the structure of `value` and append its tensors to `leaves`.

    Args:
        value: Tensors in tuples, lists, dicts, named tuples or dataclasses, with plain values.
        path: The name of `value`; tensors are named by their path.
        code: The diagnostic to raise for a value of another type.
        leaves: Receives the tensors in order.
        separator: Stands between the path and the key of an item.
    """
    if isinstance(value, torch.Tensor):
        leaves.append(value)
        return Leaf(path, dtype_name(value, path), tuple(int(size) for size in value.shape))
    if value is None or isinstance(value, _PLAIN):
        return Constant(value)
    kind, keys, items, type_name = _container(value, path, code)
    names = keys or tuple(range(len(items)))
    prefix = f"{path}{separator}" if path else ""
    children = tuple(
        describe(item, f"{prefix}{name}", code, leaves)
        for name, item in zip(names, items, strict=True)
    )
    return Group(kind, children, keys, type_name)


def dtype_name(tensor: torch.Tensor, path: str) -> str:
    """Name the element type as NumPy does, or refuse it."""
    name = str(tensor.dtype).removeprefix("torch.")
    if name not in DTYPES:
        raise error(
            "dtype-unsupported",
            f"`{path}` is {name}",
            "convert the module and its inputs to float32: `module.float()`",
        )
    return name


def _container(
    value: Any, path: str, code: str
) -> tuple[GroupKind, tuple[str | int, ...], tuple[Any, ...], str]:
    kind = cast(Any, type(value))
    if isinstance(value, Mapping):
        mapping = cast(Mapping[Any, Any], value)
        if all(isinstance(key, (str, int)) for key in mapping):
            return GroupKind.DICT, tuple(mapping), tuple(mapping.values()), ""
    elif isinstance(value, tuple) and hasattr(kind, "_fields"):
        items = tuple(cast(Sequence[Any], value))
        return GroupKind.NAMED_TUPLE, kind._fields, items, kind.__name__
    elif isinstance(value, tuple):
        return GroupKind.TUPLE, (), cast(tuple[Any, ...], value), ""
    elif isinstance(value, list):
        return GroupKind.LIST, (), tuple(cast(list[Any], value)), ""
    elif dataclasses.is_dataclass(kind):
        names = tuple(field.name for field in dataclasses.fields(kind))
        return GroupKind.DICT, names, tuple(getattr(value, name) for name in names), ""
    where = f"`{path}`" if path else "the result of the module"
    raise error(
        code,
        f"{where} is {kind.__name__}, which cannot be taken apart into tensors",
        "use tensors in tuples, lists, dicts, named tuples or dataclasses",
    )
