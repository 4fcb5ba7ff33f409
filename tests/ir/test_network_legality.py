"""What each stage refuses."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest

from mcc.ir.diagnostics import Location
from mcc.ir.network import (
    RULES,
    IntegerConv,
    IntegerLinear,
    Network,
    Placement,
    Stage,
    Tiling,
    Unit,
    check_stage,
    from_text,
    largest_sum,
    locate,
    matrix_shape,
    place,
    set_stage,
    tile,
)

HEAD = '<ir_version: 10, opset_import: ["" : 20, "mcc" : 1]>'
INTEGER = """zero_point=3, input_bits=4, input_signed=0, weight_bits=8"""
GOOD = f"""{HEAD} g (float[2,3] x) => (float[2,2] y)
<float s = {{0.5}}, int8[3,2] w = {{1,-2,3,-4,5,-6}}, float[2] c = {{1,2}}> {{
    [codes] q = mcc.Quantize<zero_point=3, low=0, high=15, to=2>(x, s)
    [sums] i = mcc.IntegerLinear<{INTEGER}>(q, w)
    [floats] y = mcc.Dequantize(i, c)
}}"""


def staged(text: str, stage: Stage) -> Network:
    return set_stage(from_text(text), stage)


def wrong(network: Network) -> list[str]:
    return [item.message for item in check_stage(network)]


def mapped() -> Network:
    network = staged(GOOD, Stage.MAPPED)
    for node in network.graph:
        unit = Unit.CROSSBAR if node.name == "sums" else Unit.VECTOR
        place(node, Placement(unit, "a rule"))
        if node.name == "sums":
            tile(node, Tiling(row_blocks=((0, 3),), col_blocks=((0, 2),), live=((0, 0),)))
    return network


def test_legal_networks_have_no_findings() -> None:
    assert not wrong(staged(GOOD, Stage.QUANTIZED))
    assert not wrong(mapped())


def test_each_rule_says_what_it_asks_for() -> None:
    assert set(RULES) == set(Stage)
    for rules in RULES.values():
        assert all(rule.__doc__ and rule.__doc__.endswith(".") for rule in rules)


def test_findings_carry_the_location() -> None:
    network = staged(GOOD, Stage.CANONICAL)
    locate(network.graph[0], Location("net.py", 3))
    first = check_stage(network)[0]
    assert first.code == "stage-illegal"
    assert first.location == Location("net.py", 3)


REFUSED = [
    (
        Stage.CAPTURED,
        f"{HEAD} g (float[2] x) => (float[2] y) {{ y = mcc.Rotate(x) }}",
        "mcc.Rotate is not one of",
    ),
    (Stage.CANONICAL, GOOD, "mcc.Quantize before quantization"),
    (
        Stage.CANONICAL,
        f"{HEAD} g (float[2,2] x, float[2,2] w) => (float[2,2] y) {{ y = mcc.Linear(x, w) }}",
        "w is computed at run time",
    ),
    (
        Stage.CANONICAL,
        f"{HEAD} g (float[n,2] x) => (float[n,2] y) {{ y = Relu(x) }}",
        "input `x` has no static shape",
    ),
    (
        Stage.CANONICAL,
        '<ir_version: 10, opset_import: ["" : 13]> g (float[2] x) => (float[2] y) {y = Relu(x)}',
        "opset 13",
    ),
    (
        Stage.QUANTIZED,
        GOOD.replace("1,-2,3", "1,-128,3").replace("weight_bits=8", "weight_bits=4"),
        "more than 4 bits",
    ),
    (
        Stage.QUANTIZED,
        GOOD.replace("y = mcc.Dequantize(i, c)", "f = Cast<to=1>(i) y = Mul(f, c)"),
        "reads the sums",
    ),
    (Stage.MAPPED, GOOD, "the node has no place"),
]


@pytest.mark.parametrize(("stage", "text", "sentence"), REFUSED)
def test_illegal_networks_are_refused(stage: Stage, text: str, sentence: str) -> None:
    found = wrong(staged(text, stage))
    assert any(sentence in message for message in found), found


def test_outputs_must_agree_with_their_operator() -> None:
    network = staged(GOOD, Stage.QUANTIZED)
    network.graph[1].outputs[0].shape = ir.Shape([7, 7])
    assert any("must be INT32[2, 2]" in message for message in wrong(network))


def test_sums_must_fit_into_32_bits() -> None:
    codes = ir.Value(name="q", type=ir.TensorType(ir.DataType.UINT8), shape=ir.Shape([1, 70000]))
    weight = np.full((70000, 1), -128, np.int8)
    value = ir.Value(
        name="w",
        type=ir.TensorType(ir.DataType.INT8),
        shape=ir.Shape(weight.shape),
        const_value=ir.tensor(weight, name="w"),
    )
    view = IntegerLinear(
        codes=codes, weight=value, zero_point=0, input_bits=8, input_signed=False, weight_bits=8
    )
    assert largest_sum(view) == 70000 * 128 * 255
    node = view.build("sums", "y")
    graph = ir.Graph(
        [codes], node.outputs, nodes=[node], initializers=[value], opset_imports={"": 20, "mcc": 1}
    )
    found = wrong(set_stage(ir.Model(graph, ir_version=10), Stage.QUANTIZED))
    assert any("a sum may reach 2284800000" in message for message in found)


def test_matrix_of_a_grouped_convolution_is_block_diagonal() -> None:
    weight = ir.Value(name="w", type=ir.TensorType(ir.DataType.INT8), shape=ir.Shape([6, 2, 3, 3]))
    view = IntegerConv(
        codes=weight,
        weight=weight,
        zero_point=0,
        strides=(1, 1),
        pads=(0,) * 4,
        dilations=(1, 1),
        group=4,
        input_bits=8,
        input_signed=True,
        weight_bits=8,
    )
    assert matrix_shape(view) == (72, 6)
    assert largest_sum(view) == 0


@pytest.mark.parametrize("name", ["codes", "floats"])
def test_only_integer_contractions_go_on_crossbars(name: str) -> None:
    network = mapped()
    node = next(item for item in network.graph if item.name == name)
    place(node, Placement(Unit.CROSSBAR, "a mistake"))
    assert any("cannot run on a crossbar" in message for message in wrong(network))


def test_crossbars_need_a_tiling_that_covers() -> None:
    network = mapped()
    sums = network.graph[1]
    tile(sums, Tiling(row_blocks=((0, 2), (2, 3)), col_blocks=((0, 2),), live=((0, 0),)))
    assert any("weights are in no tile" in message for message in wrong(network))
    tile(sums, Tiling(row_blocks=((0, 2),), col_blocks=((0, 2),), live=()))
    assert any("does not cover 3 x 2" in message for message in wrong(network))
    del sums.metadata_props["mcc.tiling"]
    assert any("there is no tiling" in message for message in wrong(network))
