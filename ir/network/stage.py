"""The stages a network goes through; each knows what is legal in it."""

from __future__ import annotations

from enum import StrEnum
from typing import final

import onnx_ir as ir

_KEY = "mcc.stage"


@final
class Stage(StrEnum):
    """How far a network has come."""

    CAPTURED = "captured"
    """What the frontend made: standard operators and `mcc` primitives."""
    CANONICAL = "canonical"
    """Contractions with a constant are `mcc.Linear` or `mcc.Conv`; constants are folded."""
    QUANTIZED = "quantized"
    """Contractions bound for crossbars are integer, between `Quantize` and `Dequantize`."""
    MAPPED = "mapped"
    """Every node has a place; contractions on crossbars have a tiling."""


def stage_of(network: ir.Model) -> Stage:
    """Return the stage of `network`; a network that says nothing is captured."""
    return Stage(network.metadata_props.get(_KEY, Stage.CAPTURED))


def set_stage(network: ir.Model, stage: Stage) -> ir.Model:
    """Record the stage of `network` and return it."""
    network.metadata_props[_KEY] = stage.value
    return network
