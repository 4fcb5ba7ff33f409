"""Bring a network from anywhere into the shape that rewrites rely on."""

from __future__ import annotations

import onnx
import onnx.version_converter
import onnx_ir as ir
from onnx_ir.passes import common

from mcc.ir.diagnostics import error
from mcc.ir.network import (
    DOMAIN,
    OLDEST_OPSET,
    Network,
    infer_network,
    inherit,
    set_stage,
    stage_of,
)


def prepare_network(network: Network) -> Network:
    """Return `network` at a recent opset: functions inlined, constants as initializers, all named.

    Everything here is exact.
    """
    if network.graph.opset_imports.get("", OLDEST_OPSET) < OLDEST_OPSET:
        network = _upgraded(network)
    common.RemoveInitializersFromInputsPass()(network)
    common.InlinePass(lambda function: function.domain != DOMAIN)(network)
    common.LiftConstantsToInitializersPass(lift_all_constants=True, size_limit=0)(network)
    _name_nodes(network.graph)
    return infer_network(network)


def _upgraded(network: Network) -> Network:
    origins = {value.name: node for node in network.graph for value in node.outputs}
    opset = network.graph.opset_imports.get("", OLDEST_OPSET)
    proto = ir.to_proto(network)
    try:
        converted = onnx.version_converter.convert_version(proto, OLDEST_OPSET)
    except Exception as problem:
        raise error(
            "opset-old",
            f"the network uses opset {opset}, which cannot be converted: {problem}",
            f"Export it again with opset {OLDEST_OPSET} or later.",
        ) from problem
    newer = set_stage(ir.from_proto(converted), stage_of(network))
    for node in newer.graph:
        found = [origins[value.name] for value in node.outputs if value.name in origins]
        if found:
            inherit(node, *found)
    return newer


def _name_nodes(graph: ir.Graph) -> None:
    taken: set[str] = set()
    for node in graph:
        name = node.name or f"{node.op_type}/{node.outputs[0].name}"
        unique, count = name, 1
        while unique in taken:
            count += 1
            unique = f"{name}_{count}"
        taken.add(unique)
        node.name = unique
