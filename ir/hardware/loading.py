"""Loads a target from its file: inheritance, overrides, then everything that is wrong at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from mcc.ir.diagnostics import Diagnostic, Location, error, nearest
from mcc.ir.hardware.fields import leaves
from mcc.ir.hardware.layers import Layer, is_card, layers_of
from mcc.ir.hardware.merging import Merged, merged
from mcc.ir.hardware.quantities import Kind, Quantity
from mcc.ir.hardware.target import Target, build
from mcc.ir.hardware.units import UNITS, natural_unit
from mcc.ir.hardware.values import number_mistake

OVERRIDE = Location("--set")


def load_target(
    path: str | Path,
    overrides: Mapping[str, str] | None = None,
    library: Sequence[Path] = (),
    device: Path | None = None,
) -> Target:
    """Read a target file strictly.

    Args:
        path: The YAML file.
        overrides: New values by dotted path, as text: `"6"`, `"28 uS"`, `"differential"`. A bare
            number is in the natural unit of its field.
        library: Folders in which `extends: NAME` is looked up after the folder of the file.
        device: A device card whose cell replaces that of the file; its name follows a `+`.

    Raises:
        MccError: With everything that is wrong, each with its file and line.
    """
    place = Location(str(path), 1)
    layers = layers_of(Path(path), library)
    _refuse_card(layers, place)
    found = merged([*layers, *_card_layers(device, library)])
    name = f"{found.name}+{device.stem}" if device is not None else found.name
    for key, text in (overrides or {}).items():
        quantity = _override(key, text)
        if isinstance(quantity, Diagnostic):
            found.findings.append(quantity)
        else:
            found.quantities[key], found.places[key] = quantity, OVERRIDE
    found.findings += _missing(found, place)
    findings = tuple(found.findings)
    return build(name, found.description, found.quantities, found.places, findings)


def files_of(
    path: str | Path, library: Sequence[Path] = (), device: Path | None = None
) -> list[Path]:
    """Return a target file, those that it extends, and those of a device card.

    Raises:
        MccError: One of them cannot be read.
    """
    layers = [*layers_of(Path(path), library), *_card_layers(device, library)]
    return list(dict.fromkeys(layer.document.path for layer in layers))


def _refuse_card(layers: Sequence[Layer], place: Location) -> None:
    if is_card([layer.document for layer in layers]):
        text = "the file gives values of `cell` only: it is a device card, not a chip"
        help = "lay it over a chip with `--device`, or name both: `extends: [rram40nm, FILE]`"
        raise error("target-card", text, help, place)


def _card_layers(device: Path | None, library: Sequence[Path]) -> list[Layer]:
    if device is None:
        return []
    layers = layers_of(device, library)
    if not is_card([layer.document for layer in layers]):
        text = f"{device.name} is no device card: it must give values of `cell` and of nothing else"
        raise error("target-card", text, "`mcc targets` lists the cards", Location(str(device)))
    return [Layer(layer.document, named=False) for layer in layers]


def _missing(found: Merged, place: Location) -> list[Diagnostic]:
    help = "give it, or build on a target that has it: `extends: rram40nm`"
    return [
        Diagnostic("target-missing-key", f"`{key}` is not given", help, place)
        for key in ("name", "description", *leaves())
        if key not in found.tried and key not in found.quantities
    ]


def _override(key: str, text: str) -> Quantity | Diagnostic:
    if key not in leaves():
        alike = {path.replace("_", "."): path for path in leaves()}
        known = [alike[name]] if (name := key.replace("_", ".")) in alike else leaves()
        help = nearest(key, known)
        return Diagnostic("target-unknown-key", f"unknown key `{key}`", help, OVERRIDE)
    leaf = leaves()[key]
    number, _, unit = text.strip().partition(" ")
    if leaf.dimension is None:
        number, unit = text.strip(), ""
    else:
        mistake = number_mistake(number, UNITS[leaf.dimension])
        if mistake is not None:
            return Diagnostic("target-invalid", f"`{key}` {mistake[0]}", mistake[1], OVERRIDE)
        unit = unit or natural_unit(leaf.dimension)
    source = "given on the command line"
    return Quantity(number, unit.strip(), source, Kind.ASSUMED, OVERRIDE.file, 0)
