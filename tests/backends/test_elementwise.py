"""Nodes of the vector unit, pooling and movement, without any contraction."""

from __future__ import annotations

import pytest

from mcc.backends.crossbar.generate import Generation, generate
from mcc.ir.hardware import Target
from mcc.ir.network import Network
from tests.canonical_networks import constant, model
from tests.mapped_networks import assert_same, chip, draw, placed, race

TARGETS = [
    pytest.param(chip(), id="rram40nm"),
    pytest.param(chip(core__memory__bytes=1024), id="little memory"),
]


def run(network: Network, target: Target) -> Generation:
    made = generate(placed(network), target)
    assert race(made.program) is None
    assert_same(network, made, draw(network, 2), order=3)
    return made


@pytest.mark.parametrize("target", TARGETS)
def test_every_elementwise_operator(target: Target) -> None:
    network = model(
        "float[1,3,6] x, float[1,3,6] z",
        "float[1,3,6] y",
        f"{constant('c', 3, 1)}, float lo = {{-0.5}}, float hi = {{0.5}}",
        """a = Mul(x, c) b = Sub(a, z) d = Abs(b) e = Sqrt(d) f = LeakyRelu<alpha=0.1>(b)
        g = Max(e, f) h = Min(g, c) i = Neg(h) j = Clip(i, lo, hi) k = Floor(x) l = Ceil(z)
        m = Add(k, l) n = Div(j, m) o = Relu(n) p = Clip(o, lo) y = Add(p, p)""",
    )
    made = run(network, target)
    assert [kernel.kind for kernel in made.kernels] == ["elementwise"] * 2


@pytest.mark.parametrize("target", TARGETS)
def test_large_results_are_spread_over_cores(target: Target) -> None:
    network = model("float[64,300] x", "float[64,300] y", constant("c", 300), "y = Mul(x, c)")
    made = run(network, target)
    assert len(made.kernels[0].cores) == 4


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(
    ("x", "y", "attributes"),
    [
        ("1,4,9,9", "1,4,5,5", "kernel_shape=[3,3],strides=[2,2],pads=[1,1,1,1]"),
        ("1,4,9,9", "1,4,5,7", "kernel_shape=[3,2],dilations=[2,2]"),
        ("1,2,7,8", "1,2,4,4", "kernel_shape=[2,2],strides=[2,2],ceil_mode=1"),
        ("1,3,20", "1,3,10", "kernel_shape=[3],strides=[2],pads=[0,1]"),
        ("1,2,4,5,6", "1,2,2,2,3", "kernel_shape=[2,2,2],strides=[2,2,2]"),
    ],
)
def test_max_pooling(x: str, y: str, attributes: str, target: Target) -> None:
    body = f"p = MaxPool<{attributes}>(x) y = Relu(p)"
    run(model(f"float[{x}] x", f"float[{y}] y", "", body), target)


@pytest.mark.parametrize("target", TARGETS)
def test_reductions(target: Target) -> None:
    network = model(
        "float[2,3,4,5] x",
        "float[2,3,4,1] y, float[2,3] z, float w",
        "int64[1] last = {-1}, int64[2] two = {-1, 2}",
        """y = ReduceMax(x, last) z = ReduceMax<keepdims=0>(x, two) a = Neg(x)
        w = ReduceMax<keepdims=0>(a)""",
    )
    run(network, target)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(
    ("y", "constants", "body"),
    [
        ("6,4,1", "", "a = Neg(x) y = Transpose<perm=[2,1,0]>(a)"),
        ("4,6", "int64[2] s = {4, 6}", "a = Transpose<perm=[2,0,1]>(x) y = Reshape(a, s)"),
        ("1,4,2", "int64[1] b={1}, int64[1] e={6}, int64[1] d={2}, int64[1] s={3}",
         "a = Slice(x, b, e, d, s) y = Neg(a)"),
        ("1,8,6", "", "a = Abs(x) b = Concat<axis=1>(x, a) y = Neg(b)"),
        ("1,4,18", "", "a = Abs(x) b = Neg(x) y = Concat<axis=-1>(x, a, b)"),
        ("3,4,6", "int64[3] s = {3, 1, 6}", "a = Expand(x, s) y = Neg(a)"),
        ("1,7,7", "int64[6] p = {0, 1, 1, 0, 2, 0}, float v = {-3.5}", "y = Pad(x, p, v)"),
        ("1,4,9", "int64[2] p = {1, 2}, int64[1] a = {-1}", "y = Pad(x, p, , a)"),
        ("1,4,3", "int64[2] p = {3, 3}", "a, b = Split<axis=2>(x, p) y = Sub(a, b)"),
        ("1,8,18", "float[3] s = {1.0, 2.0, 3.0}", """y = Resize<mode="nearest",
         coordinate_transformation_mode="asymmetric", nearest_mode="floor">(x, , s)"""),
        ("1,1,4,6", "int64[1] a = {1}", "y = Unsqueeze(x, a)"),
        ("1,4,6", "", "y = Identity(x)"),
    ],
)  # fmt: skip
def test_movement(y: str, constants: str, body: str, target: Target) -> None:
    run(model("float[1,4,6] x", f"float[{y}] y", constants, body), target)


@pytest.mark.parametrize("kind", ["int32", "int8", "uint8"])
def test_integers_move_as_well(kind: str) -> None:
    network = model(
        f"{kind}[2,6] x",
        f"{kind}[8,2] y",
        "int64[4] p = {0, 1, 0, 1}",
        "a = Pad(x, p) y = Transpose<perm=[1,0]>(a)",
    )
    run(network, chip())


def test_inputs_and_constants_as_outputs() -> None:
    network = model(
        "float[2,3] x",
        "float[2,3] x, float[6] y, float[3] c",
        f"int64[1] s = {{6}}, {constant('c', 3)}",
        "y = Reshape(x, s)",
    )
    run(network, chip())
