"""Every rule of placement, with a node that it accepts and one that it refuses."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx_ir as ir
import pytest

from mcc.backends.crossbar import targets
from mcc.ir.network import Network, Placement, ReferenceExecutor, Unit, from_text
from mcc.passes import place_crossbar as crossbar
from mcc.passes import place_vector as vector
from mcc.passes.place_crossbar import Demand, sentence
from mcc.passes.place_rules import RULES, Condition, decide, operator_rows
from mcc.passes.quantize import Quantize

HEAD = '<ir_version: 10, opset_import: ["" : 20, "mcc" : 1]>\n'


def network(text: str) -> Network:
    return from_text(HEAD + text)


def name_of(condition: Callable[..., str | None]) -> str:
    return getattr(condition, "__name__", "condition")


def last_node(text: str) -> ir.Node:
    graph = network(text).graph
    return graph[len(graph) - 1]


ACCEPTED = {
    "Abs": "g (float[2,3] x) => (float[2,3] y) {y = Abs(x)}",
    "Add": "g (float[2,3] x, float[3] z) => (float[2,3] y) {y = Add(x, z)}",
    "Ceil": "g (float[2,3] x) => (float[2,3] y) {y = Ceil(x)}",
    "Clip": "g (float[3] x) => (float[3] y) <float a = {0}, float b = {6}> {y = Clip(x, a, b)}",
    "Div": "g (float[2,3] x) => (float[2,3] y) <float s = {3}> {y = Div(x, s)}",
    "Floor": "g (float[2,3] x) => (float[2,3] y) {y = Floor(x)}",
    "LeakyRelu": "g (float[3] x) => (float[3] y) {y = LeakyRelu<alpha = 0.1>(x)}",
    "Max": "g (float[3] x, float[3] z) => (float[3] y) {y = Max(x, z)}",
    "MaxPool": "g (float[1,2,9,9] x) => (float[1,2,3,3] y) "
    "{y = MaxPool<kernel_shape = [3,3], strides = [2,2], dilations = [2,2]>(x)}",
    "Min": "g (float[3] x, float[3] z) => (float[3] y) {y = Min(x, z)}",
    "Mul": "g (float[2,3] x) => (float[2,3] y) {y = Mul(x, x)}",
    "Neg": "g (float[2,3] x) => (float[2,3] y) {y = Neg(x)}",
    "ReduceMax": "g (float[2,3] x) => (float[2,1] y) <int64[1] a = {-1}> {y = ReduceMax(x, a)}",
    "Relu": "g (float[2,3] x) => (float[2,3] y) {y = Relu(x)}",
    "Sqrt": "g (float[2,3] x) => (float[2,3] y) {y = Sqrt(x)}",
    "Sub": "g (float[2,3] x) => (float[2,3] y) {y = Sub(x, x)}",
    "Concat": "g (int8[2,3] x) => (int8[2,6] y) {y = Concat<axis = 1>(x, x)}",
    "Expand": "g (float[2,1] x) => (float[2,3] y) <int64[2] s = {2,3}> {y = Expand(x, s)}",
    "Pad": "g (float[2] x) => (float[5] y) <int64[2] p = {1,2}> {y = Pad(x, p)}",
    "Resize": "g (float[1,1,2,2] x) => (float[1,1,4,6] y) <float[4] s = {1,1,2,3}> "
    '{y = Resize<mode = "nearest">(x, , s)}',
    "Slice": "g (float[9] x) => (float[3] y) "
    "<int64[1] a = {1}, int64[1] b = {8}, int64[1] c = {0}, int64[1] d = {3}> "
    "{y = Slice(x, a, b, c, d)}",
    "Split": "g (float[4] x) => (float[1] y, float[3] z) <int64[2] s = {1,3}> "
    "{y, z = Split<axis = 0>(x, s)}",
    "Transpose": "g (uint8[2,3] x) => (uint8[3,2] y) {y = Transpose<perm = [1,0]>(x)}",
    "Flatten": "g (float[2,3] x) => (float[2,3] y) {y = Flatten(x)}",
    "Identity": "g (float[2,3] x) => (float[2,3] y) {y = Identity(x)}",
    "Reshape": "g (int64[2,3] x) => (int64[6] y) <int64[1] s = {-1}> {y = Reshape(x, s)}",
    "Squeeze": "g (float[1,3] x) => (float[3] y) <int64[1] a = {0}> {y = Squeeze(x, a)}",
    "Unsqueeze": "g (float[3] x) => (float[1,3] y) <int64[1] a = {0}> {y = Unsqueeze(x, a)}",
    "Constant": "g () => (float[1] y) {y = Constant<value = float[1] {1}>()}",
    "mcc.Mean": "g (float[2,4] x) => (float[2] y) {y = mcc.Mean<factor = 0.25>(x)}",
    "mcc.Quantize": "g (float[2] x) => (int8[2] y) <float s = {1}> "
    "{y = mcc.Quantize<zero_point = 0, low = -128, high = 127, to = 3>(x, s)}",
    "mcc.Dequantize": "g (int32[2] x) => (float[2] y) <float s = {1}> {y = mcc.Dequantize(x, s)}",
}

REFUSED: dict[Condition, str] = {
    vector.static_shapes: "g (float[N] x) => (float[N] y) {y = Relu(x)}",
    vector.some_elements: "g (float[0,3] x) => (float[0,3] y) {y = Relu(x)}",
    vector.float32_operands: "g (int32[3] x) => (int32[3] y) {y = Add(x, x)}",
    vector.movable_elements: "g (int64[2,3] x) => (int64[3,2] y) {y = Transpose(x)}",
    vector.two_operands: "g (float[3] x) => (float[3] y) {y = Max(x, x, x)}",
    vector.constant_parameters: "g (float[3] x, float a) => (float[3] y) {y = Clip(x, a)}",
    vector.trailing_axes: "g (float[2,3] x) => (float[1,3] y) <int64[1] a = {0}> "
    "{y = ReduceMax(x, a)}",
    vector.values_only: "g (float[1,1,4] x) => (float[1,1,3] y, int64[1,1,3] i) "
    "{y, i = MaxPool<kernel_shape = [2]>(x)}",
    vector.explicit_padding: "g (float[1,1,4] x) => (float[1,1,4] y) "
    '{y = MaxPool<kernel_shape = [2], auto_pad = "SAME_UPPER">(x)}',
    vector.forward_steps: "g (float[3] x) => (float[3] y) "
    "<int64[1] a = {-1}, int64[1] b = {-4}, int64[1] c = {0}, int64[1] d = {-1}> "
    "{y = Slice(x, a, b, c, d)}",
    vector.constant_border: "g (float[3] x) => (float[5] y) <int64[2] p = {1,1}> "
    '{y = Pad<mode = "reflect">(x, p)}',
    vector.whole_nearest_factors: "g (float[1,1,2] x) => (float[1,1,3] y) <float[3] s = {1,1,1.5}> "
    '{y = Resize<mode = "nearest">(x, , s)}',
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_accepted(name: str) -> None:
    node = last_node(ACCEPTED[name])
    domain, _, op_type = name.rpartition(".")
    placement = decide(node)
    assert placement.unit is RULES[domain, op_type].unit, placement
    assert name in placement.rule or name == "Constant"


def test_every_operator_of_the_table_has_an_accepted_case() -> None:
    names = {f"{domain}.{op_type}" if domain else op_type for domain, op_type in RULES}
    assert names == set(ACCEPTED)


@pytest.mark.parametrize("condition", REFUSED, ids=name_of)
def test_refused(condition: Condition) -> None:
    node = last_node(REFUSED[condition])
    placement = decide(node)
    assert placement.unit is Unit.HOST
    assert placement.rule == sentence(condition)
    assert placement.measured


def test_every_condition_has_a_refused_case() -> None:
    assert {item for rule in RULES.values() for item in rule.conditions} == set(REFUSED)


@pytest.mark.parametrize(
    ("text", "measured"),
    [
        ("g (float[3] x) => (float[1] y) <int64[2] p = {-1,-1}> {y = Pad(x, p)}", "[-1, -1]"),
        (
            "g (float[2,3] x) => (float[2,3] y) {y = ReduceMax<noop_with_empty_axes = 1>(x)}",
            "computed",
        ),
        (
            "g (float[1,1,2] x) => (float[1,1,4] y) <float[3] s = {1,1,2}> "
            '{y = Resize<mode = "linear">(x, , s)}',
            "mode is linear",
        ),
        (
            "g (float[1,1,2] x) => (float[1,1,4] y) <float[3] s = {1,1,2}> {y = Resize<mode = "
            '"nearest", coordinate_transformation_mode = "asymmetric">(x, , s)}',
            "asymmetric with round_prefer_floor",
        ),
    ],
)
def test_other_refusals(text: str, measured: str) -> None:
    placement = decide(last_node(text))
    assert placement.unit is Unit.HOST
    assert measured in placement.measured


@pytest.mark.parametrize("factor", [2, 3, 4, 5])
@pytest.mark.parametrize(
    "attributes",
    [
        'coordinate_transformation_mode = "asymmetric", nearest_mode = "floor"',
        'coordinate_transformation_mode = "half_pixel", nearest_mode = "round_prefer_floor"',
        'coordinate_transformation_mode = "half_pixel", nearest_mode = "round_prefer_ceil"',
        'coordinate_transformation_mode = "half_pixel_symmetric"',
        'coordinate_transformation_mode = "pytorch_half_pixel"',
    ],
)
def test_accepted_resizes_repeat_their_elements(factor: int, attributes: str) -> None:
    text = (
        f"g (float[1,1,5,3] x) => (float[1,1,{5 * factor},3] y) <float[4] s = {{1,1,{factor},1}}>"
        f'{{y = Resize<mode = "nearest", {attributes}>(x, , s)}}'
    )
    assert decide(last_node(text)).unit is Unit.VECTOR
    x = np.arange(15, dtype=np.float32).reshape(1, 1, 5, 3)
    found = ReferenceExecutor(network(text)).run({"x": x})["y"]
    assert np.array_equal(found, x.repeat(factor, axis=2))


def test_what_is_in_no_table_runs_on_the_host() -> None:
    node = last_node("g (float[2,3] x) => (float[2,3] y) {y = Softmax(x)}")
    rule = "Softmax is not among the vector unit's exact operations."
    assert decide(node) == Placement(Unit.HOST, rule, "float 2x3")


CROSSBAR_REFUSED: dict[crossbar.Condition, str] = {
    crossbar.linear_or_convolution: "g (float[1,1,4] x) => (float[1,1,5] y) "
    "<float[1,1,2] w = {1,2}> {y = ConvTranspose(x, w)}",
    crossbar.static_weight: "g (float[2,3] x, float[3,2] w) => (float[2,2] y) {y = MatMul(x, w)}",
    crossbar.canonical_form: "g (float[2,3] x) => (float[2,1] y) <float[3,1] w = {1,2,3}> "
    "{y = MatMul(x, w)}",
    crossbar.float_operands: "g (double[2,3] x) => (double[2,1] y) <double[3,1] w = {1,2,3}> "
    "{y = mcc.Linear(x, w)}",
    crossbar.some_work: "g (float[0,3] x) => (float[0,1] y) <float[3,1] w = {1,2,3}> "
    "{y = mcc.Linear(x, w)}",
    crossbar.one_image: "g (float[2,1,4] x) => (float[2,1,4] y) <float[1,1,1] w = {1}> "
    "{y = mcc.Conv<strides = [1], pads = [0,0], dilations = [1], group = 1>(x, w)}",
}
LINEAR = "g (float[2,3] x) => (float[2,1] y) <float[3,1] w = {1,2,3}> {y = mcc.Linear(x, w)}"


@pytest.mark.parametrize("condition", CROSSBAR_REFUSED, ids=name_of)
def test_contractions_refused_by_form(condition: crossbar.Condition) -> None:
    refused = crossbar.refusal(last_node(CROSSBAR_REFUSED[condition]), Demand())
    assert refused is not None
    assert refused.rule == sentence(condition)
    assert refused.measured


def test_contractions_refused_by_value() -> None:
    conditions = set(crossbar.CONDITIONS) - set(CROSSBAR_REFUSED)
    small = targets.load("rram40nm")
    narrow = small.with_values({"macro.cols": 8, "macro.adc.columns_per_adc": 4})
    node = last_node(LINEAR)
    tensor = np.array([[1], [np.nan], [3]], np.float32)
    spoiled = last_node(LINEAR)
    assert spoiled.inputs[1] is not None
    spoiled.inputs[1].const_value = ir.tensor(tensor)
    tall = last_node(LINEAR)
    tall.replace_input_with(1, ir.Value(name="w", shape=ir.Shape((70000, 1))))
    cases = {
        crossbar.finite_weight: (spoiled, Demand(), "1 of 3"),
        crossbar.sums_fit_int32: (tall, Demand(), "70000 rows"),
        crossbar.weight_fits_macro: (node, Demand(target=narrow), "14 of 8 columns"),
        crossbar.fills_array: (node, Demand(target=small, minimum_fill=1.0), "% of 1 macro"),
    }
    assert set(cases) == conditions
    for condition, (case, demand, measured) in cases.items():
        found = condition(case, demand)
        assert found is not None
        assert measured in found
        assert condition(node, Demand(target=small)) is None


def test_an_accepted_contraction_says_how_full_it_is() -> None:
    demand = Demand(target=targets.load("rram40nm"), minimum_fill=0.0)
    assert crossbar.refusal(last_node(LINEAR), demand) is None
    placement = crossbar.accepted(last_node(LINEAR), demand)
    assert placement.unit is Unit.CROSSBAR
    assert placement.measured.startswith("3 x 1, 0.0")


def test_by_default_three_weights_are_too_few_for_a_macro() -> None:
    demand = Demand(target=targets.load("rram40nm"), minimum_fill=Quantize().minimum_fill)
    node = last_node(LINEAR)
    node.replace_input_with(1, ir.Value(name="w", shape=ir.Shape((3, 1))))
    assert crossbar.fills_array(node, demand) == "0.016 % of 1 macro, less than 0.05 %"
    node.replace_input_with(1, ir.Value(name="w", shape=ir.Shape((3, 7))))
    assert crossbar.fills_array(node, demand) is None


def test_a_contraction_that_was_not_quantized() -> None:
    placement = decide(last_node(LINEAR))
    assert placement.unit is Unit.HOST
    assert placement.rule == "A contraction must be quantized to run on a crossbar."


def test_the_table_holds_every_sentence() -> None:
    rows = {(row.domain, row.op_type): row for row in operator_rows()}
    assert rows["mcc", "Conv"].unit is Unit.CROSSBAR
    assert sentence(crossbar.static_weight) in rows["mcc", "Linear"].conditions
    assert rows["", "Slice"].conditions[-1] == "Slices must step forward."
    assert [*rows] == sorted(rows)
    assert all(line.endswith(".") for row in rows.values() for line in row.conditions)
