"""A group of host operators as a model that ONNX Runtime runs by itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import onnx_ir as ir

from mcc.backends.onnx.partition import bodies, read_values
from mcc.ir.network.effort import operations
from mcc.ir.network.operators import attach_functions
from mcc.ir.network.values import Network, is_constant


@final
@dataclass(frozen=True)
class HostGraph:
    """What a host call runs."""

    model: bytes
    inputs: tuple[ir.Value, ...]
    """Values of the network that it takes, under their names."""
    outputs: tuple[ir.Value, ...]
    """Values of the network that it gives, under their names."""
    operations: int
    """Estimate of the arithmetic operations."""


def extract(network: Network, nodes: Sequence[ir.Node]) -> HostGraph:
    """Make the model of some nodes: constants included, what others read as outputs."""
    inside = _with_bodies(nodes)
    read = dict.fromkeys(value for node in nodes for value in read_values(node))
    inputs = tuple(
        value for value in read if value.producer() not in inside and not is_constant(value)
    )
    made = [value for node in nodes for value in node.outputs]
    outputs = tuple(value for value in made if _leaves(value, inside))
    constants = [value for value in read if is_constant(value)]
    initializers = tuple(value for value in constants if value.is_initializer())
    constant_nodes = dict.fromkeys(
        node for value in constants if (node := value.producer()) is not None
    )
    part = ir.GraphView(
        inputs,
        outputs,
        nodes=(*constant_nodes, *nodes),
        initializers=initializers,
        opset_imports=network.graph.opset_imports,
        name="host",
    )
    copy = part.clone()
    for node in copy.all_nodes():
        node.metadata_props.clear()
        node.doc_string = None
    model = ir.Model(copy, ir_version=network.ir_version)
    for key, function in network.functions.items():
        model.functions[key] = function
    attach_functions(model)
    used = {(node.domain, node.op_type) for node in copy.all_nodes()}
    for key in [key for key in model.functions if (key[0], key[1]) not in used]:
        del model.functions[key]
    for domain in set(copy.opset_imports) - {"", *(domain for domain, _ in used)}:
        del copy.opset_imports[domain]
    data = ir.to_proto(model).SerializeToString(deterministic=True)
    return HostGraph(data, inputs, outputs, sum(operations(node) for node in nodes))


def _leaves(value: ir.Value, inside: set[ir.Node]) -> bool:
    """Whether something outside of the group reads a value."""
    if value.is_graph_output():
        return True
    return any(user not in inside for user in value.consumers())


def _with_bodies(nodes: Sequence[ir.Node]) -> set[ir.Node]:
    """Return nodes and everything inside of their branches and loop bodies."""
    found: set[ir.Node] = set()
    for node in nodes:
        found.add(node)
        for body in bodies(node):
            found |= _with_bodies(list(body))
    return found
