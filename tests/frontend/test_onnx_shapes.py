"""Shapes that a file does not declare: inferred where they follow, refused by name where not."""

from __future__ import annotations

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from onnx import parser

from mcc.frontend import capture
from mcc.ir.diagnostics import Diagnostic, MccError
from mcc.ir.network import ReferenceExecutor, static_shape

IMAGE = "float[1, 4, 3, 3] x"


def network(opset: int, nodes: str, x: str = "float[2, 3, 4] x", more: str = "") -> onnx.ModelProto:
    """Parse a network that declares no shapes after its inputs."""
    head = f'<ir_version: 8, opset_import: ["" : {opset}, "com.microsoft" : 1, "local" : 1]>'
    constants = ", ".join(f"float[{n}] v{n} = {{{', '.join(['0.5'] * n)}}}" for n in (2, 4))
    model = parser.parse_model(f"{head} open ({x}) => (float y) <{constants}> {{ {nodes} }} {more}")
    model.graph.output[0].ClearField("type")
    return model


def problem(model: onnx.ModelProto) -> Diagnostic:
    with pytest.raises(MccError) as caught:
        capture(model)
    return caught.value.diagnostics[0]


RESHAPED = """
    a = com.microsoft.Gelu (x)
    shape = Shape (a)
    first = Constant <value_ints = [0]> ()
    count = Gather (shape, first)
    rest = Constant <value_ints = [-1]> ()
    both = Concat <axis = 0> (count, rest)
    y = Reshape (a, both)
"""


@pytest.mark.parametrize(
    ("opset", "nodes", "x"),
    [
        (17, "y = com.microsoft.Gelu (x)", "float[n, 4] x"),
        (20, "y = com.microsoft.FastGelu (x)", "float[n, 4] x"),
        (20, "y = com.microsoft.BiasGelu (x, v4)", "float[n, 4] x"),
        (20, "y = com.microsoft.FusedMatMul <transB = 1> (x, x)", "float[2, 4] x"),
        (20, "y = com.microsoft.SkipLayerNormalization (x, x, v4)", "float[n, 3, 4] x"),
        (17, "a = com.microsoft.Gelu (x) y = Softmax <axis = 1> (a)", "float[2, 3, 4] x"),
        (12, "a = com.microsoft.Gelu (x) y = Softmax <axis = 1> (a)", "float[2, 3, 4] x"),
        (20, RESHAPED, "float[2, 3, 4] x"),
        (18, "y = GroupNormalization <num_groups = 2> (x, v2, v2)", IMAGE),
        (20, "y = GroupNormalization <num_groups = 2> (x, v2, v2)", IMAGE),
        (21, "y = GroupNormalization <num_groups = 2> (x, v4, v4)", IMAGE),
        (18, "y = MeanVarianceNormalization (x)", IMAGE),
        (17, "y = SimplifiedLayerNormalization (x, v4)", "float[n, 4] x"),
    ],
)
def test_shapes_that_follow_need_not_be_declared(opset: int, nodes: str, x: str) -> None:
    model = network(opset, nodes, x)
    captured = capture(model)
    values = [value for node in captured.network.graph for value in node.outputs]
    assert all(static_shape(value) is not None for value in values)
    feeds = {
        leaf.name: np.linspace(-1, 2, int(np.prod(leaf.shape)), dtype="f").reshape(leaf.shape)
        for leaf in captured.signature.input_leaves
    }
    want = ReferenceExecutor(ir.from_proto(model)).run(feeds)["y"]
    have = ReferenceExecutor(captured.network).run(feeds)["y"]
    assert captured.signature.output_leaves[0].shape == want.shape
    np.testing.assert_array_equal(have, want)


def test_the_operator_that_leaves_a_size_open_is_named() -> None:
    found = problem(network(20, "a = Neg (x) [search] b = NonZero (a) y = Cast <to = 1> (b)"))
    assert found.code == "dynamic-shape"
    assert "`NonZero`" in found.message
    assert found.location.module == "search"


FUNCTION = """
<domain: "local", opset_import: ["" : OPSET]> part (x) => (y) { y = OPERATOR (x) }
"""


def test_functions_of_another_opset_are_inlined_where_nothing_changed() -> None:
    part = FUNCTION.replace("OPSET", "16").replace("OPERATOR", "Relu")
    captured = capture(network(18, "y = local.part (x)", more=part))
    assert [node.op_type for node in captured.network.graph] == ["Relu"]


def test_functions_of_another_opset_are_refused_where_an_operator_changed() -> None:
    part = FUNCTION.replace("OPSET", "12").replace("OPERATOR", "Softmax <axis = 1>")
    found = problem(network(18, "y = local.part (x)", more=part))
    assert found.code == "opset-unsupported"
    assert "`Softmax` in function `part`" in found.message


@pytest.mark.parametrize(("inner", "outer"), [("4, 1", "1, 4"), ("1, 5", "1, 4"), ("1, 4", "4, 1")])
def test_shapes_that_do_not_follow_count_for_nothing(inner: str, outer: str) -> None:
    """As in ONNX Runtime, which runs such files and warns."""
    model = parser.parse_model(f"""<ir_version: 8, opset_import: ["" : 20]>
        odd (float[1, 2] x) => (float[{outer}] y)
        <float[2, 4] w = {{1, 2, 3, 4, 5, 6, 7, 8}}, float[{inner}] m> {{
            m = MatMul (x, w)
            y = Relu (m)
        }}""")
    found = capture(model).network
    assert [static_shape(value) for node in found.graph for value in node.outputs] == [(1, 4)] * 2
