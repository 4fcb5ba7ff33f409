"""Writes the reference of target files, `docs/hardware.md`, from the schema itself.

Run as `python -m mcc.ir.hardware.manual > docs/hardware.md`.
"""

from __future__ import annotations

import ast
import inspect
import sys
from enum import StrEnum

from mcc.ir.hardware import choices, device, lines, schema
from mcc.ir.hardware.fields import SECTIONS, Leaf, leaves, parts
from mcc.ir.hardware.quantities import Kind
from mcc.ir.hardware.rules import RULES
from mcc.ir.hardware.units import UNITS

_INTRODUCTION = """# Target files

Generated from `ir/hardware/schema.py`; do not edit.

One YAML file is one chip. It starts with `name`, `description` and, where it builds on another
file, `extends` (a shipped name or a file beside it; without a `name` of its own it is called as
its file is). Then come the sections below. Every value is
written with its origin:

```yaml
cell:
  g_max_siemens: {value: 28, unit: uS, kind: measured, source: "Where the number is from."}
```

`kind` is one of KINDS.
A choice has no `unit`. Nothing has a default: with `extends` a file changes single values,
without it the file states all of them. On the command line, `--set macro.adc.bits=6` takes the
first of the units below, `--set "cell.g_max_siemens=40 uS"` any of them.

No field is inert: `tests/ir/test_targets_inert.py` changes every one of every shipped target and
requires that the report or an output moves. Not every field does so alone. Ports, widths, and the
cycles of units and links show only where something waits for them: away from the bottleneck, other
values leave the cycles as they are. What else a field needs to matter stands in its row.
"""


def manual() -> str:
    """Return the page."""
    page = [_INTRODUCTION.replace("KINDS", ", ".join(f"*{kind}*" for kind in Kind))]
    meanings = field_meanings()
    for section in SECTIONS:
        page.append(f"## `{section}`\n\n{inspect.getdoc(SECTIONS[section])}\n")
        nested = parts(section, SECTIONS[section])
        if nested:
            lines = [f"- `{path}`: {_one_line(cls)}" for path, cls in nested.items()]
            page.append("\n".join(lines) + "\n")
        rows = ["| field | unit | meaning |", "|---|---|---|"]
        for leaf in leaves().values():
            if leaf.path.startswith(f"{section}."):
                rows.append(f"| `{leaf.path}` | {_unit(leaf)} | {_meaning(leaf, meanings)} |")
        page.append("\n".join(rows) + "\n")
    page.append("## What cannot be combined\n")
    sentences = dict.fromkeys(inspect.getdoc(rule.check) for rule in RULES)
    page.append("\n".join(f"- {sentence}" for sentence in sentences) + "\n")
    return "\n".join(page)


def field_meanings() -> dict[tuple[str, str], str]:
    """Return the docstring under each field and each choice of the schema, by class and name."""
    found: dict[tuple[str, str], str] = {}
    modules = (choices, device, lines, schema)
    classes = [it for part in modules for it in ast.parse(inspect.getsource(part)).body]
    for cls in classes:
        if not isinstance(cls, ast.ClassDef):
            continue
        for field, text in zip(cls.body, cls.body[1:], strict=False):
            name, meaning = _assigned(field), _text(text)
            if name and meaning:
                found[cls.name, name] = meaning
    return found


def _one_line(cls: type) -> str:
    return " ".join((inspect.getdoc(cls) or "").split())


def _assigned(statement: ast.stmt) -> str:
    if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
        return statement.target.id
    if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
        return statement.targets[0].id
    return ""


def _text(statement: ast.stmt) -> str:
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
        value: object = statement.value.value
        return " ".join(str(value).split())
    return ""


def _unit(leaf: Leaf) -> str:
    if leaf.dimension is None:
        return "choice"
    return ", ".join(UNITS[leaf.dimension])


def _meaning(leaf: Leaf, meanings: dict[tuple[str, str], str]) -> str:
    text = meanings[leaf.owner, leaf.path.rpartition(".")[2]]
    if issubclass(leaf.plain, StrEnum):
        for member in leaf.plain:
            text += f" `{member.value}`: {meanings[leaf.plain.__name__, member.name]}"
    return text


if __name__ == "__main__":
    sys.stdout.write(manual())
