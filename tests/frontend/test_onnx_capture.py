"""ONNX networks: what they mean is kept, what is wrong with them is said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from onnx import parser

from mcc.frontend import InputSpec, capture
from mcc.ir.diagnostics import MccError
from mcc.ir.network import ReferenceExecutor, location_of, static_shape

MNIST = Path(__file__).parents[3] / "shared/data/models/mnist.onnx"


def model(text: str, opset: int = 20, more: str = "") -> onnx.ModelProto:
    head = f'<ir_version: 9, opset_import: ["" : {opset}{more}]>'
    return parser.parse_model(f"{head}\n{text}")


def problems(source: Any, *args: Any, **options: Any) -> list[tuple[str, str]]:
    with pytest.raises(MccError) as caught:
        capture(source, *args, **options)
    return [(item.code, str(item)) for item in caught.value.diagnostics]


DENSE = """
dense (float[batch, 3] x) => (float[batch, 2] y)
<float[3, 2] weight = {1.0, 2.0, 3.0, 4.0, 5.0, 6.0}> {
    y = MatMul(x, weight)
}
"""


def test_open_batch_becomes_one_sample() -> None:
    source = model(DENSE)
    before = source.SerializeToString()
    captured = capture(source)
    assert captured.samples
    assert captured.signature.input_leaves[0].shape == (1, 3)
    assert captured.signature.output_leaves[0].shape == (1, 2)
    assert captured.findings == ()
    assert captured.network.graph.opset_imports[""] == 20
    assert captured.certificate.passed
    assert source.SerializeToString() == before


def test_onnx_ir_models_are_left_as_they_are() -> None:
    source = ir.from_proto(model(DENSE))
    assert capture(source).samples
    assert source.graph.inputs[0].shape == ("batch", 3)


def test_examples_may_hold_several_samples() -> None:
    x = np.arange(12, dtype=np.float32).reshape(4, 3)
    captured = capture(model(DENSE), x)
    assert len(captured.examples) == 4
    assert capture(model(DENSE), {"x": x}).signature == captured.signature


def test_batch_that_mixes_is_one_input() -> None:
    source = model("""
    mix (float[batch, 3] x) => (float[batch, 3] y) {
        axes = Constant <value_ints = [0]> ()
        mean = ReduceMean (x, axes)
        y = Sub (x, mean)
    }""")
    assert not capture(source).samples
    captured = capture(source, np.ones((5, 3), np.float32))
    assert not captured.samples
    assert captured.signature.input_leaves[0].shape == (5, 3)


def test_fixed_single_sample_is_repeated() -> None:
    captured = capture(model(DENSE.replace("batch", "1")), np.ones((4, 3), np.float32))
    assert captured.samples
    assert [item.code for item in captured.findings] == ["samples-repeated"]
    assert len(captured.examples) == 4


def test_fixed_larger_batch_is_one_input() -> None:
    captured = capture(model(DENSE.replace("batch", "4")))
    assert not captured.samples
    assert captured.signature.input_leaves[0].shape == (4, 3)


TOKENS = """
tokens (float[batch, length, 3] x) => (float[batch, flat] y) {
    shape = Shape(x)
    zero = Constant <value_ints = [0]> ()
    count = Gather (shape, zero)
    rest = Constant <value_ints = [-1]> ()
    both = Concat <axis = 0> (count, rest)
    y = Reshape (x, both)
}
"""


def test_open_sizes_are_asked_for() -> None:
    ((code, text),) = problems(model(TOKENS))
    assert code == "dynamic-shape"
    assert "--input x=1x16x3" in text


def test_given_sizes_fix_every_shape() -> None:
    captured = capture(model(TOKENS), input_shapes={"x": (1, 4, 3)})
    assert captured.samples
    assert captured.signature.output_leaves[0].shape == (1, 12)
    values = [value for node in captured.network.graph for value in node.outputs]
    assert all(static_shape(value) is not None for value in values)
    assert capture(model(TOKENS), np.ones((2, 5, 3), np.float32)).samples


def test_output_whose_size_depends_on_data_is_refused() -> None:
    source = model("find (float[1, 8] x) => (int64[2, n] y) { y = NonZero(x) }")
    assert problems(source)[0][0] == "dynamic-shape"


def test_several_outputs_come_by_name() -> None:
    source = model("""
    two (float[n, 2] x, int64[n, 2] k) => (float[n, 2] y, int64[n, 2] z) {
        y = Neg(x)
        z = Add(k, k)
    }""")
    captured = capture(source, input_shapes={"x": InputSpec((1, 2))})
    outputs = {leaf.name: np.ones(2) for leaf in captured.signature.output_leaves}
    assert list(captured.signature.unflatten_outputs(outputs)) == ["y", "z"]


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"x": np.ones((1, 4), np.float32)}, "input-shape"),
        ({"x": np.ones(3, np.float32)}, "input-shape"),
        ({"x": np.ones((1, 3))}, "input-dtype"),
        ({"x": np.full((1, 3), np.nan, np.float32)}, "input-not-finite"),
        ({"x": "text"}, "input-dtype"),
        ((np.ones((1, 3), np.float32),) * 2, "input-unknown"),
    ],
)
def test_bad_examples_are_refused(given: Any, code: str) -> None:
    assert problems(model(DENSE), given)[0][0] == code


def test_a_wrong_input_name_offers_the_nearest() -> None:
    found = problems(model(DENSE), kwargs={"xx": np.ones((1, 3), np.float32)})
    assert "input-unknown" in dict(found)
    assert "did you mean `x`?" in str(found)
    assert problems(model(DENSE), input_shapes={"z": (1, 3)})[0][0] == "input-unknown"


QUANTIZED = """
quantized (float[n, 3] x) => (float[n, 2] y)
<float scale = {0.1}, int8 zero = {3}, int8[3, 2] weight = {1, -2, 3, 4, -5, 6}, int8 none = {0}> {
    codes = QuantizeLinear (x, scale, zero)
    back = DequantizeLinear (codes, scale, zero)
    matrix = DequantizeLinear (weight, scale, none)
    y = MatMul (back, matrix)
}
"""


def test_quantize_and_dequantize_are_kept() -> None:
    captured = capture(model(QUANTIZED, 13))
    kinds = [node.op_type for node in captured.network.graph]
    assert kinds.count("QuantizeLinear") == 1
    assert kinds.count("DequantizeLinear") == 2
    assert captured.certificate.measured == 0


OLD = """
old (float[n, 4] x, float[4] slope) => (float[n, 1] y) <float[4] slope = {1.0, 2.0, 3.0, 4.0}> {
    scaled = Mul (x, slope)
    wide = Unsqueeze <axes = [2]> (scaled)
    narrow = Squeeze <axes = [2]> (wide)
    kept = Clip <min = -1.0, max = 1.0> (narrow)
    y = ReduceSum <axes = [1], keepdims = 1> (kept)
}
"""


@pytest.mark.parametrize("opset", [7, 9, 10])
def test_old_opsets_are_converted(opset: int) -> None:
    captured = capture(model(OLD, opset), np.linspace(-1, 1, 8, dtype="f").reshape(2, 4))
    assert captured.network.graph.opset_imports[""] == 18
    assert "opset-converted" in [item.code for item in captured.findings]
    assert [leaf.name for leaf in captured.signature.input_leaves] == ["x"]
    executor = ReferenceExecutor(captured.network)
    found = executor.run({"x": np.full((1, 4), 0.1, np.float32)})["y"]
    np.testing.assert_allclose(found, [[1.0]], rtol=1e-6)


def test_functions_of_the_model_are_inlined() -> None:
    text = """
    outer (float[n, 3] x) => (float[n, 3] y) { y = local.twice(x) }
    <domain: "local", opset_import: ["" : 20]>
    twice (x) => (y) { y = Add(x, x) }
    """
    captured = capture(model(text, more=', "local" : 1'))
    assert [node.op_type for node in captured.network.graph] == ["Add"]


def test_unknown_operators_are_all_named() -> None:
    text = """
    strange (float[n, 3] x) => (float[n, 3] y) {
        [first] a = Reluu(x)
        [second] b = local.Thing(a)
        [third] y = Gelu(b)
    }"""
    found = problems(model(text, 18, ', "local" : 1'))
    assert [code for code, _ in found] == ["operator-unknown"] * 3
    assert "`local::Thing`" in found[1][1]
    assert "(second)" in found[1][1]


def test_future_opset_is_refused() -> None:
    source = model(DENSE)
    source.opset_import[0].version = 999
    assert problems(source)[0][0] == "opset-unsupported"


def test_cycle_is_refused() -> None:
    source = model("""
    round (float[1, 3] x) => (float[1, 3] y) {
        [one] a = Add(x, b)
        [two] b = Neg(a)
        y = Neg(b)
    }""")
    ((code, text),) = problems(source)
    assert code == "network-cycle"
    assert "one" in text
    assert "two" in text


def test_nodes_in_another_order_are_sorted() -> None:
    source = model("order (float[1, 3] x) => (float[1, 3] y) { a = Neg(x)  y = Abs(a) }")
    nodes = list(reversed(source.graph.node))
    del source.graph.node[:]
    source.graph.node.extend(nodes)
    captured = capture(source)
    assert [node.op_type for node in captured.network.graph] == ["Neg", "Abs"]


def test_undefined_value_is_refused() -> None:
    source = model("lost (float[1, 3] x) => (float[1, 3] y) { y = Add(x, nothing) }")
    ((code, text),) = problems(source)
    assert code == "network-damaged"
    assert "`nothing`" in text


@pytest.mark.parametrize("kind", ["float16", "bfloat16", "string"])
def test_types_that_cannot_be_judged_are_refused(kind: str) -> None:
    source = model(f"half ({kind}[1, 3] x) => ({kind}[1, 3] y) {{ y = Identity(x) }}")
    assert problems(source)[0][0] == "dtype-unsupported"


def test_network_that_onnx_runtime_refuses() -> None:
    source = model("bad (float[1, 3] x, float[1, 4] z) => (float[1, 3] y) { y = Add(x, z) }")
    assert problems(source)[0][0] == "reference-failed"


def test_control_flow_is_kept() -> None:
    source = model("""
    choice (float[1, 3] x) => (float[1, 3] y) {
        total = ReduceSum <keepdims = 0> (x)
        zero = Constant <value_float = 0.0> ()
        positive = Greater (total, zero)
        y = If (positive) <
            then_branch = yes () => (float[1, 3] a) { a = Neg(x) },
            else_branch = no () => (float[1, 3] b) { b = Abs(x) }
        >
    }""")
    assert "If" in [node.op_type for node in capture(source).network.graph]


def test_mnist() -> None:
    if not MNIST.exists():
        pytest.skip("shared/data/models/mnist.onnx is not here")
    captured = capture(MNIST)
    assert captured.samples
    assert captured.signature.input_leaves[0].shape == (1, 1, 28, 28)
    assert captured.provenance["opset"] == 7
    assert location_of(captured.network.graph[0]).file == "mnist.onnx"
