"""Networks without the rounding of their codes."""

from __future__ import annotations

import numpy as np
import pytest

from mcc.ir.network import ReferenceExecutor, continuous, from_text

PAIR = "q = QuantizeLinear(x, s, z) y = DequantizeLinear(q, s, z)"


def rewritten(constants: str, body: str, shape: str = "[2,3]") -> tuple[list[str], int]:
    network = from_text(
        f"""<ir_version: 10, opset_import: ["" : 21]>
        g (float{shape} x) => (float{shape} y) <{constants}> {{ {body} }}"""
    )
    kinds = [node.op_type for node in network.graph]
    found, count = continuous(network)
    assert [node.op_type for node in network.graph] == kinds, "the source stays as it is"
    return [node.op_type for node in found.graph], count


@pytest.mark.parametrize("kind", ["uint8", "int8", "uint16", "int16"])
@pytest.mark.parametrize("axis", ["one", "many"])
def test_only_the_clipping_is_left(kind: str, axis: str) -> None:
    scales, zeros = ("[3] s = {0.5,1,2}", "[3] z = {7,8,9}")
    if axis == "one":
        scales, zeros = " s = {0.5}", " z = {7}"
    network = from_text(
        f"""<ir_version: 10, opset_import: ["" : 21]>
        g (float[2,3] x) => (float[2,3] y) <float{scales}, {kind}{zeros}> {{ {PAIR} }}"""
    )
    smooth, count = continuous(network)
    assert count == 1
    x = np.array([[0.3, -1e6, 1e6], [3.7, 2.2, -0.4]], np.float32)
    steps, plain = (ReferenceExecutor(item).run({"x": x})["y"] for item in (network, smooth))
    scale = np.array([0.5, 1, 2] if axis == "many" else [0.5] * 3, np.float32)
    assert np.all(np.abs(steps - plain) <= scale / 2)
    inside = np.abs(x) < 1e5
    assert np.array_equal(plain[inside], x[inside])
    assert np.array_equal(plain[~inside], steps[~inside])


def test_dead_pairs_do_not_count() -> None:
    dead = "p = QuantizeLinear(x, s, z) r = DequantizeLinear(p, s, z)"
    assert rewritten("float s = {0.5}, int8 z = {0}", f"{dead} y = Relu(x)") == (["Relu"], 0)


@pytest.mark.parametrize(
    ("constants", "body", "kinds"),
    [
        (
            "float s = {0.5}, int8 z = {0}, float t = {1}",
            PAIR.replace("q, s", "q, t"),
            "QuantizeLinear DequantizeLinear",
        ),
        (
            "float s = {0.5}, int8 z = {0}, float[2,3] c = {1,2,3,4,5,6}",
            f"{PAIR.replace('(x,', '(c,').replace('y =', 'w =')} y = Add(x, w)",
            "QuantizeLinear DequantizeLinear Add",
        ),
        (
            "float s = {0.5}, int8 z = {0}",
            "q = QuantizeLinear(x, s, z) i = Cast<to=6>(q) y = Cast<to=1>(i)",
            "QuantizeLinear Cast Cast",
        ),
    ],
)
def test_what_is_no_pair_on_computed_values_stays(constants: str, body: str, kinds: str) -> None:
    assert rewritten(constants, body) == (kinds.split(), 0)
