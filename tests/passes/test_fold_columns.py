"""Batch norms and other columns go into the contraction before them."""

from __future__ import annotations

import pytest

from tests.canonical_networks import canonical, constant, kinds, model, operators

NORM = ", ".join(
    [
        constant("s", 4, seed=1),
        constant("o", 4, seed=2),
        constant("m", 4, seed=3),
        "float[4] q = {0.5, 1.5, 2.0, 0.001}",
    ]
)
FOLDED = [
    (
        "float[1,3,6] x",
        "float[1,4,4] y",
        constant("w", 4, 3, 3),
        "c = Conv(x, w) y = BatchNormalization(c, s, o, m, q)",
        "Conv",
    ),
    (
        "float[1,3,6] x",
        "float[1,4,4] y",
        constant("w", 4, 3, 3),
        "c = Conv(x, w, s) y = BatchNormalization<epsilon=0.1>(c, s, o, m, q)",
        "Conv",
    ),
    (
        "float[1,4,6] x",
        "float[1,4,4] y",
        constant("w", 4, 1, 3),
        "c = Conv<group=4>(x, w) y = BatchNormalization(c, s, o, m, q)",
        "Conv",
    ),
    (
        "float[2,3] x",
        "float[2,4] y",
        constant("w", 3, 4),
        "c = MatMul(x, w) d = Add(c, s) y = BatchNormalization(d, s, o, m, q)",
        "Linear",
    ),
    (
        "float[2,3] x",
        "float[2,4] y",
        constant("w", 3, 4),
        "c = Gemm(x, w, s) y = BatchNormalization(c, s, o, m, q)",
        "Linear",
    ),
    (
        "float[1,4,6] x",
        "float[1,4,6] y",
        constant("w", 1),
        "y = BatchNormalization(x, s, o, m, q)",
        "Mul Add",
    ),
    (
        "float[1,4,3] x",
        "float[1,4,4] y",
        constant("w", 3, 4),
        "c = MatMul(x, w) y = BatchNormalization(c, s, o, m, q)",
        "Linear Mul Add",
    ),
    (
        "float[2,3] x",
        "float[2,4] y",
        constant("w", 3, 4),
        "c = MatMul(x, w) d = Add(s, c) e = Mul(d, o) f = Sub(e, m) y = Div(f, q)",
        "Linear",
    ),
    (
        "float[1,3,6] x",
        "float[1,4,4] y",
        f"{constant('w', 4, 3, 3)}, {constant('r', 4, 1, seed=7)}",
        "c = Conv(x, w) d = Mul(c, r) y = Add(d, r)",
        "Conv",
    ),
    (
        "float[1,3,6] x",
        "float[1,4,4] y",
        constant("w", 4, 3, 3),
        "c = Conv(x, w) y = Mul(c, s)",
        "Conv Mul",
    ),
    (
        "float[2,3] x",
        "float[2,4] y",
        f"{constant('w', 3, 4)}, float z = {{2.0}}",
        "c = MatMul(x, w) y = Mul(c, z)",
        "Linear",
    ),
    (
        "float[2,3] x",
        "float[2,4] y",
        f"{constant('w', 3, 4)}, {constant('r', 2, 4)}",
        "c = MatMul(x, w) y = Add(c, r)",
        "Linear Add",
    ),
    (
        "float[2,3] x",
        "float[2,4] y, float[2,4] c",
        constant("w", 3, 4),
        "c = MatMul(x, w) y = Add(c, s)",
        "Linear Add",
    ),
    (
        "float[2,3] x",
        "float[2,4] y",
        constant("w", 3, 4),
        "c = MatMul(x, w) d = Add(c, s) e = Relu(c) y = Add(d, e)",
        "Linear Add Relu Add",
    ),
    (
        "float[2,3] x",
        "float[2,4] y",
        constant("w", 3, 4),
        "c = MatMul(x, w) y = Sub(s, c)",
        "Linear Sub",
    ),
]


@pytest.mark.parametrize(("inputs", "output", "weight", "body", "wanted"), FOLDED)
def test_factors_and_offsets_per_column_are_folded(
    inputs: str, output: str, weight: str, body: str, wanted: str
) -> None:
    network, findings = canonical(model(inputs, output, f"{NORM}, {weight}", body))
    assert operators(network) == kinds(wanted)
    assert not findings
