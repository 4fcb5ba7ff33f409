"""The report on a compiled program: plain data that says of every number where it comes from."""

from __future__ import annotations

import math
from collections import Counter
from enum import StrEnum
from typing import Any, final

import onnx_ir as ir

from mcc.ir.hardware.derived import (
    area_metre2,
    lifetime_runs,
    programming_joules,
    programming_seconds,
)
from mcc.ir.network.location import location_of
from mcc.ir.network.placement import placement_of
from mcc.ir.program import Program, trip_counts
from mcc.ir.program.instructions import ProgramMacro
from mcc.runtime.attribution import Charge, charges
from mcc.runtime.costs import Costs
from mcc.runtime.energy import HOST
from mcc.runtime.least import bound
from mcc.runtime.utilisation import business, occupancy


@final
class Origin(StrEnum):
    """Where a number comes from."""

    MEASURED = "measured"
    """Observed while it happened."""
    SIMULATED = "simulated"
    """Counted by the clock, or in the instructions."""
    ESTIMATE = "estimate"
    """From a formula, or containing an estimate."""


def make_report(program: Program, costs: Costs, network: ir.Model | None = None) -> dict[str, Any]:
    """Return the report on a program.

    Args:
        program: The program.
        costs: Of one sample. Where the clock kept its records, operators have busy cycles.
        network: The mapped network, for where its operators went.
    """
    return {
        "target": program.target.name,
        "time": _time(program, costs),
        "energy": _energy(costs),
        "use": _use(program, costs),
        "programming": _programming(program, costs),
        "area": _area(program),
        "sizes": _sizes(program),
        "operators": _operators(program, costs, network) if network is not None else [],
    }


def number(value: float, unit: str, origin: Origin) -> dict[str, Any]:
    """Return a number with its unit and origin; None stands for one that is infinite."""
    return {"value": value if math.isfinite(value) else None, "unit": unit, "origin": str(origin)}


def _time(program: Program, costs: Costs) -> dict[str, Any]:
    origin = Origin.ESTIMATE if program.host_calls else Origin.SIMULATED
    least = bound(program)
    return {
        "cycles": number(costs.cycles, "cycle", origin),
        "seconds": number(costs.seconds, "s", origin),
        "samples_per_second": number(1 / costs.seconds, "1/s", origin),
        "bound": number(least.cycles, "cycle", origin) | {"part": least.part},
        "above_bound": number(costs.cycles / max(least.cycles, 1), "1", origin),
    }


def _energy(costs: Costs) -> dict[str, Any]:
    parts = costs.joules.by_component
    estimated = parts[HOST] > 0
    return {
        "total": number(costs.joules.total, "J", _estimate(estimated)),
        "without_host": number(costs.joules.total - parts[HOST], "J", Origin.SIMULATED),
        "components": {
            name: number(value, "J", _estimate(name == HOST)) for name, value in parts.items()
        },
    }


def _estimate(estimated: bool) -> Origin:
    return Origin.ESTIMATE if estimated else Origin.SIMULATED


def _use(program: Program, costs: Costs) -> dict[str, Any]:
    used = {
        name: {"used": number(used, "1", Origin.SIMULATED), "of": there}
        for name, (used, there) in occupancy(program).items()
    }
    busy = {
        kind: {
            "parts": item.parts,
            "busiest": item.busiest,
            "most": number(item.most, "1", Origin.SIMULATED),
            "mean": number(item.mean, "1", Origin.SIMULATED),
        }
        for kind, item in business(program, costs.timing).items()
    }
    return {"occupied": used, "busy": busy}


def _programming(program: Program, costs: Costs) -> dict[str, Any]:
    target = program.target
    macro = target.macro
    places = {(image.core, image.macro) for image in program.images}
    cells = len(places) * macro.rows * macro.cols
    runs = lifetime_runs(target, _most_programmings(program))
    return {
        "cells": number(cells, "1", Origin.SIMULATED),
        "joules": number(programming_joules(target, cells), "J", Origin.SIMULATED),
        "seconds": number(programming_seconds(target) if places else 0, "s", Origin.SIMULATED),
        "lifetime_programmings": number(target.cell.endurance_cycles, "1", Origin.ESTIMATE),
        "per_run": number(costs.events.cell_writes, "1", Origin.SIMULATED),
        "lifetime_runs": number(runs, "1", Origin.ESTIMATE),
        "lifetime_seconds": number(runs * costs.seconds, "s", Origin.ESTIMATE),
    }


def _most_programmings(program: Program) -> int:
    """Return how often a run writes the macro that it writes most often."""
    counts = Counter[tuple[int, int]]()
    for core, instructions in enumerate(program.cores):
        for it, trips in zip(instructions, trip_counts(instructions), strict=True):
            if isinstance(it, ProgramMacro):
                counts[core, it.macro] += trips
    return max(counts.values(), default=0)


def _area(program: Program) -> dict[str, Any]:
    parts = area_metre2(program.target)
    total = number(sum(parts.values()), "m2", Origin.ESTIMATE)
    return {
        "total": total,
        "components": {name: number(it, "m2", Origin.ESTIMATE) for name, it in parts.items()},
    }


def _sizes(program: Program) -> dict[str, Any]:
    kinds = Counter(it.MNEMONIC for instructions in program.cores for it in instructions)
    weights = sum(tile.rows * tile.cols for tile in program.tiles)
    sizes: dict[str, int] = {
        "instructions": sum(kinds.values()),
        "tiles": len(program.tiles),
        "weights": weights,
        "images": len(program.images),
        "constant_bytes": sum(len(item.data) for item in program.constants),
        "host_graphs": len(program.host_graphs),
        "host_graph_bytes": sum(map(len, program.host_graphs)),
    }
    return {**sizes, "instructions_by_kind": dict(sorted(kinds.items()))}


def _operators(program: Program, costs: Costs, network: ir.Model) -> list[dict[str, Any]]:
    """Return where every node of the network went, and what its instructions cost."""
    found = charges(program, costs.timing, network)
    rows: list[dict[str, Any]] = []
    for node in network.graph:
        placement, name = placement_of(node), node.name or ""
        charge = found.get(name, Charge())
        origin = _estimate(charge.host_graph is not None)
        row: dict[str, Any] = {
            "node": name,
            "operator": f"{node.domain}.{node.op_type}".lstrip("."),
            "unit": str(placement.unit) if placement else "",
            "rule": placement.rule if placement else "",
            "measured": placement.measured if placement else "",
            "location": str(location_of(node)),
            "joules": number(charge.joules, "J", origin),
        }
        if charge.host_graph is not None:
            row["host_graph"] = charge.host_graph
        if len(costs.timing.records):
            row["busy_cycles"] = number(charge.busy_cycles, "cycle", origin)
        rows.append(row)
    return rows
