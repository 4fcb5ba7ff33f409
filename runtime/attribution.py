"""What each node of a network costs: its instructions, or its share of a host call."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import final

import onnx_ir as ir

from mcc.ir.network.effort import operations
from mcc.ir.network.storage import from_bytes
from mcc.ir.program import Events, Program, trip_counts
from mcc.ir.program.instructions import CallHost
from mcc.runtime.cycles import Cycles
from mcc.runtime.energy import dynamic_joules

Owner = str | int
"""What an instruction works for: a node, or a host graph by its number."""


@final
@dataclass(frozen=True)
class Charge:
    """The cost of a node in one sample."""

    joules: float = 0.0
    """Without the power that flows all the time."""
    busy_cycles: int = 0
    """Of all units together; 0 where the clock kept no records."""
    host_graph: int | None = None
    """The host graph that runs it; what it costs is a share of its call then, an estimate."""


def charges(program: Program, timing: Cycles, network: ir.Model) -> dict[str, Charge]:
    """Return what each node costs, by name; nodes without instructions are left out.

    Every instruction is charged once. A host call is one instruction for several nodes: they share
    it as their estimated operations are.

    Args:
        program: The program, with a source map.
        timing: Of its clock.
        network: The mapped network.
    """
    events, busy = _events(program), _busy(program, timing)
    nodes = {node.name or "": node for node in network.graph if node.op_type != "Constant"}
    found: dict[str, Charge] = {}
    for owner, item in events.items():
        joules = dynamic_joules(item, program.target).total
        if isinstance(owner, str):
            found[owner] = Charge(joules, busy[owner])
        else:
            graph = from_bytes(program.host_graphs[owner]).graph
            names = [node.name for node in graph if node.name in nodes]
            weights = [max(1, operations(nodes[name])) for name in names]
            cycles = _shares(busy[owner], weights)
            for name, weight, share in zip(names, weights, cycles, strict=True):
                found[name] = Charge(joules * weight / sum(weights), share, owner)
    return found


def _shares(cycles: int, weights: Sequence[int]) -> list[int]:
    """Divide cycles as the weights are, without losing one."""
    ends = accumulate(weights, initial=0)
    return [stop - start for start, stop in pairwise(cycles * end // sum(weights) for end in ends)]


def _events(program: Program) -> dict[Owner, Events]:
    found: dict[Owner, Events] = {}
    for core, instructions in enumerate(program.cores):
        context = program.context(core)
        for index, trips in enumerate(trip_counts(instructions)):
            owner = _owner(program, core, index)
            events = instructions[index].events(context) * trips
            found[owner] = found.get(owner, Events()) + events
    return found


def _busy(program: Program, timing: Cycles) -> Counter[Owner]:
    found = Counter[Owner]()
    for core, index, start, end in map(tuple, timing.records.tolist()):
        found[_owner(program, core, index)] += end - start
    return found


def _owner(program: Program, core: int, index: int) -> Owner:
    it = program.cores[core][index]
    if isinstance(it, CallHost):
        return program.host_calls[it.call].graph
    return program.node(core, index)
