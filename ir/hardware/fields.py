"""The leaves of the schema as a flat table: dotted path, type, and what a number measures."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, cast, final, get_args, get_origin, get_type_hints

from mcc.ir.hardware.lines import Wires
from mcc.ir.hardware.quantities import Measures
from mcc.ir.hardware.schema import Area, Cell, Chip, Core, Energy, Host, Macro
from mcc.ir.hardware.units import Dimension

SECTIONS: dict[str, type] = {
    "chip": Chip,
    "core": Core,
    "macro": Macro,
    "cell": Cell,
    "wires": Wires,
    "host": Host,
    "energy": Energy,
    "area": Area,
}
"""The sections of a target file, in the order in which they are written."""

Value = int | float | bool | str
"""The value of a leaf in its natural unit; choices by name."""


@final
@dataclasses.dataclass(frozen=True)
class Leaf:
    """One number or choice of the schema."""

    path: str
    annotation: Any
    """The annotated type, as pydantic takes it."""
    plain: type
    """`int`, `float`, `bool`, or an enumeration."""
    dimension: Dimension | None
    """What the number measures; None for a choice."""
    owner: str
    """Name of the class that declares it."""

    @property
    def choices(self) -> tuple[str, ...]:
        """The names that may stand here; empty for a number."""
        if self.plain is bool:
            return ("false", "true")
        if issubclass(self.plain, StrEnum):
            return tuple(item.value for item in self.plain)
        return ()


def _walk(prefix: str, cls: type) -> list[Leaf]:
    hints = get_type_hints(cls, include_extras=True)
    found: list[Leaf] = []
    for field in dataclasses.fields(cls):
        path, annotation = f"{prefix}.{field.name}", hints[field.name]
        if dataclasses.is_dataclass(annotation):
            found += _walk(path, cast(type, annotation))
        elif get_origin(annotation) is Annotated:
            plain, *marks = get_args(annotation)
            dimension = next(mark.dimension for mark in marks if isinstance(mark, Measures))
            found.append(Leaf(path, annotation, plain, dimension, cls.__name__))
        else:
            found.append(Leaf(path, annotation, annotation, None, cls.__name__))
    return found


@functools.cache
def leaves() -> dict[str, Leaf]:
    """Return every leaf of the schema by its dotted path, in the order of the schema."""
    found = [leaf for name, cls in SECTIONS.items() for leaf in _walk(name, cls)]
    return {leaf.path: leaf for leaf in found}


def parts(prefix: str, cls: type) -> dict[str, type]:
    """Return the dataclasses inside a section by dotted path, in the order of the schema."""
    found: dict[str, type] = {}
    for name, annotation in get_type_hints(cls).items():
        if dataclasses.is_dataclass(annotation):
            path = f"{prefix}.{name}"
            found |= {path: cast(type, annotation), **parts(path, cast(type, annotation))}
    return found


def flatten(section: object, prefix: str) -> dict[str, Value]:
    """Return the leaves of one section (or of a part of it) by dotted path."""
    found: dict[str, Value] = {}
    for field in dataclasses.fields(cast(Any, section)):
        value = getattr(section, field.name)
        path = f"{prefix}.{field.name}"
        if dataclasses.is_dataclass(value):
            found |= flatten(value, path)
        else:
            found[path] = value.value if isinstance(value, StrEnum) else value
    return found


def assemble(cls: type, prefix: str, values: Mapping[str, Value]) -> Any:
    """Return a section (or a part of one) made of its leaves; the opposite of `flatten`."""
    hints = get_type_hints(cls, include_extras=True)
    arguments: dict[str, Any] = {}
    for field in dataclasses.fields(cls):
        path, annotation = f"{prefix}.{field.name}", hints[field.name]
        if dataclasses.is_dataclass(annotation):
            arguments[field.name] = assemble(cast(type, annotation), path, values)
        else:
            plain = leaves()[path].plain
            value = values[path]
            arguments[field.name] = plain(value) if issubclass(plain, StrEnum) else value
    return cls(**arguments)
