"""Which files a target is made of: `extends` followed from the base to the file itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import final

from mcc.ir.diagnostics import error, nearest
from mcc.ir.hardware.reading import Document, read

_DEEPEST = 8
_MOST = 64
_HELP = "extend a target that stands on its own"


@final
@dataclass(frozen=True)
class Layer:
    """One file, and whether its name and description count for what extends it."""

    document: Document
    named: bool


def layers_of(path: Path, library: Sequence[Path] = ()) -> list[Layer]:
    """Return the file and what it extends, each before what it overrides; itself last.

    A file that stands in two lists comes twice, so that what follows it there overrides it again.

    Raises:
        MccError: A file cannot be read, or `extends` leads nowhere or into a circle.
    """
    return _layers(read(path), library, ())


def is_card(documents: Sequence[Document]) -> bool:
    """Whether files describe a device alone: they give values of `cell` and of nothing else."""
    tried = {path for document in documents for path in document.tried}
    return bool(tried) and all(path.startswith("cell.") for path in tried)


def _layers(document: Document, library: Sequence[Path], below: tuple[Path, ...]) -> list[Layer]:
    below = (*below, document.path.resolve())
    found: list[Layer] = []
    for name in document.extends:
        parent = _parent(document, name, library)
        place = document.place("extends")
        if parent.resolve() in below:
            raise error("target-invalid", f"`extends` comes back to {parent}", _HELP, place)
        if len(below) == _DEEPEST:
            text = f"`extends` goes deeper than {_DEEPEST}"
            raise error("target-invalid", text, _HELP, place)
        inherited = _layers(read(parent), library, below)
        card = is_card([layer.document for layer in inherited])
        found += [Layer(layer.document, layer.named and not card) for layer in inherited]
        if len(found) > _MOST:
            text = f"`extends` leads to more than {_MOST} files"
            raise error("target-invalid", text, _HELP, place)
    return [*found, Layer(document, named=True)]


def _parent(document: Document, name: str, library: Sequence[Path]) -> Path:
    folders = [document.path.parent, *library]
    tried = [folder / (name if name.endswith(".yaml") else f"{name}.yaml") for folder in folders]
    for candidate in tried:
        if candidate.is_file():
            return candidate
    names = {
        str(item.relative_to(folder).with_suffix(""))
        for folder in folders
        for pattern in ("*.yaml", "devices/*.yaml")
        for item in folder.glob(pattern)
    }
    place = document.place("extends")
    raise error("target-unknown", f"`extends: {name}` is not found", nearest(name, names), place)
