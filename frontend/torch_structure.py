"""The structure of Python values that hold tensors."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, cast

import torch

from mcc.frontend.examples import DTYPES
from mcc.ir.diagnostics import error
from mcc.ir.structure import Constant, Group, GroupKind, Leaf, Plain, Structure
from mcc.ir.tensors import named_items


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
    if isinstance(value, Plain):
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
        where = f"`{path}`" if path else "the result of the module"
        help = "convert the module and its inputs to float32: `module.float()`"
        if tensor.is_complex():
            help = "compute with pairs of real numbers: `torch.view_as_real`"
        raise error("dtype-unsupported", f"{where} is {name}", help)
    return name


def _container(
    value: Any, path: str, code: str
) -> tuple[GroupKind, tuple[str | int, ...], tuple[Any, ...], str]:
    kind = cast(Any, type(value))
    named = named_items(value)
    if named is not None:
        if all(isinstance(key, (str, int)) for key in named):
            record = dataclasses.is_dataclass(value)
            group = GroupKind.RECORD if record else GroupKind.DICT
            type_name = str(kind.__name__) if record else ""
            return group, tuple(named), tuple(named.values()), type_name
    elif isinstance(value, tuple):
        items, fields = tuple(cast(Sequence[Any], value)), _fields(kind)
        if fields is not None and len(fields) == len(items):
            return GroupKind.NAMED_TUPLE, fields, items, kind.__name__
        return GroupKind.TUPLE, (), items, ""
    elif isinstance(value, list):
        return GroupKind.LIST, (), tuple(cast(list[Any], value)), ""
    where = f"`{path}`" if path else "the result of the module"
    raise error(
        code,
        f"{where} is {kind.__name__}, which cannot be taken apart into tensors",
        "use tensors in tuples, lists, dicts, named tuples or dataclasses",
    )


def _fields(kind: Any) -> tuple[str, ...] | None:
    """Name the items of a named tuple, or of a tuple such as torch's operators return."""
    return getattr(kind, "_fields", None) or getattr(kind, "__match_args__", None)
