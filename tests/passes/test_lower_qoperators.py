"""Operators on codes become real ones between decoding and coding, and that is proved."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from mcc.ir.diagnostics import EXIT_BUG, Diagnostic, MccError
from mcc.ir.network import (
    IntegerConv,
    IntegerLinear,
    Network,
    ReferenceExecutor,
    Unit,
    constant_of,
    from_text,
    placement_of,
    shape_of,
)
from mcc.passes import PassContext, lower_qoperators, parse_passes, run_pipeline
from mcc.passes.canonicalize import Canonicalize
from tests.canonical_networks import constant, operators

Array = np.ndarray[Any, Any]
Forms = dict[tuple[str, str], Any]

CODE = "q = QuantizeLinear(x, s, z)"
DECODE = "y = DequantizeLinear(r, t, u)"
PARAMETERS = "float s = {0.03}, uint8 z = {120}, float t = {0.06}, uint8 u = {128}"
SIGNED = "float s = {0.03}, int8 z = {-5}, float[1] t = {0.06}, int8[1] u = {7}"
MATRIX = ("float[4,8] x", "float[4,5] y", "r = QLinearMatMul(q, s, z, w, v, o, t, u)")
IMAGE = (
    "float[1,3,6,6] x",
    "float[1,4,6,6] y",
    "r = QLinearConv<pads=[1,1,1,1]>(q, s, z, w, v, o, t, u, b)",
)
GEMM = (
    "float[4,8] x",
    "float[4,5] y",
    "r = com.microsoft.QGemm<transB=1, alpha=0.5>(q, s, z, w, v, o, b, t, u)",
)


def integers(name: str, *shape: int, kind: str = "int8", low: int = -127, high: int = 128) -> str:
    drawn = np.random.default_rng(0).integers(low, high, int(np.prod(shape)))
    return f"{kind}{list(shape)} {name} = {{{','.join(map(str, drawn))}}}"


def model(inputs: str, output: str, constants: str, body: str) -> Network:
    return from_text(
        f"""<ir_version: 10, opset_import: ["" : 20, "com.microsoft" : 1]>
        g ({inputs}) => ({output}) <{constants}> {{ {body} }}"""
    )


def drawn(network: Network, seed: int) -> dict[str, Array]:
    generator = np.random.default_rng(seed)
    return {
        value.name or "": generator.normal(size=shape_of(value)).astype(np.float32)
        for value in network.graph.inputs
    }


def mapped(network: Network) -> tuple[Network, list[Diagnostic]]:
    context = PassContext(calibration=(drawn(network, 0),))
    passes = parse_passes("canonicalize,quantize,place")
    return run_pipeline(network, passes, context).network, context.findings


def stays_on_chip(network: Network) -> bool:
    places = [placement_of(node) for node in network.graph]
    return all(place is not None and place.unit is not Unit.HOST for place in places)


def weights(network: Network) -> list[Array]:
    kinds = (IntegerConv, IntegerLinear)
    views = [kind.of(node) for node in network.graph for kind in kinds if kind.matches(node)]
    found = [constant_of(view.weight) for view in views]
    return [array for array in found if array is not None]


ONE, MANY = "float v = {0.01}, int8 o = {0}", "float[4] v = {0.01,0.02,0.015,0.03}"
COLUMNS = "float[5] v = {0.01,0.02,0.015,0.03,0.01}, int8[5] o = {0,0,0,0,0}"
CASES = [
    pytest.param(MATRIX, f"{PARAMETERS}, {ONE}, {integers('w', 8, 5)}", id="matrix"),
    pytest.param(MATRIX, f"{SIGNED}, {COLUMNS}, {integers('w', 8, 5)}", id="signed, by column"),
    pytest.param(
        IMAGE,
        f"{PARAMETERS}, {ONE}, {integers('w', 4, 3, 3, 3)}, "
        + integers("b", 4, kind="int32", low=-900, high=900),
        id="convolution",
    ),
    pytest.param(
        IMAGE,
        f"{PARAMETERS}, {MANY}, int8[4] o = {{0,0,0,0}}, {integers('w', 4, 3, 3, 3)}, "
        + integers("b", 4, kind="int32", low=-900, high=900),
        id="convolution by channel",
    ),
    pytest.param(
        GEMM,
        f"{PARAMETERS}, {COLUMNS}, {integers('w', 5, 8)}, "
        + integers("b", 5, kind="int32", low=-900, high=900),
        id="gemm",
    ),
]


@pytest.mark.parametrize(("case", "constants"), CASES)
def test_codes_are_those_of_onnx_runtime_and_the_weights_those_of_the_file(
    case: tuple[str, str, str], constants: str
) -> None:
    inputs, output, body = case
    before = model(inputs, output, constants, f"{CODE} {body} {DECODE}")
    after, findings = mapped(before)
    assert stays_on_chip(after)
    assert not [item for item in findings if item.code == "left-on-host"]
    (made,) = weights(after)
    stored = constant_of(before.graph.initializers["w"])
    assert stored is not None
    assert np.array_equal(made, stored.T if "transB" in body else stored)
    executors = [ReferenceExecutor(item) for item in (before, after)]
    for seed in range(20):
        feeds = drawn(before, seed)
        old, new = (item.run(feeds)["y"] for item in executors)
        flipped = np.rint((new - old) / 0.06)
        assert np.abs(flipped).max() <= 1
        assert np.count_nonzero(flipped) <= 1


def test_codes_that_are_moved_between_operators_are_decoded_first() -> None:
    """A pool of codes is a pool of what they stand for, so that the next input keeps its codes."""
    body = (
        f"{CODE} r = QLinearConv(q, s, z, w, v, o, t, u) "
        "p = MaxPool<kernel_shape=[2,2], strides=[2,2]>(r) f = Flatten(p) "
        "h = QLinearMatMul(f, t, u, m, v, o, t, u) y = DequantizeLinear(h, t, u)"
    )
    constants = f"{PARAMETERS}, {ONE}, {integers('w', 4, 3, 3, 3)}, {integers('m', 16, 5)}"
    before = model("float[1,3,6,6] x", "float[1,5] y", constants, body)
    after, findings = mapped(before)
    assert stays_on_chip(after)
    assert any("2 of 2 inputs and 2 of 2 weights keep" in item.message for item in findings)
    feeds = drawn(before, 3)
    old, new = (ReferenceExecutor(item).run(feeds)["y"] for item in (before, after))
    assert np.array_equal(old, new)


@pytest.mark.parametrize(
    ("kind", "count"),
    [
        ("Add", 2),
        ("Mul", 2),
        ("GlobalAveragePool", 1),
        ("LeakyRelu", 1),
        ("Sigmoid", 1),
        ("AveragePool", 1),
    ],
)
def test_operators_without_weights_are_opened_as_well(kind: str, count: int) -> None:
    options = "<kernel_shape=[2,2]>" if kind == "AveragePool" else ""
    size = {"GlobalAveragePool": 1, "AveragePool": 5}.get(kind, 6)
    operands = ", ".join(["q, s, z"] * count)
    body = f"{CODE} r = com.microsoft.QLinear{kind}{options}({operands}, t, u) {DECODE}"
    before = model("float[1,3,6,6] x", f"float[1,3,{size},{size}] y", PARAMETERS, body)
    context = PassContext(calibration=(drawn(before, 0),))
    outcome = run_pipeline(before, [Canonicalize()], context)
    assert not any("QLinear" in name for name in operators(outcome.network))
    assert "1 operators on codes" in outcome.certificates[0].detail
    feeds = drawn(before, 1)
    old, new = (ReferenceExecutor(item).run(feeds)["y"] for item in (before, outcome.network))
    assert np.abs(np.rint((old - new) / 0.06)).max() <= 1


def test_codes_of_different_scales_are_joined_as_real_numbers() -> None:
    join = "r = com.microsoft.QLinearConcat<axis=0>(t, u, q, s, z, p, t, u)"
    constants = f"{PARAMETERS}, {constant('c', 8, 5)}"
    body = (
        f"{CODE} p = QuantizeLinear(x, t, u) {join} d = DequantizeLinear(r, t, u) y = MatMul(d, c)"
    )
    before = model("float[4,8] x", "float[8,5] y", constants, body)
    after, _ = mapped(before)
    assert stays_on_chip(after)
    feeds = drawn(before, 2)
    old, new = (ReferenceExecutor(item).run(feeds)["y"] for item in (before, after))
    assert np.abs(old - new).max() < 0.05 * np.abs(old).max()


@pytest.mark.parametrize(
    ("constants", "body", "reason"),
    [
        (f"{PARAMETERS}, int8 o = {{0}}", "v = Abs(a) ", "computed at run time"),
        (f"{PARAMETERS}, int8 o = {{0}}, float[8,1] v = {{1,1,1,1,1,1,1,1}}", "", "not one for"),
    ],
)
def test_what_cannot_be_opened_stays_and_says_why(constants: str, body: str, reason: str) -> None:
    inputs, output, product = MATRIX
    given = f"{constants}, {integers('w', 8, 5)}"
    before = model(f"{inputs}, float a", output, given, f"{CODE} {body}{product} {DECODE}")
    context = PassContext()
    after = Canonicalize().run(before, context)
    assert "QLinearMatMul" in operators(after)
    assert reason in context.findings[0].message


def test_operators_of_integers_are_not_said_to_stay_in_float() -> None:
    before = model(
        "float[4,8] x",
        "float[4,5] y, float[4,5] f",
        f"{integers('w', 8, 5)}, float[8,5] c = {{{','.join(['0.5'] * 40)}}}",
        "q, s, z = DynamicQuantizeLinear(x) a = MatMulInteger(q, w, z) b = Cast<to=1>(a) "
        "y = Mul(b, s) f = MatMul(x, c)",
    )
    _, findings = mapped(before)
    (found,) = [item for item in findings if item.code == "left-on-host"]
    assert "(MatMulInteger) stays with its integers on the host" in found.message


PRODUCT = "r = com.microsoft.QLinearMul(q, s, z, q, s, z, t, u)"
MISTAKES = [
    (("", "QLinearConv"), {"bias": None}, IMAGE),
    (("", "QLinearConv"), {"result": 4}, IMAGE),
    (("com.microsoft", "QLinearMul"), {"op_type": "Add"}, (*MATRIX[:1], "float[4,8] y", PRODUCT)),
]


def refused(before: Network) -> None:
    context = PassContext(calibration=(drawn(before, 0),))
    with pytest.raises(MccError) as caught:
        run_pipeline(before, [Canonicalize()], context)
    assert caught.value.exit_code == EXIT_BUG
    assert caught.value.diagnostics[0].code == "contract-broken"


@pytest.mark.parametrize(("key", "change", "case"), MISTAKES)
def test_a_wrong_form_breaks_the_contract(
    key: tuple[str, str],
    change: dict[str, Any],
    case: tuple[str, str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    forms: Forms = dict(lower_qoperators._FORMS)  # pyright: ignore[reportPrivateUsage]
    monkeypatch.setattr(lower_qoperators, "_FORMS", {**forms, key: replace(forms[key], **change)})
    inputs, output, body = case
    constants = (
        f"{PARAMETERS}, float v = {{0.05}}, uint8 o = {{118}}, "
        f"{integers('w', 4, 3, 3, 3, kind='uint8', low=0)}, "
        + integers("b", 4, kind="int32", low=-900, high=900)
    )
    refused(model(inputs, output, constants, f"{CODE} {body} {DECODE}"))


def test_what_does_not_commute_with_decoding_breaks_the_contract(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lower_qoperators, "_MOVEMENTS", ("Relu",))
    inputs, output, body = MATRIX
    constants = f"{SIGNED}, {ONE}, {integers('w', 8, 5)}"
    product = body.replace("r =", "k =")
    refused(model(inputs, output, constants, f"{CODE} {product} r = Relu(k) {DECODE}"))
