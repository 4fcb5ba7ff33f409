"""Writes the machine manual, `docs/machine.md`, from the declarations of the instructions.

Run as `python -m mcc.ir.program.manual > docs/machine.md`.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from typing import Any

from mcc.ir.program.declarations import fields_of
from mcc.ir.program.instructions import INSTRUCTIONS
from mcc.ir.program.instructions.base import Instruction
from mcc.ir.program.instructions.vector import CLASSES
from mcc.ir.program.kinds import DTYPES
from mcc.ir.program.machine_model import ENCODING, INTRODUCTION, MODEL


def manual() -> str:
    """Return the page."""
    types = ", ".join(f"`{item}` {code}" for code, item in enumerate(DTYPES))
    texts = ", ".join(f"`{item.short}`" for item in DTYPES)
    encoding = ENCODING.replace("TEXT_TYPES", texts).replace("TYPES", types)
    parts = [INTRODUCTION, MODEL, encoding, _overview()]
    parts += [_instruction(item) for item in INSTRUCTIONS]
    parts.append(_elementary())
    return "\n".join(parts)


def _overview() -> str:
    rows = ["## Instructions\n", "| opcode | instruction | by | meaning |", "|---|---|---|---|"]
    for item in INSTRUCTIONS:
        name = f"[`{item.MNEMONIC}`](#{item.MNEMONIC})"
        rows.append(
            f"| `{item.OPCODE:#04x}` | {name} | {_unit(item)} | {_doc(item).splitlines()[0]} |"
        )
    return "\n".join(rows) + "\n"


def _unit(item: type[Instruction]) -> str:
    module = item.__module__.rpartition(".")[2]
    return "sequencer" if module == "control" else f"{module} unit".replace("mover unit", "mover")


def _instruction(item: type[Instruction]) -> str:
    declared = fields_of(item)[1:]
    parts = [f"### {item.MNEMONIC}\n", f"{_doc(item)}\n"]
    if declared:
        rows = ["| field | binary | text | meaning |", "|---|---|---|---|"]
        for field in declared:
            layout, syntax = field.kind.layout, field.kind.syntax
            rows.append(f"| `{field.name}` | {layout} | {syntax} | {field.text} |")
        parts.append("\n".join(rows) + "\n")
    parts.append(f"*Time.* {_joined(item.timing)}\n")
    parts.append(f"*Events.* {_joined(item.events)}\n")
    return "\n".join(parts)


def _elementary() -> str:
    rows = [
        "## Elementary operations of the vector unit\n",
        "What one element takes, by field of `core.vector.cycles`.\n",
        "| instruction | operations |",
        "|---|---|",
        "| `quantize` | divide, convert, add, compare, compare, convert |",
        "| `dequantize` | convert, multiply; add where there is a bias |",
    ]
    for operation, classes in CLASSES.items():
        mnemonic = type(operation).__name__.removesuffix("Operation").lower()
        rows.append(f"| `{mnemonic}.{operation}` | {', '.join(classes)} |")
    return "\n".join(rows) + "\n"


def _joined(item: Callable[..., Any]) -> str:
    """Return a docstring with its summary and what follows in one paragraph."""
    summary, _, rest = _doc(item).partition("\n\n")
    return f"{summary}\n\n{rest}" if rest.startswith("1.") else f"{summary}\n{rest}".strip()


def _doc(item: type[Instruction] | Callable[..., Any]) -> str:
    text = inspect.getdoc(item)
    assert text, f"{item} has no docstring"
    return text


if __name__ == "__main__":
    sys.stdout.write(manual())
