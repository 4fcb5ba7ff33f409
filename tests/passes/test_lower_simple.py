"""Gathers in regular steps are slices; short arithmetic is written out, for the vector unit."""

from __future__ import annotations

import pytest

from mcc.ir.network import Unit
from mcc.passes import PassContext
from mcc.passes.canonicalize import Canonicalize
from mcc.passes.place_rules import decide
from tests.canonical_networks import canonical, kinds, model, operators

SHAPES = "int64 zero = {0}, int64 last = {-1}, int64[1] one = {1}, int64[2] two = {0,2}"
AXES = "int64[1] first = {0}, int64[2] ends = {1,2}, float[2,1] slopes = {0.5,-2}"
PLACES = "int64[2] back = {2,0}, int64[3] odd = {0,1,3}, int64[2,2] grid = {0,1,2,3}"
NUMBERS = "float pair = {2}, float triple = {3}, float half = {0.5}, int64 whole = {2}"

CASES = [
    ("float[2,5] x", "float[5] y", "y = Gather(x, zero)", "Slice Reshape"),
    ("float[2,5] x", "float[2] y", "y = Gather<axis=1>(x, last)", "Slice Reshape"),
    ("float[2,5] x", "float[2,1] y", "y = Gather<axis=-1>(x, one)", "Slice"),
    ("float[2,5] x", "float[2,2] y", "y = Gather<axis=1>(x, two)", "Slice"),
    ("float[2,5] x", "float[2,2,2] y", "y = Gather<axis=1>(x, grid)", "Slice Reshape"),
    ("float[1,2,3,4] x", "float[1,2,1,1] y", "y = GlobalMaxPool(x)", "ReduceMax"),
    ("float[2,5] x", "float[2,5] y", "y = HardSigmoid(x)", "Mul Add Clip"),
    ("float[2,5] x", "float[2,5] y", "y = HardSigmoid<alpha=0.5,beta=0.1>(x)", "Mul Add Clip"),
    ("float[2,5] x", "float[2,5] y", "y = HardSwish(x)", "Mul Add Clip Mul"),
    ("float[2,5] x", "float[2,5] y", "y = Pow(x, pair)", "Mul"),
    ("float[2,5] x", "float[2,5] y", "y = Pow(x, whole)", "Mul"),
    ("float[2,5] x", "float[2,5] y", "y = Pow(x, triple)", "Mul Mul"),
    ("float[2,5] x", "float[2,5] y", "y = PRelu(x, half)", "Min Mul Relu Add"),
    ("float[1,2,5] x", "float[1,2,5] y", "y = PRelu(x, slopes)", "Min Mul Relu Add"),
    ("float[2,5] x", "float[2] y", "y = ReduceSum<keepdims=0>(x, one)", "Mean Mul"),
    ("float[2,5] x", "float[1,1] y", "y = ReduceSum(x)", "Reshape Mean Mul Reshape"),
    ("float[2,5] x", "float[2] y", "y = ReduceL2<keepdims=0>(x, one)", "Mul Mean Mul Sqrt"),
    (
        "float[2,3,5] x",
        "float[1,3,1] y",
        "y = ReduceMax(x, two)",
        "Transpose Reshape ReduceMax Reshape",
    ),
    ("float[2,3,5] x", "float[2,1,1] y", "y = ReduceMax(x, ends)", "ReduceMax"),
    ("float[2,5] x", "float[2] y", "y = ReduceMin<keepdims=0>(x, one)", "Neg ReduceMax Neg"),
    (
        "float[2,5] x",
        "float[5] y",
        "y = ReduceMin<keepdims=0>(x, first)",
        "Transpose Neg ReduceMax Neg",
    ),
    (
        "float[2,8,2,3] x",
        "float[2,2,4,6] y",
        "y = DepthToSpace<blocksize=2>(x)",
        "Reshape Transpose Reshape",
    ),
    (
        "float[2,8,2,3] x",
        "float[2,2,4,6] y",
        'y = DepthToSpace<blocksize=2, mode="CRD">(x)',
        "Reshape Transpose Reshape",
    ),
    (
        "float[2,3,4,6] x",
        "float[2,12,2,3] y",
        "y = SpaceToDepth<blocksize=2>(x)",
        "Reshape Transpose Reshape",
    ),
]


@pytest.mark.parametrize(("inputs", "output", "body", "wanted"), CASES)
def test_steps_that_cores_compute(inputs: str, output: str, body: str, wanted: str) -> None:
    before = model(inputs, output, f"{SHAPES}, {AXES}, {PLACES}, {NUMBERS}", body)
    network, findings = canonical(before)
    assert operators(network) == kinds(wanted)
    assert not findings
    assert all(decide(node).unit in (Unit.VECTOR, Unit.MEMORY) for node in network.graph)


@pytest.mark.parametrize(
    ("inputs", "output", "body", "wanted"),
    [
        ("float[5,2] x", "float[2,2] y", "y = Gather(x, back)", "Gather"),
        ("float[5,2] x", "float[3,2] y", "y = Gather(x, odd)", "Gather"),
        ("float[5,2] x, int64 i", "float[2] y", "y = Gather(x, i)", "Gather"),
        ("float[2,5] x", "float[2,5] y", "a = Abs(x) y = Pow(a, half)", "Abs Pow"),
        ("float[2,5] x", "float[2,5] y", "a = Abs(x) y = Pow(a, x)", "Abs Pow"),
    ],
)
def test_what_is_not_simple_stays(inputs: str, output: str, body: str, wanted: str) -> None:
    before = model(inputs, output, f"{SHAPES}, {PLACES}, {NUMBERS}", body)
    network = Canonicalize().run(before, PassContext())
    assert operators(network) == kinds(wanted)
