"""Loads a target from its file: inheritance, overrides, then everything that is wrong at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from mcc.ir.diagnostics import Diagnostic, Location, error, nearest
from mcc.ir.hardware.fields import leaves
from mcc.ir.hardware.quantities import Kind, Quantity
from mcc.ir.hardware.reading import Document, read
from mcc.ir.hardware.target import Target, build
from mcc.ir.hardware.units import natural_unit
from mcc.ir.hardware.values import is_number

OVERRIDE = Location("--set")
_DEEPEST = 8


def load_target(
    path: str | Path,
    overrides: Mapping[str, str] | None = None,
    library: Sequence[Path] = (),
) -> Target:
    """Read a target file strictly.

    Args:
        path: The YAML file.
        overrides: New values by dotted path, as text: `"6"`, `"28 uS"`, `"differential"`. A bare
            number is in the natural unit of its field.
        library: Folders in which `extends: NAME` is looked up after the folder of the file.

    Raises:
        MccError: With everything that is wrong, each with its file and line.
    """
    chain = _chain(Path(path), library)
    findings = [finding for document in chain for finding in document.findings]
    quantities: dict[str, Quantity] = {}
    places: dict[str, Location] = {}
    texts: dict[str, str] = {}
    for document in reversed(chain):
        texts |= document.texts
        if "name" in document.texts:
            places["name"] = Location(str(document.path), document.lines["name"])
        for key, entry in document.entries.items():
            quantities[key], places[key] = entry.quantity, entry.location
            if entry.quoted and not leaves()[key].choices:
                message = f"`{key}` is a text, not a number"
                help = "write it without quotes"
                findings.append(Diagnostic("target-invalid", message, help, entry.location))
    for key, text in (overrides or {}).items():
        found = _override(key, text)
        if isinstance(found, Diagnostic):
            findings.append(found)
        else:
            quantities[key], places[key] = found, OVERRIDE
    findings += _missing(chain, {*texts, *quantities})
    name, description = texts.get("name", ""), texts.get("description", "")
    return build(name, " ".join(description.split()), quantities, places, tuple(findings))


def files_of(path: str | Path, library: Sequence[Path] = ()) -> list[Path]:
    """Return a target file and those that it extends.

    Raises:
        MccError: One of them cannot be read.
    """
    return [document.path for document in _chain(Path(path), library)]


def _missing(chain: Sequence[Document], found: set[str]) -> list[Diagnostic]:
    place = Location(str(chain[0].path), 1)
    tried = {path for document in chain for path in document.tried}
    help = "give it, or build on a target that has it: `extends: rram40nm`"
    return [
        Diagnostic("target-missing-key", f"`{key}` is not given", help, place)
        for key in ("name", "description", *leaves())
        if key not in found and key not in tried
    ]


def _override(key: str, text: str) -> Quantity | Diagnostic:
    if key not in leaves():
        help = nearest(key, leaves())
        return Diagnostic("target-unknown-key", f"unknown key `{key}`", help, OVERRIDE)
    leaf = leaves()[key]
    number, _, unit = text.strip().partition(" ")
    if leaf.dimension is None:
        number, unit = text.strip(), ""
    elif not unit and is_number(number):
        unit = natural_unit(leaf.dimension)
    elif not is_number(number):
        message = f"`{key}` is not a number: `{text}`"
        help = f"write `--set {key}=6`, with a unit after a space where it has another"
        return Diagnostic("target-invalid", message, help, OVERRIDE)
    source = "given on the command line"
    return Quantity(number, unit.strip(), source, Kind.ASSUMED, OVERRIDE.file, 0)


def _chain(path: Path, library: Sequence[Path]) -> list[Document]:
    """Return the file and what it extends, the most derived first."""
    chain = [read(path)]
    while "extends" in chain[-1].texts:
        last = chain[-1]
        parent = _parent(last, library)
        place = Location(str(last.path), last.lines["extends"])
        if any(parent.resolve() == document.path.resolve() for document in chain):
            text = f"`extends` comes back to {parent}"
            raise error("target-invalid", text, "extend a target that stands on its own", place)
        if len(chain) == _DEEPEST:
            text = f"`extends` goes deeper than {_DEEPEST}"
            raise error("target-invalid", text, "extend a target that stands on its own", place)
        chain.append(read(parent))
    return chain


def _parent(document: Document, library: Sequence[Path]) -> Path:
    name = document.texts["extends"]
    folders = [document.path.parent, *library]
    tried = [folder / (name if name.endswith(".yaml") else f"{name}.yaml") for folder in folders]
    for candidate in tried:
        if candidate.is_file():
            return candidate
    place = Location(str(document.path), document.lines["extends"])
    names = {item.stem for folder in folders for item in folder.glob("*.yaml")}
    raise error("target-unknown", f"`extends: {name}` is not found", nearest(name, names), place)
