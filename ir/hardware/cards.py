"""Device cards: files that give the section `cell`, or a part of it, for chips to build on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from mcc.ir.diagnostics import Diagnostic, Location, MccError, error
from mcc.ir.hardware.fields import Value
from mcc.ir.hardware.layers import is_card, layers_of
from mcc.ir.hardware.merging import merged
from mcc.ir.hardware.quantities import Quantity
from mcc.ir.hardware.rules import violations
from mcc.ir.hardware.target import plain_target
from mcc.ir.hardware.values import value_of


@final
@dataclass(frozen=True)
class Card:
    """One device: what it says of a cell, with the origin of each number."""

    name: str
    description: str
    values: Mapping[str, Value]
    """Leaves of `cell` by dotted path, in their natural units."""
    provenance: Mapping[str, Quantity]

    def to_dict(self) -> dict[str, Any]:
        """Return plain data in the form of `Target.to_dict`."""
        return plain_target(self.name, self.description, self.provenance)


def load_card(path: str | Path, library: Sequence[Path] = ()) -> Card:
    """Read a device card strictly; what it leaves out stays as the chip has it.

    Raises:
        MccError: With everything that is wrong; `target-card` if the file is no card.
    """
    path = Path(path)
    layers = layers_of(path, library)
    if not is_card([layer.document for layer in layers]):
        text = f"{path.name} is no device card: it must give values of `cell` and of nothing else"
        raise error("target-card", text, "`mcc targets` lists the cards", Location(str(path)))
    found = merged(layers)
    wrong, values = list(found.findings), dict[str, Value]()
    for key, quantity in found.quantities.items():
        value = value_of(key, quantity, found.places[key])
        if isinstance(value, Diagnostic):
            wrong.append(value)
        else:
            values[key] = value
    for item in violations(values):
        text = f"`{item.path}`: {item.message}"
        wrong.append(Diagnostic("target-invalid", text, item.help, found.places[item.path]))
    if wrong:
        raise MccError(wrong)
    return Card(path.stem, found.description, values, found.quantities)
