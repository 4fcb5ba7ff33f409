"""Products with a constant become `mcc.Linear`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
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


EINSUMS = [
    # An axis of size 1 broadcasts against the same axis of the other operand.
    ("bgi,gij->bgj", [(2, 1, 8), (6, 8, 5)], "Reshape Linear Reshape"),
    ("bgi,gij->bgj", [(2, 6, 8), (1, 8, 5)], "Reshape Linear Reshape"),
    ("bi,ij->bj", [(2, 1), (6, 5)], "Linear"),
    ("bi,ji->bj", [(2, 6), (5, 1)], "Linear"),
    # Axes may be left unnamed.
    ("...i,oi->...o", [(2, 5, 6), (4, 6)], "Reshape Linear Reshape"),
    ("bti,...ij->...btj", [(2, 5, 6), (6, 4)], "Reshape Linear Reshape"),
    ("...i,...ij", [(2, 1, 6), (1, 3, 6, 4)], "Reshape Linear Reshape"),
    # Constants meet first, where that makes no more numbers than they are.
    ("bti,ij,oj->bto", [(2, 5, 6), (6, 7), (4, 7)], "Reshape Linear Reshape"),
    ("ij,bti,oj->bto", [(6, 7), (2, 5, 6), (4, 7)], "Reshape Linear Reshape"),
    ("bi,ij,jo->bo", [(2, 9), (9, 2), (2, 9)], "Linear Linear"),
    ("...i,i,ij,jk->...k", [(2, 3), (3,), (3, 4), (4, 5)], "Linear"),
]


@pytest.mark.parametrize(("equation", "shapes", "wanted"), EINSUMS)
def test_einsum_becomes_linear(
    equation: str, shapes: Sequence[tuple[int, ...]], wanted: str
) -> None:
    given = equation.split(",").index("bti") if ",bti" in equation else 0
    names = ["x" if place == given else f"w{place}" for place in range(len(shapes))]
    shape = np.einsum(equation, *(np.zeros(shape, np.float32) for shape in shapes)).shape
    network, findings = canonical(
        model(
            f"float{list(shapes[given])} x",
            f"float{list(shape)} y",
            ", ".join(constant(n, *s) for n, s in zip(names, shapes, strict=True) if n != "x"),
            f'y = Einsum<equation="{equation}">({", ".join(names)})',
        )
    )
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
