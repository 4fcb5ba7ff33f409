"""Which operators that the cores could run had better follow the host, to save transfers."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, TypeAlias, cast

import networkx
import onnx_ir as ir

from mcc.ir.network import Dequantize, Placement, Quantize, Unit, is_constant, static_shape

Places: TypeAlias = Mapping[ir.Node, Placement]

SENTENCE = "It could run on a core; on the host, fewer bytes move between host and cores."

_HOST = "host"
_CORES = "cores"


def follow_host(graph: ir.Graph, places: Places) -> dict[ir.Node, Placement]:
    """Move vector and memory operators to the host where that saves transfers.

    In each connected region of such operators the minimum cut decides: the fewest bytes of values
    that are made on one side and read on the other; of equal cuts, the one with the fewest
    operators on the host. Quantize and Dequantize at a crossbar stay there. Inputs and outputs
    of the network count as neither side.
    """
    moved = dict(places)
    for region in _regions(graph, places):
        units = {_unit(node, places) for node in _neighbours(region)}
        if Unit.HOST not in units:
            continue
        following, saved = _cut(region, places)
        for node in following:
            measured = f"saves {saved} bytes of transfers"
            moved[node] = replace(places[node], unit=Unit.HOST, rule=SENTENCE, measured=measured)
    return moved


def _is_free(node: ir.Node, places: Places) -> bool:
    """Tell whether a node may run on either side."""
    return _unit(node, places) in (Unit.VECTOR, Unit.MEMORY) and not _is_tied(node, places)


def _is_tied(node: ir.Node, places: Places) -> bool:
    """Tell whether a node makes the codes that a crossbar reads, or floats of its sums."""
    ends: Iterable[ir.Node | None] = ()
    if Quantize.matches(node):
        ends = node.outputs[0].consumers()
    elif Dequantize.matches(node) and node.inputs[0] is not None:
        ends = (node.inputs[0].producer(),)
    return any(end is not None and _unit(end, places) is Unit.CROSSBAR for end in ends)


def _unit(node: ir.Node, places: Places) -> Unit:
    """Return where a node runs; what is inside a branch or loop body runs with it, on the host."""
    return places[node].unit if node in places else Unit.HOST


def _regions(graph: ir.Graph, places: Places) -> list[list[ir.Node]]:
    """Return the connected groups of free operators, in order."""
    regions: list[list[ir.Node]] = []
    seen: set[ir.Node] = set()
    for start in graph:
        if start in seen or not _is_free(start, places):
            continue
        region, front = [start], [start]
        seen.add(start)
        while front:
            for node in _neighbours([front.pop()]):
                if node not in seen and _is_free(node, places):
                    seen.add(node)
                    region.append(node)
                    front.append(node)
        regions.append(region)
    return regions


def _neighbours(region: list[ir.Node]) -> list[ir.Node]:
    """Return the operators that give values to a region or take them, without its own."""
    inside = set(region)
    ends = [end for value in _values(region) for end in _ends(value)]
    return [node for node in dict.fromkeys(ends) if node not in inside]


def _values(region: Iterable[ir.Node]) -> list[ir.Value]:
    """Return the computed values that a region reads or makes."""
    found: dict[ir.Value, None] = {}
    for node in region:
        read = [value for value in node.inputs if value is not None and not is_constant(value)]
        found.update(dict.fromkeys((*read, *node.outputs)))
    return list(found)


def _ends(value: ir.Value) -> list[ir.Node]:
    """Return the producer of a value, where there is one, and its users."""
    producer = value.producer()
    return [*([producer] if producer is not None else []), *value.consumers()]


def _cut(region: list[ir.Node], places: Places) -> tuple[list[ir.Node], int]:
    """Return the operators of a region that follow the host, and the bytes that this saves."""
    inside = set(region)
    flow = cast("Any", networkx.DiGraph())
    flow.add_nodes_from((_HOST, _CORES))

    def side(node: ir.Node) -> ir.Node | str:
        if node in inside:
            return node
        return _HOST if _unit(node, places) is Unit.HOST else _CORES

    staying = 0
    for value in _values(region):
        producer = value.producer()
        if producer is None:
            continue
        made, users = side(producer), [side(user) for user in value.consumers()]
        size = _bytes(value)
        # Any user on the other side than the producer costs the value once.
        flow.add_edge(made, (value, "out"), capacity=size)
        flow.add_edge((value, "in"), made, capacity=size)
        for user in users:
            flow.add_edge((value, "out"), user)
            flow.add_edge(user, (value, "in"))
        if {end == _HOST for end in (made, *users)} == {True, False}:
            staying += size
    # Of all least cuts this is the one with the most on the side of the source.
    cost, (_, follows) = cast("Any", networkx).minimum_cut(flow, _CORES, _HOST)
    return [node for node in region if node in follows], staying - int(cost)


def _bytes(value: ir.Value) -> int:
    assert value.dtype is not None
    return math.ceil(math.prod(static_shape(value) or ()) * value.dtype.itemsize)
