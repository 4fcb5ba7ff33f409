"""Which unit runs a node, and why: kept as data on the node."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import final

import onnx_ir as ir

_KEY = "mcc.placement"


@final
class Unit(StrEnum):
    """What can run a node."""

    CROSSBAR = "crossbar"
    """The arrays: integer contractions with constant weights."""
    VECTOR = "vector"
    """The vector unit of a core."""
    HOST = "host"
    """ONNX Runtime on the host."""
    MEMORY = "memory"
    """Nobody: the result is the same bytes under another shape."""


@final
@dataclass(frozen=True)
class Placement:
    """A decision: the unit, the rule that chose it, and the value that was measured."""

    unit: Unit
    rule: str
    measured: str = ""


def placement_of(node: ir.Node) -> Placement | None:
    """Return where `node` runs, or None before it is placed."""
    stored = node.metadata_props.get(_KEY)
    if stored is None:
        return None
    unit, rule, measured = json.loads(stored)
    return Placement(Unit(unit), rule, measured)


def place(node: ir.Node, placement: Placement) -> None:
    """Record where `node` runs."""
    stored = [placement.unit.value, placement.rule, placement.measured]
    node.metadata_props[_KEY] = json.dumps(stored)
