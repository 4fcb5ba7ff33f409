"""What canonicalize leaves alone, and why."""

from __future__ import annotations

import pytest

from tests.canonical_networks import canonical, constant, model

REFUSED = [
    ("float[2,3] x, float[3,4] w", "float[2,4] y", "y = MatMul(x, w)", None),
    ("float[2,3] x, float[3,4] w", "float[2,4] y", "y = Gemm(x, w)", None),
    (
        "float[3,2,2,3] x",
        "float[3,2,2,4] y",
        "y = MatMul(x, k)",
        "does not match",
    ),
    ("float[2,3] x", "float[2,3] y", 'y = Einsum<equation="bk,bk->bk">(x, w)', "no axis is summed"),
    (
        "float[2,3] x",
        "float[1] y",
        'y = Einsum<equation="bk,kn->n">(x, v)',
        "over one operand alone",
    ),
    ("float[3,3] x", "float[3] y", 'y = Einsum<equation="kk,kn->n">(x, u)', "`kk` repeats an axis"),
    ("float[2,3] x", "float[3] y", 'y = Einsum<equation="bk->k">(x)', "it has 1 operands"),
    (
        "float[2,3] x, float[2,3] z",
        "float[2] y",
        'y = Einsum<equation="bk,bk->b">(x, z)',
        "computed at run time",
    ),
    (
        "float[1,1,5] x, float[1,1,2] w",
        "float[1,1,4] y",
        "y = Conv(x, w)",
        "computed at run time",
    ),
    (
        "float[1,2,5] x",
        "float[1,1,10] y",
        'y = ConvTranspose<strides=[2], auto_pad="SAME_UPPER">(x, t)',
        "its padding follows",
    ),
    (
        "float[1,2,30] x",
        "float[1,2,1] y",
        "y = AveragePool<kernel_shape=[30]>(x)",
        None,
    ),
    (
        "float[1,2,99] x",
        "float[1,2,35] y",
        "y = AveragePool<kernel_shape=[65]>(x)",
        "65 long over all axes, more than 64",
    ),
    (
        "float[1,2,6] x",
        "float[1,2,3] y",
        "y = AveragePool<kernel_shape=[3], strides=[2], ceil_mode=1>(x)",
        "ceil_mode",
    ),
    (
        "float[2,3] x, float[3] s",
        "float[2,3] y",
        "y = BatchNormalization(x, s, s, s, s)",
        "statistics are computed at run time",
    ),
    (
        "float[2,3] x",
        "float[2,3] y",
        "y = BatchNormalization(x, p, p, p, n)",
        "smallest variance is -1",
    ),
    (
        "float[2,3] x",
        "float[2,3] y",
        "y, m = Dropout(x) z = Not(m)",
        None,
    ),
]
HELPERS = ", ".join(
    [
        constant("k", 2, 3, 4),
        constant("w", 2, 3),
        constant("v", 3, 1),
        constant("u", 3, 3),
        constant("t", 2, 1, 3),
        "float[3] p = {1,1,1}",
        "float[3] n = {-1,1,1}",
    ]
)


@pytest.mark.parametrize(("inputs", "output", "body", "reason"), REFUSED)
def test_what_is_left_alone_says_why(
    inputs: str, output: str, body: str, reason: str | None
) -> None:
    names = [part.split()[1] for part in inputs.replace("],", "] ,").split(", ")]
    helpers = [item for item in HELPERS.split(", ") if item.split()[1] not in names]
    _, findings = canonical(model(inputs, output, ", ".join(helpers), body))
    assert [item.code for item in findings] == (["left-on-host"] if reason else [])
    assert reason is None or reason in findings[0].message
