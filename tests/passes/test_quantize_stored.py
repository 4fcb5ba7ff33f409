"""What quantize says of the scales that a network came with, and how to do without them."""

from __future__ import annotations

import numpy as np
import pytest

from mcc.ir.diagnostics import Diagnostic, Severity
from mcc.ir.network import IntegerLinear, Network, Quantize
from mcc.passes import PassContext, parse_passes, run_pipeline
from tests.canonical_networks import constant, model

FIRST = (
    "q = QuantizeLinear(x, s, z) d = DequantizeLinear(q, s, z) w = DequantizeLinear(c, s, z) "
    "h = MatMul(d, w)"
)
CONSTANTS = "float s = {0.5}, int8 z = {0}, int8[2,2] c = {1,2,3,4}, " + constant("v", 2, 2)


def quantized(body: str, options: str) -> tuple[Network, list[Diagnostic]]:
    before = model("float[1,2] x", "float[1,2] y", CONSTANTS, body)
    feeds = {"x": np.array([[1.0, -2.0]], np.float32)}
    context = PassContext(calibration=(feeds,))
    passes = parse_passes(f"canonicalize,quantize{{{options}}}")
    network = run_pipeline(before, passes, context).network
    return network, [item for item in context.findings if item.code == "stored-scales"]


def widths(network: Network) -> list[tuple[int, int]]:
    views = [IntegerLinear.of(node) for node in network.graph if IntegerLinear.matches(node)]
    return [(view.input_bits, view.weight_bits) for view in views]


def test_the_note_counts_what_was_taken() -> None:
    network, (note,) = quantized(f"{FIRST} y = MatMul(h, v)", "")
    assert note.severity is Severity.NOTE
    assert note.message.startswith("1 of 2 inputs and 1 of 2 weights keep")
    assert widths(network) == [(8, 8), (8, 8)]


def test_options_count_for_the_rest_only_and_that_is_said() -> None:
    options = "weight_bits=4 activation_bits=5 observer=mse minimum_fill=0"
    network, (warning,) = quantized(f"{FIRST} y = MatMul(h, v)", options)
    assert widths(network) == [(8, 8), (5, 4)]
    assert warning.severity is Severity.WARNING
    idle = "without effect on them: `weight_bits=4`, `activation_bits=5`, `observer=mse`"
    assert warning.message.endswith(idle)
    assert "stored_scales=false" in warning.help


@pytest.mark.parametrize("body", [f"{FIRST} y = Relu(h)", "y = MatMul(x, v)"])
def test_without_stored_scales_the_options_count_for_all(body: str) -> None:
    network, findings = quantized(body, "stored_scales=false weight_bits=4 activation_bits=5")
    assert widths(network) == [(5, 4)]
    assert not findings


def test_without_stored_scales_the_rounding_of_the_network_stays() -> None:
    network, _ = quantized(f"{FIRST} y = Relu(h)", "stored_scales=false activation_bits=5")
    found = [Quantize.of(node).bits for node in network.graph if Quantize.matches(node)]
    assert found == [8, 5]


def test_a_network_in_float_has_nothing_to_keep() -> None:
    assert quantized("y = MatMul(x, v)", "")[1] == []
