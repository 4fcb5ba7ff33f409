"""Deciding which unit runs each node."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import onnx_ir as ir

from mcc.ir.diagnostics import error
from mcc.ir.network import (
    Contract,
    Network,
    Placement,
    Stage,
    Unit,
    place,
    placement_of,
)
from mcc.passes.base import Pass, PassContext
from mcc.passes.place_crossbar import is_contraction
from mcc.passes.place_regions import follow_host
from mcc.passes.place_rules import decide


@final
@dataclass(frozen=True)
class Place(Pass):
    """Give every operator a place (crossbar, vector unit, memory, host) with rule and value.

    Exact: the network itself is unchanged.
    """

    name: ClassVar[str] = "place"
    contract: ClassVar[Contract] = Contract.EXACT
    from_stage: ClassVar[Stage] = Stage.QUANTIZED
    to_stage: ClassVar[Stage] = Stage.QUANTIZED

    follow: bool = True
    """Whether operators of the cores follow the host where that saves transfers."""

    def run(self, network: Network, context: PassContext) -> Network:
        """Record a placement on every node; what quantize decided stands."""
        if not any(is_contraction(node) for node in network.graph.all_nodes()):
            raise error(
                "no-contraction",
                "the network has no contraction",
                "a crossbar computes products with matrices: linear layers and convolutions",
            )
        places = {node: self._place(node, context) for node in network.graph}
        if self.follow:
            places = follow_host(network.graph, places)
        for node, placement in places.items():
            place(node, placement)
        if all(placement.unit is not Unit.CROSSBAR for placement in places.values()):
            context.report("crossbar-unused", "no contraction of the network runs on a crossbar")
        return network

    def _place(self, node: ir.Node, context: PassContext) -> Placement:
        return placement_of(node) or decide(node, context.target)
