"""A target: one chip, with the origin of each of its numbers."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, final

from mcc.ir.diagnostics import NOWHERE, Diagnostic, Location, MccError, error, nearest
from mcc.ir.hardware.fields import SECTIONS, Value, assemble, flatten, leaves
from mcc.ir.hardware.lines import Wires
from mcc.ir.hardware.quantities import Kind, Quantity
from mcc.ir.hardware.rules import violations
from mcc.ir.hardware.schema import Area, Cell, Chip, Core, Energy, Host, Macro
from mcc.ir.hardware.units import natural_unit
from mcc.ir.hardware.values import value_of

_NAME = re.compile(r"[^\W_][\w.+-]*")


@final
@dataclass(frozen=True, kw_only=True)
class Target:
    """One chip and its host; equal to another when all values are equal, whatever their origin."""

    name: str
    description: str
    chip: Chip
    core: Core
    macro: Macro
    cell: Cell
    wires: Wires
    host: Host
    energy: Energy
    area: Area
    provenance: Mapping[str, Quantity] = field(
        default_factory=dict[str, Quantity], compare=False, repr=False
    )
    """Origin of each leaf by dotted path; filled in where it is not given."""

    def __post_init__(self) -> None:
        values = self.values()
        findings = [
            Diagnostic("target-invalid", f"`{item.path}`: {item.message}")
            for item in violations(values)
        ]
        if findings:
            raise MccError(findings)
        origin = {
            path: self.provenance.get(path) or given(path, value, "given in code")
            for path, value in values.items()
        }
        object.__setattr__(self, "provenance", origin)

    def values(self) -> dict[str, Value]:
        """Return every leaf by dotted path, in its natural unit, choices by name."""
        found: dict[str, Value] = {}
        for name in SECTIONS:
            found |= flatten(getattr(self, name), name)
        return found

    def with_values(self, changes: Mapping[str, Value], source: str = "given in code") -> Target:
        """Return the target with other values at some dotted paths.

        Raises:
            MccError: A path is unknown, a value is out of its bounds, or together they are
                impossible.
        """
        unknown = [path for path in changes if path not in leaves()]
        if unknown:
            text = f"unknown key `{unknown[0]}`"
            raise error("target-unknown-key", text, nearest(unknown[0], leaves()))
        origin = dict(self.provenance)
        for path, value in changes.items():
            origin[path] = given(path, value, source)
        return build(self.name, self.description, origin)

    def digest(self) -> str:
        """Return a hash of the name and all values; origins do not enter."""
        text = json.dumps([self.name, self.values()], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def to_dict(self) -> dict[str, Any]:
        """Return plain data from which `target_from_dict` makes an equal target."""
        return plain_target(self.name, self.description, self.provenance)


def plain_target(name: str, description: str, provenance: Mapping[str, Quantity]) -> dict[str, Any]:
    """Return a target, or a part of one, as plain data."""
    quantities = {
        path: [item.value, item.unit, item.kind.value, item.source, item.file, item.line]
        for path, item in provenance.items()
    }
    return {"name": name, "description": description, "quantities": quantities}


def given(path: str, value: Value, source: str, place: str = "") -> Quantity:
    """Return the quantity of a value that was given in the natural unit of its field."""
    leaf = leaves()[path]
    unit = natural_unit(leaf.dimension) if leaf.dimension else ""
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return Quantity(text, unit, source, Kind.ASSUMED, place, 0)


def target_from_dict(data: Mapping[str, Any]) -> Target:
    """Make a target from the plain data of `Target.to_dict`.

    Raises:
        MccError: The data are damaged or break a rule.
    """
    try:
        quantities = {
            str(path): Quantity(str(v), str(unit), str(source), Kind(kind), str(file), int(line))
            for path, (v, unit, kind, source, file, line) in dict(data["quantities"]).items()
        }
        name, description = str(data["name"]), str(data["description"])
    except (KeyError, TypeError, ValueError) as problem:
        message = f"the target is damaged: {problem!r}"
        raise MccError([Diagnostic("target-invalid", message)]) from problem
    return build(name, description, quantities)


def build(
    name: str,
    description: str,
    quantities: Mapping[str, Quantity],
    locations: Mapping[str, Location] | None = None,
    findings: tuple[Diagnostic, ...] = (),
) -> Target:
    """Make a target from the quantities of all leaves, collecting everything that is wrong.

    Args:
        name: Name of the target.
        description: One sentence about it.
        quantities: Every leaf as written.
        locations: Where to point, by path; by default the file of the quantity.
        findings: What is already known to be wrong; raised with the rest.

    Raises:
        MccError: Something is missing, unknown, out of bounds or impossible together.
    """
    places = {path: Location(item.file, item.line) for path, item in quantities.items()}
    places |= dict(locations or {})
    values, wrong = _values(quantities, places)
    if findings:
        wrong = [item for item in wrong if item.code != "target-missing-key"]
    wrong = [*findings, *wrong]
    wrong += _name_problems(name, places.get("name", NOWHERE))
    unknown = [path for path in quantities if path not in leaves()]
    wrong += [Diagnostic("target-unknown-key", f"unknown key `{path}`") for path in unknown]
    wrong += [
        Diagnostic("target-invalid", f"`{item.path}`: {item.message}", item.help, places[item.path])
        for item in violations(values)
    ]
    if wrong:
        raise MccError(wrong)
    sections = {key: assemble(cls, key, values) for key, cls in SECTIONS.items()}
    ordered = {path: quantities[path] for path in leaves()}
    parts: dict[str, Any] = {"provenance": ordered, **sections}
    return Target(name=name, description=description, **parts)


def _name_problems(name: str, place: Location) -> list[Diagnostic]:
    if not name or _NAME.fullmatch(name):
        return []
    text = f"`{name}` is no name of a target"
    help = "write letters, digits, `.`, `_`, `+` and `-`, a letter or digit first"
    return [Diagnostic("target-invalid", text, help, place)]


def _values(
    quantities: Mapping[str, Quantity], places: Mapping[str, Location]
) -> tuple[dict[str, Value], list[Diagnostic]]:
    """Return the values of the leaves, and what is wrong with or missing from them."""
    values: dict[str, Value] = {}
    wrong: list[Diagnostic] = []
    for path in leaves():
        if path not in quantities:
            wrong.append(Diagnostic("target-missing-key", f"`{path}` is not given"))
            continue
        found = value_of(path, quantities[path], places[path])
        if isinstance(found, Diagnostic):
            wrong.append(found)
        else:
            values[path] = found
    return values, wrong
