"""Writes a target as the text of a file, with every number resolved and its origin beside it."""

from __future__ import annotations

import json

from mcc.ir.hardware.quantities import Quantity
from mcc.ir.hardware.target import Target


def resolved_text(target: Target) -> str:
    """Return a file without `extends` that loads to an equal target; comments give the origins."""
    lines = [f"name: {_quoted(target.name)}", f"description: {_quoted(target.description)}"]
    open_groups: list[str] = []
    for path, quantity in target.provenance.items():
        *groups, name = path.split(".")
        if groups != open_groups:
            shared = _shared(groups, open_groups)
            lines += [f"{'  ' * depth}{groups[depth]}:" for depth in range(shared, len(groups))]
            open_groups = groups
        lines.append(f"{'  ' * len(groups)}{name}: {_quantity(quantity)}")
    return "\n".join(lines) + "\n"


def _shared(left: list[str], right: list[str]) -> int:
    count = 0
    for one, other in zip(left, right, strict=False):
        if one != other:
            break
        count += 1
    return count


def _quantity(quantity: Quantity) -> str:
    unit = f"unit: {_quoted(quantity.unit)}, " if quantity.unit else ""
    place = f"  # {quantity.file}:{quantity.line}" if quantity.line else ""
    source = _quoted(quantity.source)
    return f"{{value: {quantity.value}, {unit}kind: {quantity.kind}, source: {source}}}{place}"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
