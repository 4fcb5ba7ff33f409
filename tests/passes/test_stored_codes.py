"""QuantizeLinear and DequantizeLinear of activations: the same bits on the cores."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mcc.ir.diagnostics import Diagnostic
from mcc.ir.network import (
    IntegerLinear,
    Network,
    Quantize,
    ReferenceExecutor,
    Unit,
    placement_of,
    shape_of,
)
from mcc.passes import PassContext, parse_passes, run_pipeline
from tests.canonical_networks import constant, model

Array = np.ndarray[Any, Any]
CHAIN = "q = QuantizeLinear(x, s, z) d = DequantizeLinear(q, s, z)"
LAYER = constant("w", 6, 4)


def mapped(network: Network, options: str = "") -> tuple[Network, list[Diagnostic]]:
    """Compile to places; the calibration data are too small for any range of the file."""
    feeds = {
        value.name or "": np.zeros(shape_of(value), value.dtype.numpy())
        for value in network.graph.inputs
        if value.dtype is not None
    }
    context = PassContext(calibration=(feeds,))
    passes = parse_passes(f"canonicalize,quantize{{{options}}},place")
    return run_pipeline(network, passes, context).network, context.findings


def kinds_on(network: Network, unit: Unit) -> list[str]:
    places = [(node.op_type, placement_of(node)) for node in network.graph]
    return [kind for kind, place in places if place is not None and place.unit is unit]


def edges(scale: float, steps: int) -> Array:
    """Return numbers on and next to the edges between codes, and far outside."""
    middle = (np.arange(-steps, steps) + 0.5).astype(np.float32) * np.float32(scale)
    near = [np.nextafter(middle, np.float32(end)) for end in (-np.inf, np.inf)]
    far = np.array([0.0, -0.0, 1e30, -1e30, np.inf, -np.inf, 1e-42], np.float32)
    return np.concatenate([middle, *near, far])


@pytest.mark.parametrize("scale", [0.03, 1.0, 1e-30, 7e30])
@pytest.mark.parametrize(
    ("kind", "zero"), [("uint8", 0), ("uint8", 127), ("uint8", 255), ("int8", 0), ("int8", -128)]
)
def test_pairs_compute_the_same_bits_on_the_vector_unit(kind: str, zero: int, scale: float) -> None:
    with np.errstate(over="ignore"):
        x = edges(scale, 300)
    shape = f"[1,{x.size}]"
    constants = f"float s = {{{scale!r}}}, {kind} z = {{{zero}}}, {LAYER}, float[1,6] c = {{1}}"
    before = model(
        f"float{shape} x, float[1,6] u",
        f"{kind}{shape} q, float{shape} d, float[1,4] y",
        constants,
        f"{CHAIN} y = MatMul(u, w)",
    )
    after, _ = mapped(before)
    assert not kinds_on(after, Unit.HOST)
    feeds = {"x": x.reshape(1, -1), "u": np.zeros((1, 6), np.float32)}
    old, new = (ReferenceExecutor(item).run(feeds) for item in (before, after))
    for name in ("q", "d"):
        assert old[name].tobytes() == new[name].tobytes()


def test_a_contraction_reads_the_codes_of_the_file_directly() -> None:
    constants = f"float s = {{0.25}}, uint8 z = {{100}}, {LAYER}"
    before = model("float[1,6] x", "float[1,4] y", constants, f"{CHAIN} y = MatMul(d, w)")
    network, _ = mapped(before)
    assert [node.op_type for node in network.graph] == ["Quantize", "IntegerLinear", "Dequantize"]
    quantize, contraction = Quantize.of(network.graph[0]), IntegerLinear.of(network.graph[1])
    assert contraction.codes is network.graph[0].outputs[0]
    assert (quantize.zero_point, quantize.bits, quantize.signed) == (100, 8, False)
    assert (contraction.zero_point, contraction.input_signed) == (100, False)


def test_codes_that_come_from_outside_are_read_as_they_are() -> None:
    constants = f"float s = {{0.25}}, int8 z = {{-3}}, {LAYER}"
    body = "d = DequantizeLinear(x, s, z) y = MatMul(d, w)"
    network, _ = mapped(model("int8[1,6] x", "float[1,4] y", constants, body))
    assert [node.op_type for node in network.graph] == ["IntegerLinear", "Dequantize"]
    assert IntegerLinear.of(network.graph[0]).codes is network.graph.inputs[0]


def test_moved_values_keep_their_scale() -> None:
    constants = f"float s = {{0.25}}, int8 z = {{5}}, {LAYER}"
    body = f"{CHAIN} t = Transpose<perm=[1,0]>(d) y = MatMul(t, w)"
    before = model("float[6,2] x", "float[2,4] y", constants, body)
    network, _ = mapped(before)
    contraction = next(node for node in network.graph if IntegerLinear.matches(node))
    assert IntegerLinear.of(contraction).zero_point == 5
    maker = IntegerLinear.of(contraction).codes.producer()
    assert maker is not None
    assert Quantize.of(maker).zero_point == 5


def test_pairs_of_the_same_value_are_made_once() -> None:
    constants = f"float s = {{0.25}}, int8 z = {{5}}, {LAYER}, {constant('v', 6, 3, seed=1)}"
    again = "p = QuantizeLinear(x, s, z) e = DequantizeLinear(p, s, z)"
    body = f"{CHAIN} {again} y = MatMul(d, w) m = MatMul(e, v)"
    before = model("float[1,6] x", "float[1,4] y, float[1,3] m", constants, body)
    network, _ = mapped(before)
    assert sum(Quantize.matches(node) for node in network.graph) == 1


@pytest.mark.parametrize(
    ("constants", "body", "reason"),
    [
        ("float s = {0.25}, uint16 z = {5}", CHAIN, "UINT16"),
        ("float[6] s = {1,2,3,4,5,6}, int8[6] z = {0,0,0,0,0,0}", CHAIN, "(6,)"),
        ("float s = {0}, int8 z = {0}", CHAIN, "its scale is 0.0"),
        (
            "float s = {1}, int8 z = {0}",
            "r = Abs(s0) q = QuantizeLinear(x, r, z) d = DequantizeLinear(q, r, z)",
            "computed at run time",
        ),
    ],
)
def test_what_has_no_exact_form_stays_on_the_host(constants: str, body: str, reason: str) -> None:
    before = model(
        "float[1,6] x, float s0",
        "float[1,4] y",
        f"{constants}, {LAYER}",
        f"{body} y = MatMul(d, w)",
        opset=21,
    )
    network, findings = mapped(before)
    assert kinds_on(network, Unit.HOST)[-2:] == ["QuantizeLinear", "DequantizeLinear"]
    found = [item.message for item in findings if item.code == "left-on-host"]
    assert any(f"stays QuantizeLinear: {reason}" in text or reason in text for text in found)


def test_pairs_between_operators_of_the_host_stay_with_them() -> None:
    constants = f"float s = {{0.25}}, int8 z = {{5}}, {LAYER}"
    body = f"a = Sigmoid(u) {CHAIN.replace('(x,', '(a,')} b = Tanh(d) y = MatMul(x, w)"
    before = model("float[1,6] x, float[1,99] u", "float[1,4] y, float[1,99] b", constants, body)
    network, _ = mapped(before)
    assert kinds_on(network, Unit.HOST) == ["Sigmoid", "Quantize", "Dequantize", "Mul", "Tanh"]
