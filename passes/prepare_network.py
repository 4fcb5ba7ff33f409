"""Bring a network from anywhere into the shape that rewrites rely on."""

from __future__ import annotations

import onnx_ir as ir
from onnx_ir.passes import common

from mcc.ir.diagnostics import error
from mcc.ir.network import DOMAIN, OLDEST_OPSET, Network, infer_network


def prepare_network(network: Network) -> Network:
    """Inline functions, make constants initializers, and name all nodes.

    Everything here is exact.

    Raises:
        MccError: `opset-old` where the network is older than what the rewrites know.
    """
    opset = network.graph.opset_imports.get("", OLDEST_OPSET)
    if opset < OLDEST_OPSET:
        text = f"the network has opset {opset}, the passes know {OLDEST_OPSET} and newer"
        raise error("opset-old", text, "capture it with `mcc.frontend.capture`, which converts it")
    common.RemoveInitializersFromInputsPass()(network)
    common.InlinePass(lambda function: function.domain != DOMAIN)(network)
    common.LiftConstantsToInitializersPass(lift_all_constants=True, size_limit=0)(network)
    _name_nodes(network.graph)
    return infer_network(network)


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
