"""Bounds hold for networks that round values to codes, and a wrong rewrite is found in them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, final

import numpy as np
import pytest

from mcc.ir.diagnostics import MccError
from mcc.ir.network import Certificate, Contract, Editor, Network, Stage
from mcc.passes import Pass, PassContext, run_pipeline
from tests.canonical_networks import model

CODED = "q = QuantizeLinear(m, s, z) y = DequantizeLinear(q, s, z)"
EDGES = (np.arange(-8, 8) + 0.5).astype(np.float32)
"""Halfway between two codes of step 1."""


@final
@dataclass(frozen=True)
class Factor(Pass):
    """Replace the factor of a product."""

    name: ClassVar[str] = "factor"
    contract: ClassVar[Contract] = Contract.BOUNDED
    from_stage: ClassVar[Stage] = Stage.CAPTURED
    to_stage: ClassVar[Stage] = Stage.CAPTURED

    factor: float = 1.0

    def run(self, network: Network, context: PassContext) -> Network:
        constant = Editor(network.graph).constant(np.float32(self.factor), "factor")
        network.graph[0].replace_input_with(1, constant)
        return network


def certified(factor: float, x: np.ndarray[Any, Any]) -> Certificate:
    constants = "float f = {1}, float s = {1}, int8 z = {0}"
    before = model("float[16] x", "float[16] y", constants, f"m = Mul(x, f) {CODED}")
    context = PassContext(calibration=({"x": x},))
    return run_pipeline(before, [Factor(factor)], context).certificates[0]


def test_a_code_that_flips_breaks_no_bound() -> None:
    certificate = certified(1 + 2**-23, EDGES)
    assert certificate.passed
    assert 0 < certificate.measured < 1e-6
    assert "1 roundings to codes left out; with them 1." in certificate.detail


@pytest.mark.parametrize("x", [EDGES, np.rint(EDGES)], ids=["seen", "hidden by rounding"])
def test_a_wrong_rewrite_is_found(x: np.ndarray[Any, Any]) -> None:
    with pytest.raises(MccError, match="contract-broken"):
        certified(1.001, x)
