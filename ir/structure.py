"""Nested containers of tensors, as plain data."""

from __future__ import annotations

import collections
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, cast, final

from mcc.ir.tensors import Array

Plain = None | bool | int | float | str
"""A value that is no tensor: it is part of the structure and never changes."""


@final
class GroupKind(StrEnum):
    """The containers that a structure is made of."""

    TUPLE = "tuple"
    LIST = "list"
    DICT = "dict"
    NAMED_TUPLE = "named_tuple"
    RECORD = "record"


@final
class Record(dict[str, Any]):
    """The fields of a dataclass: `record.name`, `record["name"]`, and `record[0]` by position.

    Stands for the results of a class that need not be there where a program runs. Change nothing.
    """

    def __init__(self, fields: Mapping[str, Any]) -> None:
        super().__init__(fields)
        vars(self).update(fields)

    def __missing__(self, key: object) -> Any:
        if isinstance(key, int):
            return tuple(dict[str, Any].values(self))[key]
        raise KeyError(key)


@final
@dataclass(frozen=True)
class Leaf:
    """One tensor: its name in the network, its element type, and its shape for one sample."""

    name: str
    dtype: str
    shape: tuple[int, ...]


@final
@dataclass(frozen=True)
class Constant:
    """A value that is no tensor."""

    value: Plain


@final
@dataclass(frozen=True)
class Group:
    """A container; `keys` names its items where the kind has names."""

    kind: GroupKind
    items: tuple[Structure, ...]
    keys: tuple[str | int, ...] = ()
    type_name: str = ""


Structure = Leaf | Constant | Group


def leaves_of(structure: Structure) -> Iterator[Leaf]:
    """Walk the tensors of a structure in order."""
    if isinstance(structure, Leaf):
        yield structure
    elif isinstance(structure, Group):
        for item in structure.items:
            yield from leaves_of(item)


def map_leaves(structure: Structure, change: Callable[[Leaf], Leaf]) -> Structure:
    """Return the same structure around other tensors."""
    if isinstance(structure, Leaf):
        return change(structure)
    if isinstance(structure, Group):
        items = tuple(map_leaves(item, change) for item in structure.items)
        return replace(structure, items=items)
    return structure


def structure_to_dict(structure: Structure) -> dict[str, Any]:
    """Write a structure as plain data."""
    if isinstance(structure, Leaf):
        shape = list(structure.shape)
        return {"kind": "leaf", "name": structure.name, "dtype": structure.dtype, "shape": shape}
    if isinstance(structure, Constant):
        return {"kind": "constant", "value": structure.value}
    return {
        "kind": str(structure.kind),
        "items": [structure_to_dict(item) for item in structure.items],
        "keys": list(structure.keys),
        "type_name": structure.type_name,
    }


def structure_from_dict(data: Mapping[str, Any]) -> Structure:
    """Read what `structure_to_dict` wrote."""
    kind = data["kind"]
    if kind == "leaf":
        return Leaf(data["name"], data["dtype"], tuple(data["shape"]))
    if kind == "constant":
        return Constant(data["value"])
    items = tuple(structure_from_dict(item) for item in data["items"])
    return Group(GroupKind(kind), items, tuple(data["keys"]), data["type_name"])


def build(structure: Structure, values: Mapping[str, Array], as_torch: bool) -> Any:
    """Put named tensors into a structure, as arrays or as torch tensors."""
    if isinstance(structure, Leaf):
        array = values[structure.name]
        return sys.modules["torch"].from_numpy(array.copy()) if as_torch else array
    if isinstance(structure, Constant):
        return structure.value
    items = [build(item, values, as_torch) for item in structure.items]
    if structure.kind is GroupKind.DICT:
        return dict(zip(structure.keys, items, strict=True))
    if structure.kind is GroupKind.RECORD:
        return Record(dict(zip(map(str, structure.keys), items, strict=True)))
    if structure.kind is GroupKind.NAMED_TUPLE:
        fields = [str(key) for key in structure.keys]
        return cast(Any, collections).namedtuple(structure.type_name, fields)(*items)
    return items if structure.kind is GroupKind.LIST else tuple(items)
