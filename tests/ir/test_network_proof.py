"""The reference executor, what networks are proved with, and certificates."""

from __future__ import annotations

import math

import numpy as np
import onnx_ir as ir
import pytest

from mcc.ir.diagnostics import MccError
from mcc.ir.network import (
    Certificate,
    Contract,
    Evidence,
    Network,
    ReferenceExecutor,
    evidence_for,
    from_text,
    outputs_of,
    prove,
    shape_of,
)
from mcc.ir.network.certificate import judge_rounding
from mcc.ir.network.wide import widen

HEAD = '<ir_version: 10, opset_import: ["" : 20]>'


def scaled(factor: float) -> Network:
    return from_text(
        f"""{HEAD} g (float[2,3] x) => (float[2,3] y) <float s = {{{factor}}}> {{
            h = Relu(x) y = Mul(h, s) }}"""
    )


def feeds(*numbers: float) -> dict[str, np.ndarray[tuple[int, ...], np.dtype[np.float32]]]:
    return {"x": np.resize(np.array(numbers, np.float32), (2, 3))}


def test_reference_gives_any_value() -> None:
    executor = ReferenceExecutor(scaled(2))
    given = feeds(-1, 2)
    found = executor.run(given, ["x", "h", "s", "y"])
    assert list(found) == ["x", "h", "s", "y"]
    assert found["h"].max() == 2
    assert found["s"] == 2
    assert list(executor.run(given)) == ["y"]


def test_reference_hands_over_large_constants() -> None:
    weight = np.random.default_rng(0).normal(size=(64, 64)).astype(np.float32)
    network = from_text(
        f"""{HEAD} g (float[1,64] x) => (float[1,64] y)
        <float[64,64] w = {{{",".join(str(number) for number in weight.ravel())}}}> {{
            y = MatMul(x, w) }}"""
    )
    found = ReferenceExecutor(network).run({"x": np.eye(1, 64, dtype=np.float32)})
    np.testing.assert_allclose(found["y"], weight[:1])
    assert network.graph.initializers["w"].const_value is not None
    assert not isinstance(network.graph.initializers["w"].const_value, ir.ExternalTensor)


def test_reference_says_what_fails() -> None:
    with pytest.raises(MccError, match="value-unknown"):
        ReferenceExecutor(scaled(2)).run(feeds(1), ["nothing"])
    with pytest.raises(MccError, match="reference-failed"):
        ReferenceExecutor(scaled(2)).run({"x": np.zeros((1, 1), np.float32)})
    broken = from_text(f"{HEAD} g (float[1] x) => (float[1] y) {{ y = other.Unknown(x) }}")
    with pytest.raises(MccError, match="reference-failed"):
        ReferenceExecutor(broken)


def test_reasons_tell_of_the_network_not_of_the_runtime() -> None:
    text = "g (float[2,3] x, int64[1] i) => (float[1,3] y) { y = Gather(x, i) }"
    executor = ReferenceExecutor(from_text(f"{HEAD} {text}"))
    inputs = {"x": np.zeros((2, 3), np.float32), "i": np.array([7])}
    with pytest.raises(MccError, match=r"does not run g: Gather `\w*`: indices element") as caught:
        executor.run(inputs)
    assert "onnxruntime" not in str(caught.value)


def test_evidence_is_reproducible_and_keeps_integers_in_range() -> None:
    network = from_text(
        f"""{HEAD} g (float[1,50] x, int64[1,50] ids, bool[1,5] mask) => (float[1,50] y) {{
            y = Identity(x) }}"""
    )
    calibration = [
        {
            "x": np.full((1, 50), 3, np.float32),
            "ids": np.arange(10, 60)[None],
            "mask": np.ones((1, 5), bool),
        }
    ] * 6
    evidence = evidence_for(network, calibration)
    assert [kind for kind, _ in evidence].count("calibration") == 4
    assert {kind for kind, _ in evidence} == {"calibration", "random", "extreme"}
    for _, given in evidence:
        assert given["ids"].min() >= 10
        assert given["ids"].max() <= 59
        assert given["mask"].all()
    zeros, saturated = evidence.extreme
    assert not zeros["x"].any()
    assert set(np.abs(saturated["x"]).ravel()) == {48.0}
    again = evidence_for(network, calibration)
    for (_, one), (_, two) in zip(evidence, again, strict=True):
        assert all(np.array_equal(one[name], two[name]) for name in one)


