"""The network after a pass must be what the pass makes of the network before it."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest

from mcc.backends.crossbar import targets
from mcc.cli.proofs.rewrites import difference
from mcc.ir.network import from_bytes, from_text, to_bytes
from mcc.passes import Pass, PassContext, parse_passes, run_pipeline
from tests.small_pipeline import weights

CHIP = targets.load("rram40nm")
[CANONICALIZE, QUANTIZE] = parse_passes("canonicalize,quantize")


def steps() -> tuple[bytes, bytes, bytes]:
    """Return a network before and after canonicalization, and quantized."""
    network = from_text(
        f"""<ir_version: 10, opset_import: ["" : 20]>
        g (float[1,64] x) => (float[1,32] y) <{weights("w", 64, 32, seed=1)}> {{
            y = MatMul (x, w)
        }}"""
    )
    feeds = ({"x": np.ones((1, 64), np.float32)},)
    context = PassContext(target=CHIP, calibration=feeds)
    outcome = run_pipeline(network, [CANONICALIZE, QUANTIZE], context)
    first, second = (to_bytes(step.network) for step in outcome.steps)
    return to_bytes(network), first, second


def scaled(data: bytes, name: str, factor: float) -> bytes:
    """Return a network whose constants of one name are larger."""
    network = from_bytes(data)
    value = network.graph.initializers[name]
    assert value.const_value is not None
    array = value.const_value.numpy() * np.float32(factor)
    value.const_value = ir.tensor(array, name=name)
    return to_bytes(network)


def said(item: Pass, before: bytes, after: bytes) -> str:
    return difference(item, before, after, CHIP)


def test_what_a_pass_made_is_what_it_makes() -> None:
    captured, canonical, quantized = steps()
    assert said(CANONICALIZE, captured, canonical) == ""
    assert said(QUANTIZE, canonical, quantized) == ""


@pytest.mark.parametrize(("factor", "wrong"), [(1 + 2e-7, False), (1.001, True)])
def test_computed_constants_may_round_in_another_way(factor: float, wrong: bool) -> None:
    captured, canonical, _ = steps()
    found = said(CANONICALIZE, captured, scaled(canonical, "w", factor))
    assert found == ("constant `w` is another" if wrong else "")


def test_scales_of_weights_are_those_of_the_weights() -> None:
    _, canonical, quantized = steps()
    scales = {it for it in from_bytes(quantized).graph.initializers if it.endswith("/scale")}
    [name] = scales - {"x/scale"}
    found = said(QUANTIZE, canonical, scaled(quantized, name, 1 + 2e-7))
    assert found == f"constant `{name}` is another"
