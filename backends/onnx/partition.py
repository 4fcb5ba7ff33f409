"""Which host operators run together: as few calls as the order of the network allows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import final

import networkx as nx
import onnx_ir as ir

from mcc.ir.network.placement import Unit, placement_of


@final
@dataclass(frozen=True, eq=False)
class HostGroup:
    """Host operators that one call runs, in order."""

    nodes: tuple[ir.Node, ...]


Item = ir.Node | HostGroup


def read_values(node: ir.Node) -> list[ir.Value]:
    """Return every value that a node reads, those that its branches and bodies capture included."""
    found: dict[ir.Value, None] = {value: None for value in node.inputs if value is not None}
    own: set[ir.Value] = set()
    for body in bodies(node):
        own.update(body.inputs)
        own.update(body.initializers.values())
        for inner in body:
            found.update(dict.fromkeys(read_values(inner)))
            own.update(inner.outputs)
        found.update(dict.fromkeys(body.outputs))
    return [value for value in found if value not in own]


def bodies(node: ir.Node) -> list[ir.Graph]:
    """Return the branches and loop bodies of a node."""
    found: list[ir.Graph] = []
    for attribute in node.attributes.values():
        if attribute.type is ir.AttributeType.GRAPH:
            found.append(attribute.as_graph())
        elif attribute.type is ir.AttributeType.GRAPHS:
            found.extend(attribute.as_graphs())
    return found


def dependencies(nodes: Sequence[ir.Node]) -> nx.DiGraph[ir.Node]:
    """Return the graph of which node reads what which other one makes."""
    graph: nx.DiGraph[ir.Node] = nx.DiGraph()
    graph.add_nodes_from(nodes)
    known = set(nodes)
    for node in nodes:
        for value in read_values(node):
            producer = value.producer()
            if producer is not None and producer in known:
                graph.add_edge(producer, node)
    return graph


def partition(nodes: Sequence[ir.Node]) -> list[Item]:
    """Group host operators into the fewest calls, and order everything so that it can run.

    Every node gets a level: how often a path to it changes between host and chip. Host operators
    of one level make one group; no path leaves a group and comes back to it, and no partition
    with fewer groups has that property, as the longest path visits each of them.

    Args:
        nodes: Nodes in any order; `Constant` nodes are left out.

    Returns:
        Groups and all other nodes, each behind what it reads.
    """
    nodes = [node for node in nodes if node.domain or node.op_type != "Constant"]
    graph = dependencies(nodes)
    index = {node: number for number, node in enumerate(nodes)}
    order = list(nx.lexicographical_topological_sort(graph, key=index.__getitem__))
    host = _host_nodes(order, graph)
    levels = _levels(order, graph, host)
    groups = {
        level: HostGroup(tuple(node for node in order if node in host and levels[node] == level))
        for level in sorted({levels[node] for node in host})
    }
    owner: dict[ir.Node, Item] = {
        node: groups[levels[node]] if node in host else node for node in order
    }
    return _ordered(order, graph, owner, index)


def _host_nodes(order: Sequence[ir.Node], graph: nx.DiGraph[ir.Node]) -> set[ir.Node]:
    """Return the host's nodes; a change of shape goes where its operand is made."""
    host: set[ir.Node] = set()
    for node in order:
        placement = placement_of(node)
        assert placement is not None, f"{node.name} has no place"
        follows = placement.unit is Unit.MEMORY and any(
            before in host for before in graph.predecessors(node)
        )
        if placement.unit is Unit.HOST or follows:
            host.add(node)
    return host


def _levels(
    order: Sequence[ir.Node], graph: nx.DiGraph[ir.Node], host: set[ir.Node]
) -> Mapping[ir.Node, int]:
    """Return levels: even ones on the chip, odd ones on the host, never falling along an edge."""
    levels: dict[ir.Node, int] = {}
    for node in order:
        parity = int(node in host)
        level = max((levels[before] for before in graph.predecessors(node)), default=0)
        levels[node] = level if level % 2 == parity else level + 1
    return levels


def _ordered(
    order: Sequence[ir.Node],
    graph: nx.DiGraph[ir.Node],
    owner: Mapping[ir.Node, Item],
    index: Mapping[ir.Node, int],
) -> list[Item]:
    """Return groups and nodes, each behind what it reads, else as the network has them."""
    condensed: nx.DiGraph[Item] = nx.DiGraph()
    first: dict[Item, int] = {}
    for node in order:
        first[owner[node]] = min(first.get(owner[node], index[node]), index[node])
        condensed.add_node(owner[node])
    for before, after in graph.edges:
        if owner[before] is not owner[after]:
            condensed.add_edge(owner[before], owner[after])
    return list(nx.lexicographical_topological_sort(condensed, key=first.__getitem__))
