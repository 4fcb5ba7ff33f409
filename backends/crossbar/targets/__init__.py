"""The shipped targets: one YAML file is one chip, one in `devices` a device card for chips."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from mcc.ir.diagnostics import error, nearest
from mcc.ir.hardware import Card, Target, files_of, load_card, load_target
from mcc.ir.hardware.layers import is_card, layers_of

FOLDER = Path(__file__).parent
DEVICES = "devices"


def names() -> list[str]:
    """Return the names of the shipped targets."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


def cards() -> list[str]:
    """Return the names of the shipped device cards, as `extends` takes them: `devices/NAME`."""
    return sorted(f"{DEVICES}/{path.stem}" for path in (FOLDER / DEVICES).glob("*.yaml"))


def path(name: str) -> Path:
    """Return the file of a shipped target or device card.

    Raises:
        MccError: There is no target of this name.
    """
    if name not in [*names(), *cards()]:
        help = nearest(name, [*names(), *cards()])
        raise error("target-unknown", f"no target is named `{name}`", help)
    return FOLDER / f"{name}.yaml"


def load(
    name_or_path: str | Path,
    overrides: Mapping[str, str] | None = None,
    device: str | Path | None = None,
) -> Target:
    """Load a shipped target by name, or a file; a file may extend a shipped target by name.

    Args:
        name_or_path: The target.
        overrides: New values by dotted path, as text.
        device: A device card that replaces its cell, by name (`pcm_joshi`) or as a file.

    Raises:
        MccError: Nothing is found there, or the target is wrong.
    """
    card = None if device is None else _card_place(device)
    return load_target(_place(name_or_path), overrides, library=(FOLDER,), device=card)


def load_device(name_or_path: str | Path) -> Card:
    """Load a device card by name (`pcm_joshi`) or from a file.

    Raises:
        MccError: Nothing is found there, or the card is wrong.
    """
    return load_card(_card_place(name_or_path), library=(FOLDER,))


def load_any(name: str) -> Target | Card:
    """Load a chip or a device card, whichever has this name or stands in this file.

    Raises:
        MccError: Nothing is found there, or what is found is wrong.
    """
    place = file_of(name)
    card = is_card([layer.document for layer in layers_of(place, (FOLDER,))])
    return load_card(place, (FOLDER,)) if card else load_target(place, library=(FOLDER,))


def file_of(name: str) -> Path:
    """Return the file of a shipped name, or the one of this path.

    Raises:
        MccError: There is neither.
    """
    shipped = name in [*names(), *cards()]
    return Path(name) if not shipped and Path(name).is_file() else _place(name)


def files(name_or_path: str | Path, device: str | Path | None = None) -> list[Path]:
    """Return the file of a target and those that it extends, and those of a device card.

    Raises:
        MccError: Nothing is found there.
    """
    card = None if device is None else _card_place(device)
    return files_of(_place(name_or_path), library=(FOLDER,), device=card)


def _card_place(name_or_path: str | Path) -> Path:
    text = str(name_or_path)
    full = text if text in cards() else f"{DEVICES}/{text}"
    if full in cards():
        return path(full)
    if isinstance(name_or_path, Path) or "/" in text or text.endswith((".yaml", ".yml")):
        return Path(text)
    known = [name.partition("/")[2] for name in cards()]
    raise error("target-unknown", f"no device card is named `{text}`", nearest(text, known))


def _place(name_or_path: str | Path) -> Path:
    text = str(name_or_path)
    if text in cards():
        return path(text)
    is_file = isinstance(name_or_path, Path) or "/" in text or text.endswith((".yaml", ".yml"))
    return Path(text) if is_file else path(text)
