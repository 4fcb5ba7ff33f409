"""Products with a constant become `mcc.Linear`."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from mcc.passes import PassContext, run_pipeline
from mcc.passes.canonicalize import Canonicalize
from tests.canonical_networks import canonical, constant, kinds, model, operators

PRODUCTS = [
    ("float[2,3] x", "float[2,4] y", [constant("w", 3, 4)], "y = MatMul(x, w)", "Linear"),
    ("float[5,2,3] x", "float[5,2,4] y", [constant("w", 3, 4)], "y = MatMul(x, w)", "Linear"),
    (
        "float[3] x",
        "float[4] y",
        [constant("w", 3, 4)],
        "y = MatMul(x, w)",
        "Reshape Linear Reshape",
    ),
    ("float[2,3] x", "float[2] y", [constant("w", 3)], "y = MatMul(x, w)", "Linear Reshape"),
    (
        "float[2,3] x",
        "float[4,3] y",
        [constant("w", 4, 2)],
        "y = MatMul(w, x)",
        "Transpose Linear Transpose",
    ),
    (
        "float[2] x",
        "float[4] y",
        [constant("w", 4, 2)],
        "y = MatMul(w, x)",
        "Reshape Linear Transpose Reshape",
    ),
    (
        "float[5,2,3] x",
        "float[5,3] y",
        [constant("w", 2)],
        "y = MatMul(w, x)",
        "Transpose Linear Transpose Reshape",
    ),
    (
        "float[2,3] x",
        "float[1,2,4] y",
        [constant("w", 1, 3, 4)],
        "y = MatMul(x, w)",
        "Linear Reshape",
    ),
    (
        "float[2,3] x",
        "float[5,2,4] y",
        [constant("w", 5, 3, 4)],
        "y = MatMul(x, w)",
        "Linear Reshape Transpose",
    ),
    (
        "float[2,2,3] x",
        "float[2,2,4] y",
        [constant("w", 2, 3, 4)],
        "y = MatMul(x, w)",
        "Slice Linear Slice Linear Concat",
    ),
    (
        "float[2,3] x",
        "float[2,4] y",
        [constant("w", 4, 3), constant("b", 4)],
        "y = Gemm<transB=1, alpha=0.5, beta=3.0>(x, w, b)",
        "Linear",
    ),
    (
        "float[3,2] x",
        "float[2,4] y",
        [constant("w", 3, 4), constant("b", 1)],
        "y = Gemm<transA=1>(x, w, b)",
        "Transpose Linear",
    ),
    (
        "float[2,3] x",
        "float[2,4] y",
        [constant("w", 3, 4), constant("b", 2, 1)],
        "y = Gemm<beta=2.0>(x, w, b)",
        "Linear Add",
    ),
    (
        "float[2,3] x, float[2,4] c",
        "float[2,4] y",
        [constant("w", 3, 4)],
        "y = Gemm<beta=2.0>(x, w, c)",
        "Linear Mul Add",
    ),
    (
        "float[3,5] x",
        "float[4,5] y",
        [constant("w", 4, 3), constant("b", 5)],
        "y = Gemm(w, x, b)",
        "Transpose Linear Transpose Add",
    ),
    (
        "float[5,3] x",
        "float[4,5] y",
        [constant("w", 3, 4)],
        "y = Gemm<transA=1, transB=1>(w, x)",
        "Linear Transpose",
    ),
    (
        "float[2,3] x",
        "float[2,4] y",
        [constant("w", 4, 3)],
        "t = Transpose(w) y = MatMul(x, t)",
        "Linear",
    ),
    (
        "float[2,3] x",
        "float[2,4] y",
        [constant("w", 3, 4)],
        'y = Einsum<equation="bk,kn->bn">(x, w)',
        "Linear",
    ),
    (
        "float[2,3,5] x",
        "float[2,4,6,3] y",
        [constant("w", 5, 4, 6)],
        'y = Einsum<equation="btk, knm -> bnmt">(x, w)',
        "Reshape Linear Reshape Transpose",
    ),
    (
        "float[2,3] x",
        "float[4] y",
        [constant("w", 4, 3, 2)],
        'y = Einsum<equation="ncb,bc->n">(w, x)',
        "Reshape Linear Reshape",
    ),
    (
        "float[2,4,3] x",
        "float[2,4,5] y",
        [constant("w", 4, 3, 5)],
        'y = Einsum<equation="bhk,hkn->bhn">(x, w)',
        "Transpose" + " Slice Linear" * 4 + " Concat Transpose",
    ),
]


@pytest.mark.parametrize(("inputs", "output", "constants", "body", "wanted"), PRODUCTS)
def test_products_become_linear(
    inputs: str, output: str, constants: Sequence[str], body: str, wanted: str
) -> None:
    network, findings = canonical(model(inputs, output, ", ".join(constants), body))
    assert operators(network) == kinds(wanted)
    assert not findings


def test_other_types_stay() -> None:
    network = model(
        "int64[2,3] x",
        "int64[2,4] y",
        "int64[3,4] w = {1,2,3,4,5,6,7,8,9,1,2,3}",
        "y = MatMul(x, w)",
    )
    context = PassContext()
    outcome = run_pipeline(network, [Canonicalize()], context)
    assert operators(outcome.network) == ["MatMul"]
    assert "INT64, INT64, not FLOAT" in context.findings[0].message
