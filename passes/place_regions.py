"""Operators between host operators follow them, so that their values need not travel."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import TypeAlias

import onnx_ir as ir

from mcc.ir.network.placement import Placement, Unit
from mcc.ir.network.values import is_constant, static_shape

Places: TypeAlias = Mapping[ir.Node, Placement]

_CORES = (Unit.VECTOR, Unit.MEMORY)

SENTENCE = "All operators around it run on the host; it follows them."


def follow_host(graph: ir.Graph, places: Places) -> dict[ir.Node, Placement]:
    """Move connected vector and memory operators to the host where only the host surrounds them.

    Inputs and outputs of the network count as neither, but at least one neighbour must be on the
    host. Everything else keeps its place.
    """
    moved = dict(places)
    for region in _regions(graph, places):
        around = _neighbours(region)
        units = {_unit(node, places) for node in around}
        if units == {Unit.HOST}:
            saved = _saved_bytes(region, around)
            for node in region:
                moved[node] = replace(
                    places[node],
                    unit=Unit.HOST,
                    rule=SENTENCE,
                    measured=f"saves {saved} bytes of transfers",
                )
    return moved


def _regions(graph: ir.Graph, places: Places) -> list[list[ir.Node]]:
    """Return the connected groups of vector and memory operators, in order."""
    regions: list[list[ir.Node]] = []
    seen: set[ir.Node] = set()
    for start in graph:
        if start in seen or places[start].unit not in _CORES:
            continue
        region, front = [start], [start]
        seen.add(start)
        while front:
            for node in _neighbours([front.pop()]):
                if node not in seen and _unit(node, places) in _CORES:
                    seen.add(node)
                    region.append(node)
                    front.append(node)
        regions.append(region)
    return regions


def _unit(node: ir.Node, places: Places) -> Unit:
    """Return where a node runs; what is inside a branch or loop body runs with it, on the host."""
    return places[node].unit if node in places else Unit.HOST


def _neighbours(region: list[ir.Node]) -> list[ir.Node]:
    """Return the operators that give values to a region or take them, without its own."""
    inside = set(region)
    found: dict[ir.Node, None] = {}
    for node in region:
        for value in node.inputs:
            producer = value.producer() if value is not None and not is_constant(value) else None
            if producer is not None and producer not in inside:
                found[producer] = None
        for value in node.outputs:
            for user in value.consumers():
                if user not in inside:
                    found[user] = None
    return list(found)


def _saved_bytes(region: list[ir.Node], around: list[ir.Node]) -> int:
    """Count the bytes that would cross between a region and its neighbours."""
    outside = set(around)
    crossing: dict[ir.Value, None] = {}
    for node in region:
        for value in node.inputs:
            if value is not None and value.producer() in outside:
                crossing[value] = None
        for value in node.outputs:
            if outside.intersection(value.consumers()):
                crossing[value] = None
    return sum(_bytes(value) for value in crossing)


def _bytes(value: ir.Value) -> int:
    assert value.dtype is not None
    return math.ceil(math.prod(static_shape(value) or ()) * value.dtype.itemsize)
