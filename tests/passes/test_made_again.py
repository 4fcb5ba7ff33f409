"""A pass that is given its result makes it again without the data that calibrated it."""

from __future__ import annotations

import numpy as np
import pytest

from mcc.backends.crossbar import targets
from mcc.ir.hardware import Target
from mcc.ir.network import Network, from_text, set_stage, to_bytes
from mcc.passes import Pass, PassContext, parse_passes, run_pipeline
from tests.small_pipeline import weights

FEEDS = tuple(
    {"x": np.random.default_rng(seed).normal(size=(1, 6, 32)).astype(np.float32)}
    for seed in range(3)
)


def network() -> Network:
    """Return layers that take several vectors, a single one, and one that is never negative."""
    constants = ", ".join(weights(name, 32, 32, seed=at) for at, name in enumerate("abc"))
    return from_text(
        f"""<ir_version: 10, opset_import: ["" : 20]>
        g (float[1,6,32] x) => (float[1,32] y) <{constants}, int64[1] rows = {{1}}> {{
            p = MatMul (x, a)
            q = Relu (p)
            r = ReduceSum <keepdims = 0> (q, rows)
            s = MatMul (r, b)
            t = Relu (s)
            y = MatMul (t, c)
        }}"""
    )


def target() -> Target:
    changes = {"macro.adc.bits": 4, "macro.adc.range": "calibrated"}
    return targets.load("rram40nm").with_values(changes)


def made_again(item: Pass, before: Network, after: Network) -> Network:
    context = PassContext(target=target(), result=after)
    return set_stage(item.run(before.clone(), context), item.to_stage)


@pytest.mark.parametrize(
    "options",
    [
        "",
        "{scheme=symmetric}",
        "{scheme=affine observer=mse}",
        "{granularity=token weight_bits=4}",
        "{granularity=tensor activation_bits=5 clipping=mse budget=0.9}",
    ],
)
def test_every_pass_makes_the_same_bytes(options: str) -> None:
    passes = parse_passes(f"canonicalize,quantize{options},place,tile")
    outcome = run_pipeline(network(), passes, PassContext(target=target(), calibration=FEEDS))
    before = network()
    for step in outcome.steps:
        again = made_again(step.item, before, step.network)
        assert to_bytes(again) == to_bytes(step.network), step.item.name
        before = step.network


@pytest.mark.parametrize("option", ["weight_bits=4", "activation_bits=7", "scheme=symmetric"])
def test_other_options_make_other_bytes(option: str) -> None:
    """Only what calibration decides is read from the result."""
    passes = parse_passes("canonicalize,quantize")
    canonical, quantized = run_pipeline(
        network(), passes, PassContext(target=target(), calibration=FEEDS)
    ).steps
    [other] = parse_passes(f"quantize{{{option}}}")
    again = made_again(other, canonical.network, quantized.network)
    assert to_bytes(again) != to_bytes(quantized.network)
