"""Which chip a network was mapped for: kept as data on the network."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import final

import onnx_ir as ir

_KEY = "mcc.target"


@final
@dataclass(frozen=True)
class Destination:
    """The target that places and tiles were decided for."""

    name: str
    digest: str
    """That of all values of the target."""


def destination_of(network: ir.Model) -> Destination | None:
    """Return what chip `network` was mapped for, or None before it is mapped."""
    stored = network.metadata_props.get(_KEY)
    return None if stored is None else Destination(*json.loads(stored))


def set_destination(network: ir.Model, destination: Destination) -> ir.Model:
    """Record what chip `network` was mapped for and return it."""
    network.metadata_props[_KEY] = json.dumps([destination.name, destination.digest])
    return network
