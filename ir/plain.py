"""Plain data of a compiled file, which must be of the types that its readers rely on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, cast

import numpy as np

from mcc.ir.network.certificate import Certificate
from mcc.ir.signature import Signature
from mcc.ir.structure import Constant, Group, GroupKind, Leaf, Plain, Structure

_KINDS: dict[str, type] = {"passes": str, "calibration_samples": int}
"""What every provenance has, since proofs are made from it."""


def mapping_of(data: object) -> dict[str, Any]:
    """Return plain data that are a mapping.

    Raises:
        TypeError: They are something else.
    """
    if not isinstance(data, dict):
        raise TypeError(f"it is {type(data).__name__}, not a mapping")
    return cast("dict[str, Any]", data)


def provenance_of(data: object) -> dict[str, Any]:
    """Return plain data that are a provenance: names with one value each.

    Raises:
        TypeError: An entry has another type.
    """
    provenance = mapping_of(data)
    for name, kind in _KINDS.items():
        if type(provenance.get(name)) is not kind:
            raise TypeError(f"`{name}` is no {kind.__name__}")
    for name, value in provenance.items():
        if not isinstance(value, Plain):
            raise TypeError(f"`{name}` is {type(value).__name__}")
    return provenance


def certificate_of(data: Mapping[str, Any]) -> Certificate:
    """Return plain data that are a certificate.

    Raises:
        TypeError: A part of it has another type.
    """
    found = Certificate.from_dict(data)
    texts = (found.subject, found.inputs, found.detail)
    if not _are(texts, str) or not _are((found.passed,), bool):
        raise TypeError("a certificate has other types")
    return found


def check_signature(signature: Signature) -> None:
    """Refuse a signature that no compiler writes.

    Raises:
        TypeError: A part of it has another type.
        ValueError: A part of it contradicts another.
    """
    for item in signature.parameters:
        _demand(isinstance(cast(Any, item.name), str), item.name)
        _demand({type(item.positional), type(item.optional)} == {bool}, item.name)
        _check_structure(item.structure)
    _check_structure(signature.outputs)
    _demand(isinstance(cast(Any, signature.samples), bool), "samples")
    leaves = (*signature.input_leaves, *signature.output_leaves)
    if signature.samples and not all(leaf.shape for leaf in leaves):
        raise ValueError("a scalar has no axis of samples")


def _check_structure(structure: Structure) -> None:
    if isinstance(structure, Leaf):
        _demand(_are((structure.name, structure.dtype), str), structure.name)
        _demand(_are(structure.shape, int) and min(structure.shape, default=0) >= 0, structure.name)
        np.dtype(structure.dtype)
    elif isinstance(structure, Constant):
        _demand(isinstance(cast(Any, structure.value), Plain), "a constant")
    else:
        _check_group(structure)


def _check_group(group: Group) -> None:
    named = group.kind not in (GroupKind.TUPLE, GroupKind.LIST)
    _demand(_are(group.keys, str, int) and isinstance(cast(Any, group.type_name), str), group.kind)
    if named and len(set(group.keys)) != len(group.items):
        raise ValueError(f"a {group.kind} has other names than items")
    for item in group.items:
        _check_structure(item)


def _are(values: Iterable[object], *kinds: type) -> bool:
    return all(type(value) in kinds for value in values)


def _demand(sound: bool, name: object) -> None:
    if not sound:
        raise TypeError(f"the signature of {name!r} has other types")
