"""What the files of a target say together: later ones override earlier ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import final

from mcc.ir.diagnostics import Diagnostic, Location
from mcc.ir.hardware.fields import leaves
from mcc.ir.hardware.layers import Layer
from mcc.ir.hardware.quantities import Quantity


@final
@dataclass
class Merged:
    """The quantities of some files, with their places and with what is wrong in their form."""

    name: str = ""
    description: str = ""
    quantities: dict[str, Quantity] = field(default_factory=dict[str, Quantity])
    places: dict[str, Location] = field(default_factory=dict[str, Location])
    tried: set[str] = field(default_factory=set[str])
    """What any of the files gives, well or badly; with `name` and `description`."""
    findings: list[Diagnostic] = field(default_factory=list[Diagnostic])


def merged(layers: Sequence[Layer]) -> Merged:
    """Lay files over each other, the last on top; a file that comes twice is judged once."""
    found = Merged()
    judged: set[str] = set()
    for layer in layers:
        document = layer.document
        if str(document.path) not in judged:
            found.findings += document.findings
            found.findings += _quoted_numbers(layer)
        judged.add(str(document.path))
        if layer.named:
            _take_texts(found, layer)
        found.tried |= document.tried
        for key, entry in document.entries.items():
            found.quantities[key], found.places[key] = entry.quantity, entry.location
    return found


def _take_texts(found: Merged, layer: Layer) -> None:
    """Take name and description; what builds on a named target is named, else after its file."""
    document, texts = layer.document, layer.document.texts
    found.tried |= texts.keys()
    if "name" in texts:
        found.name, found.places["name"] = texts["name"], document.place("name")
    elif found.name and document.extends and "name" not in document.lines:
        found.name, found.places["name"] = document.path.stem, document.place("extends")
    found.description = " ".join(texts.get("description", found.description).split())


def _quoted_numbers(layer: Layer) -> list[Diagnostic]:
    return [
        Diagnostic(
            "target-invalid", f"`{key}` is a text, not a number",
            "write it without quotes", entry.location,
        )
        for key, entry in layer.document.entries.items()
        if entry.quoted and not leaves()[key].choices
    ]  # fmt: skip
