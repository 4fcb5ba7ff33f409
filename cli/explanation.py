"""Where every node of a compiled network went, and why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mcc.ir.artifact import Artifact
from mcc.ir.network import Unit, from_bytes, placement_of


def explanations(artifact: Artifact, name: str | None = None) -> list[dict[str, Any]]:
    """Return where every node went and why, or the nodes whose name holds `name`."""
    rows: list[dict[str, Any]] = []
    busy: Mapping[str, Any] = {row["node"]: row for row in artifact.report.get("operators", ())}
    for node in from_bytes(artifact.network).graph:
        placement, label = placement_of(node), node.name or ""
        if name is not None and name not in label:
            continue
        rows.append(
            {
                "node": label,
                "operator": f"{node.domain}.{node.op_type}".lstrip("."),
                "unit": str(placement.unit if placement else Unit.HOST),
                "rule": placement.rule if placement else "",
                "measured": placement.measured if placement else "",
                "location": busy.get(label, {}).get("location", ""),
            }
        )
    return rows