def test_evidence_without_calibration_data() -> None:
    network = from_text(f"{HEAD} g (float[4] x, int32[4] n) => (float[4] y) {{ y = Abs(x) }}")
    evidence = evidence_for(network, [])
    assert not evidence.calibration
    assert all(not given["n"].any() for _, given in evidence)
    assert all(np.isfinite(given["x"]).all() for _, given in evidence)


@pytest.mark.parametrize(
    ("contract", "factor", "passed"),
    [
        (Contract.EXACT, 2.0, True),
        (Contract.EXACT, 2.0000002, False),
        (Contract.BOUNDED, 2.0000002, True),
        (Contract.BOUNDED, 2.1, False),
        (Contract.LOSSY, 2.0000002, True),
        (Contract.LOSSY, 2.1, False),
    ],
)
def test_proofs_hold_or_fail_by_contract(contract: Contract, factor: float, passed: bool) -> None:
    evidence = evidence_for(scaled(2), [feeds(1, 2, -3)])
    certificate = prove(scaled(2), scaled(factor), contract, 1e-6, evidence, "scale")
    assert certificate.passed is passed
    assert (certificate.measured > 0) is (factor != 2)
    assert certificate.subject == "scale"
    assert certificate.inputs == "1 calibration, 2 random, 2 extreme"
    assert "output `y`" in certificate.detail


def test_bounded_error_is_relative_to_the_largest_output() -> None:
    certificate = prove(
        scaled(2), scaled(2.5), Contract.BOUNDED, 1, Evidence(calibration=(feeds(1, 4),))
    )
    assert certificate.measured == 0.25


@pytest.mark.parametrize(("allowed", "passed"), [(0.4, False), (0.5, True), (math.inf, True)])
def test_changes_are_held_against_what_rounding_explains(allowed: float, passed: bool) -> None:
    """Also where the output is zero, so that no change is small beside it."""
    evidence = Evidence(calibration=(feeds(1, 4),), extreme=(feeds(0),))
    before = [{"y": np.array([2.0, 8.0])}, {"y": np.array([0.0, 0.0])}]
    after = [before[0], {"y": np.array([0.5, 0.0])}]
    limits = [{"y": 1.0}, {"y": allowed}]
    certificate = judge_rounding(before, after, limits, evidence, "pass")
    assert certificate.passed is passed
    assert ("rounding decides 1 of 2" in certificate.detail) is (allowed == math.inf)
    if allowed < math.inf:
        assert (certificate.measured, certificate.bound) == (0.5 / 8, allowed / 8)


def test_a_change_of_which_no_input_tells_anything_is_not_proved() -> None:
    evidence = Evidence(calibration=(feeds(1, 4),), extreme=(feeds(0),))
    before = [{"y": np.array([2.0, 8.0])}, {"y": np.array([0.0, 0.0])}]
    limits = [{"y": math.inf}, {"y": math.inf}]
    other = [before[0], {"y": np.array([0.5, 0.0])}]
    assert judge_rounding(before, before, limits, evidence, "pass").passed
    assert not judge_rounding(before, other, limits, evidence, "pass").passed


@pytest.mark.parametrize(("allowed", "passed"), [(0.0, False), (1.0, False), (2.0, True)])
def test_integers_may_differ_in_as_many_elements_as_rounding_explains(
    allowed: float, passed: bool
) -> None:
    evidence = Evidence(calibration=(feeds(1, 4),))
    before, after = [{"y": np.array([3, 1, 2, 7])}], [{"y": np.array([3, 1, 4, 6])}]
    certificate = judge_rounding(before, after, [{"y": allowed}], evidence, "pass")
    assert certificate.passed is passed
    assert (certificate.measured, certificate.bound) == (2 / 4, allowed / 4)


def test_exact_tells_negative_zero() -> None:
    def signed(text: str) -> Network:
        return from_text(f"{HEAD} g (float[2,3] x) => (float[2,3] y) {{ {text} }}")

    before, after = signed("y = Identity(x)"), signed("z = Neg(x) y = Abs(z)")
    evidence = Evidence(calibration=(feeds(-0.0, 1),))
    assert prove(before, after, Contract.EXACT, 0, evidence).measured == 0.5


def test_nan_and_infinity_must_stay_where_they_are() -> None:
    def root(text: str) -> Network:
        return from_text(f"{HEAD} g (float[2,3] x) => (float[2,3] y) {{ {text} }}")

    evidence = Evidence(calibration=(feeds(-1, 4),))
    log, same = root("y = Sqrt(x)"), root("z = Sqrt(x) y = Identity(z)")
    other = root("z = Abs(x) y = Sqrt(z)")
    assert prove(log, same, Contract.BOUNDED, 0.1, evidence).passed
    assert prove(log, other, Contract.BOUNDED, 0.1, evidence).measured == math.inf


