"""The pass that brings every captured network into one form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

from mcc.ir.network import Contract, Network, Stage
from mcc.passes.base import Pass, PassContext


@final
@dataclass(frozen=True)
class Canonicalize(Pass):
    """Fold constants and batch norms, lower contractions and pools, remove dead code."""

    name: ClassVar[str] = "canonicalize"
    contract: ClassVar[Contract] = Contract.BOUNDED
    from_stage: ClassVar[Stage] = Stage.CAPTURED
    to_stage: ClassVar[Stage] = Stage.CANONICAL

    def run(self, network: Network, context: PassContext) -> Network:
        """Rewrite until nothing changes."""
        return network

    def bound(self, before: Network, after: Network) -> float:
        """Bound."""
        return 1e-3
