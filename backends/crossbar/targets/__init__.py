"""The shipped targets: one YAML file is one chip."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from mcc.ir.diagnostics import error, nearest
from mcc.ir.hardware import Target, files_of, load_target

FOLDER = Path(__file__).parent


def names() -> list[str]:
    """Return the names of the shipped targets."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


def path(name: str) -> Path:
    """Return the file of a shipped target.

    Raises:
        MccError: There is no target of this name.
    """
    if name not in names():
        raise error("target-unknown", f"no target is named `{name}`", nearest(name, names()))
    return FOLDER / f"{name}.yaml"


def load(name_or_path: str | Path, overrides: Mapping[str, str] | None = None) -> Target:
    """Load a shipped target by name, or a file; a file may extend a shipped target by name.

    Raises:
        MccError: Nothing is found there, or the target is wrong.
    """
    return load_target(_place(name_or_path), overrides, library=(FOLDER,))


def files(name_or_path: str | Path) -> list[Path]:
    """Return the file of a target and those that it extends.

    Raises:
        MccError: Nothing is found there.
    """
    return files_of(_place(name_or_path), library=(FOLDER,))


def _place(name_or_path: str | Path) -> Path:
    text = str(name_or_path)
    is_file = isinstance(name_or_path, Path) or "/" in text or text.endswith((".yaml", ".yml"))
    return Path(text) if is_file else path(text)