def test_integer_outputs_may_flip_on_made_up_inputs_only() -> None:
    def index(text: str) -> Network:
        return from_text(f"{HEAD} g (float[2,3] x) => (int64[2,1] y) {{ {text} }}")

    first, last = index("y = ArgMax<axis=1>(x)"), index("y=ArgMax<axis=1, select_last_index=1>(x)")
    ties = feeds(1, 1, 0)
    made_up = Evidence(extreme=(ties,))
    assert prove(first, last, Contract.BOUNDED, 0.1, made_up).passed
    assert not prove(first, last, Contract.BOUNDED, 0.1, Evidence(calibration=(ties,))).passed


def test_outputs_of_other_shape_fail() -> None:
    one = from_text(f"{HEAD} g (float[2,3] x) => (float[2,3] y) {{ y = Identity(x) }}")
    two = from_text(f"{HEAD} g (float[2,3] x) => (float[3,2] y) {{ y = Transpose(x) }}")
    certificate = prove(one, two, Contract.LOSSY, 9, Evidence(calibration=(feeds(1),)))
    assert certificate.measured == math.inf
    assert not certificate.passed


def test_made_up_inputs_that_the_network_refuses_are_left_out() -> None:
    network = from_text(
        f"""{HEAD} g (float[2,3] x) => (float[1] y) <float[2] t = {{1,2}}> {{
            a = ReduceMax<keepdims=0>(x) i = Cast<to=7>(a) b = Gather(t, i) y = Unsqueeze(b, z) }}
        """.replace("{1,2}>", "{1,2}, int64[1] z = {0}>")
    )
    evidence = Evidence(calibration=(feeds(1),), extreme=(feeds(50),))
    assert outputs_of(network, evidence)[1] is None
    assert prove(network, network, Contract.EXACT, 0, evidence).inputs.endswith("0 extreme")
    with pytest.raises(MccError, match="reference-failed"):
        outputs_of(network, Evidence(calibration=(feeds(50),)))


@pytest.mark.parametrize("number", [0.5, math.inf])
def test_certificates_are_plain_data(number: float) -> None:
    certificate = Certificate(
        subject="quantize",
        contract=Contract.LOSSY,
        bound=number,
        measured=0.25,
        inputs="1 calibration",
        passed=True,
    )
    assert Certificate.from_dict(certificate.to_dict()) == certificate


CONVOLUTIONS = [
    ("float[1,4,6,5] x", "float[6,2,3,2] w", "strides=[2,1], pads=[1,0,2,1], group=2"),
    ("float[1,4,9] x", "float[4,1,3] w", "dilations=[2], group=4"),
    ("float[2,2,4,4,4] x", "float[3,2,2,2,2] w", "pads=[0,0,0,1,1,1]"),
]


@pytest.mark.parametrize(("x", "weight", "attributes"), CONVOLUTIONS)
def test_float64_convolutions_are_the_same(x: str, weight: str, attributes: str) -> None:
    network = from_text(f"{HEAD} g ({x}, {weight}) => (float[N] y) {{ y = Identity(x) }}")
    shapes = [shape_of(value) for value in network.graph.inputs]
    generator = np.random.default_rng(0)
    data, kernel = (generator.normal(size=shape).astype(np.float32) for shape in shapes)
    numbers = ",".join(str(number) for number in kernel.ravel())
    network = from_text(
        f"""{HEAD} g ({x}) => (float[N] y) <{weight} = {{{numbers}}}> {{
            c = Conv<{attributes}>(x, w) s = Softsign(c) y = GlobalAveragePool(s) }}"""
    )
    wide = widen(network)
    assert wide is not None
    narrow = ReferenceExecutor(network).run({"x": data})["y"]
    found = ReferenceExecutor(wide).run({"x": data})["y"]
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, narrow, rtol=1e-5, atol=1e-6)


def test_float64_is_not_tried_where_it_cannot_be() -> None:
    half = f"{HEAD} g (float16[2] x) => (float16[2] y) {{ y = Relu(x) }}"
    assert widen(from_text(half)) is None
    old = '<ir_version: 10, opset_import: ["" : 13]> g (float[2] x) => (float[2] y) {y = Relu(x)}'
    assert widen(from_text(old)) is None
