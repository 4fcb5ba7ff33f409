"""Reads one target file into entries with their lines; judges its form, not yet its values."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast, final

import yaml

from mcc.ir.diagnostics import Diagnostic, Location, error, nearest
from mcc.ir.files import unreadable
from mcc.ir.hardware.fields import SECTIONS, leaves
from mcc.ir.hardware.quantities import Kind, Quantity

_LARGEST = 2**20
_DEEPEST = 8
_TEXTS = ("name", "description")
_FORM = "`mcc targets show rram40nm` shows a target file"
_PARTS = ("value", "unit", "source", "kind")


@final
@dataclass(frozen=True)
class Entry:
    """One leaf as the file has it, and whether its value was quoted."""

    quantity: Quantity
    quoted: bool
    location: Location


@final
@dataclass
class Document:
    """What one file says, before inheritance."""

    path: Path
    texts: dict[str, str] = field(default_factory=dict[str, str])
    extends: tuple[str, ...] = ()
    """What the file builds on, the first below all others."""
    lines: dict[str, int] = field(default_factory=dict[str, int])
    entries: dict[str, Entry] = field(default_factory=dict[str, Entry])
    tried: set[str] = field(default_factory=set[str])
    """Leaves that the file gives, well or badly."""
    findings: list[Diagnostic] = field(default_factory=list[Diagnostic])

    def place(self, text: str) -> Location:
        """Return where the file gives its name, its description or what it extends."""
        return Location(str(self.path), self.lines[text])

    def find(self, code: str, message: str, line: int, help: str = "") -> None:
        """Note something wrong at a line of the file."""
        self.findings.append(Diagnostic(code, message, help, Location(str(self.path), line)))


def read(path: Path) -> Document:
    """Read a target file; what is wrong with its form is in `findings`.

    Raises:
        MccError: The file cannot be read at all, or is not YAML.
    """
    root = _compose(path)
    document = Document(path)
    for name, key, node in _items(document, root, ""):
        if name in _TEXTS:
            document.texts[name] = node.value if isinstance(node, yaml.ScalarNode) else ""
            document.lines[name] = _line(key)
            if not document.texts[name]:
                document.find("target-invalid", f"`{name}` is not a text", _line(key), _FORM)
        elif name == "extends":
            _extends(document, node, _line(key))
        elif name in SECTIONS:
            _walk(document, node, name)
        else:
            known = [*_TEXTS, "extends", *SECTIONS]
            message = f"unknown key `{name}`"
            document.find("target-unknown-key", message, _line(key), nearest(name, known))
    return document


def _extends(document: Document, node: yaml.Node, line: int) -> None:
    items = node.value if isinstance(node, yaml.SequenceNode) else [node]
    names = [item.value for item in items if isinstance(item, yaml.ScalarNode)]
    if not names or len(names) < len(items) or not all(names):
        document.find(
            "target-invalid",
            "`extends` is neither a name nor a list of names",
            line,
            "write `extends: rram40nm`, or `extends: [rram40nm, devices/pcm_joshi]`",
        )
        names = []
    document.extends, document.lines["extends"] = tuple(map(str, names)), line


def _compose(path: Path) -> yaml.MappingNode:
    text = _text(path)
    try:
        _check_events(text, path)
        root = cast(Any, yaml).compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as problem:
        mark = getattr(problem, "problem_mark", None)
        line = mark.line + 1 if mark is not None else 0
        message = f"not YAML: {getattr(problem, 'problem', None) or problem}"
        raise error("target-syntax", message, _FORM, Location(str(path), line)) from problem
    if not isinstance(root, yaml.MappingNode):
        raise error("target-syntax", "the file holds no keys", _FORM, Location(str(path), 1))
    return root


def _check_events(text: str, path: Path) -> None:
    """Refuse what makes a small file large or deep, before anything is built from it."""
    depth = 0
    for event in cast(Any, yaml).parse(text, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        alias = isinstance(event, yaml.AliasEvent)
        if alias or depth > _DEEPEST:
            what = "an alias" if alias else f"more than {_DEEPEST} levels"
            place = Location(str(path), event.start_mark.line + 1)
            raise error("target-syntax", f"a target file has no use for {what}", _FORM, place)


def _text(path: Path) -> str:
    place = Location(str(path))
    try:
        if path.stat().st_size > _LARGEST:
            raise error("target-syntax", "the file is larger than any target", _FORM, place)
        return path.read_text(encoding="utf-8")
    except OSError as problem:
        raise unreadable(path, problem) from problem
    except UnicodeDecodeError as problem:
        message = f"the file is no text: {problem.reason} at byte {problem.start}"
        help = "a target file is YAML, in UTF-8"
        raise error("target-syntax", message, help, place) from problem


def _line(node: yaml.Node) -> int:
    return node.start_mark.line + 1


def _items(
    document: Document, node: yaml.MappingNode, prefix: str
) -> list[tuple[str, yaml.Node, yaml.Node]]:
    """Return the name, key and value of each item; a repeated key is noted and left out."""
    found: list[tuple[str, yaml.Node, yaml.Node]] = []
    seen: dict[str, int] = {}
    for key, value in cast(list[tuple[yaml.Node, yaml.Node]], node.value):
        name = str(key.value) if isinstance(key, yaml.ScalarNode) else "?"
        full = f"{prefix}{name}"
        if name in seen:
            message = f"`{full}` is already given in line {seen[name]}"
            document.find("target-syntax", message, _line(key), "give it once")
        else:
            seen[name] = _line(key)
            found.append((name, key, value))
    return found


def _walk(document: Document, node: yaml.Node, prefix: str) -> None:
    if not isinstance(node, yaml.MappingNode):
        document.find("target-invalid", f"`{prefix}` is a section with keys", _line(node), _FORM)
        return
    for name, key, value in _items(document, node, f"{prefix}."):
        path = f"{prefix}.{name}"
        if path in leaves():
            _leaf(document, value, path)
        elif any(known.startswith(f"{path}.") for known in leaves()):
            _walk(document, value, path)
        else:
            known = {
                item.removeprefix(f"{prefix}.") for item in leaves() if item.startswith(prefix)
            }
            help = nearest(name, {item.split(".")[0] for item in known})
            document.find("target-unknown-key", f"unknown key `{path}`", _line(key), help)


def _leaf(document: Document, node: yaml.Node, path: str) -> None:
    line = _line(node)
    document.tried.add(path)
    if not isinstance(node, yaml.MappingNode):
        document.find("target-bare-number", f"`{path}` is a bare value", line, _whole(path))
        return
    parts: dict[str, yaml.ScalarNode] = {}
    sound = True
    for name, key, value in _items(document, node, f"{path}."):
        if name not in _PARTS:
            message = f"unknown key `{name}` in `{path}`"
            document.find("target-unknown-key", message, _line(key), nearest(name, _PARTS))
        elif not isinstance(value, yaml.ScalarNode):
            message = f"`{name}` of `{path}` is not a scalar"
            document.find("target-invalid", message, _line(key), _whole(path))
            sound = False
        else:
            parts[name] = value
    if sound and _complete(document, parts, path, line):
        _enter(document, parts, path, line)


def _whole(path: str) -> str:
    unit = "" if leaves()[path].choices else "unit: …, "
    return f"write `{path.rpartition('.')[2]}: {{value: …, {unit}source: …, kind: …}}`"


def _complete(document: Document, parts: dict[str, yaml.ScalarNode], path: str, line: int) -> bool:
    needed = [part for part in _PARTS if part != "unit" or not leaves()[path].choices]
    missing = [part for part in needed if part not in parts or not parts[part].value]
    if missing:
        message = f"`{path}` lacks {', '.join(f'`{part}`' for part in missing)}"
        document.find("target-missing-key", message, line, _whole(path))
    kinds = [kind.value for kind in Kind]
    given = parts.get("kind")
    wrong = given is not None and given.value != "" and given.value not in kinds
    if given is not None and wrong:
        message = f"`{given.value}` of `{path}` is no kind of origin"
        document.find("target-invalid", message, _line(given), nearest(given.value, kinds))
    return not missing and not wrong


def _enter(document: Document, parts: dict[str, yaml.ScalarNode], path: str, line: int) -> None:
    value = parts["value"]
    unit = parts["unit"].value if "unit" in parts else ""
    source, kind = " ".join(parts["source"].value.split()), Kind(parts["kind"].value)
    quantity = Quantity(value.value, unit, source, kind, document.path.name, line)
    location = Location(str(document.path), line)
    document.entries[path] = Entry(quantity, value.style is not None, location)
