"""The pass that brings every captured network into one form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

from mcc.ir.network import Contract, Network, Stage, infer_network
from mcc.passes.base import Pass, PassContext
from mcc.passes.fold_columns import fold_batch_norms, fold_columns
from mcc.passes.fold_constants import fold_constants
from mcc.passes.lower_arithmetic import lower_arithmetic
from mcc.passes.lower_convolutions import lower_convolutions
from mcc.passes.lower_einsum import lower_einsum
from mcc.passes.lower_gathers import lower_gathers
from mcc.passes.lower_pools import lower_pools
from mcc.passes.lower_products import lower_products
from mcc.passes.lower_qoperators import lower_qoperators
from mcc.passes.lower_reductions import lower_reductions
from mcc.passes.lower_shuffles import lower_shuffles
from mcc.passes.prepare_network import prepare_network
from mcc.passes.remove_noops import remove_dead_code, remove_noops
from mcc.passes.split_einsum import split_einsum


@final
@dataclass(frozen=True)
class Canonicalize(Pass):
    """Fold constants and batch norms, lower contractions and pools, remove dead code.

    Bounded: every rewrite is an identity of real numbers; folded constants are rounded once, sums
    are added in another order. `rounding.py` measures how far that may go on each input.
    """

    name: ClassVar[str] = "canonicalize"
    contract: ClassVar[Contract] = Contract.BOUNDED
    from_stage: ClassVar[Stage] = Stage.CAPTURED
    to_stage: ClassVar[Stage] = Stage.CANONICAL

    def run(self, network: Network, context: PassContext) -> Network:
        """Rewrite; what stays as it is for a reason becomes a finding."""
        network = prepare_network(network)
        lower_qoperators(network, context)
        fold_constants(network, context)
        split_einsum(network)
        fold_constants(network, context)
        remove_dead_code(network)
        remove_noops(network, context)
        lower_gathers(network, context)
        lower_arithmetic(network, context)
        lower_shuffles(network, context)
        lower_reductions(network, context)
        lower_pools(network, context)
        lower_products(network, context)
        lower_einsum(network, context)
        lower_convolutions(network, context)
        fold_batch_norms(network, context)
        fold_columns(network, context)
        remove_noops(network, context)
        remove_dead_code(network)
        return infer_network(network)
