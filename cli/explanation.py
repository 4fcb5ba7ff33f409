"""Where every node of a compiled network went, and why."""

from __future__ import annotations

from typing import Any

import onnx_ir as ir

from mcc.ir.artifact import Artifact
from mcc.ir.network import Unit, from_bytes, locations_of, placement_of


def explanations(artifact: Artifact, name: str | None = None) -> list[dict[str, Any]]:
    """Return where every node went and why.

    Args:
        artifact: The compiled file.
        name: Only the nodes of which the name, the operator or the place in the source holds this.
    """
    rows = [_row(node) for node in from_bytes(artifact.network).graph]
    keys = ("node", "operator", "location")
    return [row for row in rows if name is None or any(name in row[key] for key in keys)]


def _row(node: ir.Node) -> dict[str, Any]:
    placement = placement_of(node)
    return {
        "node": node.name or "",
        "operator": f"{node.domain}.{node.op_type}".lstrip("."),
        "unit": str(placement.unit if placement else Unit.HOST),
        "rule": placement.rule if placement else "",
        "measured": placement.measured if placement else "",
        "location": ", ".join(map(str, locations_of(node))),
    }
