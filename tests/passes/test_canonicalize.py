"""Constants, no-ops, names, locations and old files."""

from __future__ import annotations

import pytest

from mcc.ir.diagnostics import Location, MccError
from mcc.ir.network import Linear, from_text, locate, location_of, locations_of
from mcc.passes import PassContext, run_pipeline
from mcc.passes.canonicalize import Canonicalize
from tests.canonical_networks import canonical, constant, kinds, model, operators

SIMPLER = [
    ("float[2,3] x", "float[2,3] y", "y = Identity(x)", "Identity"),
    ("float[2,3] x", "float[2,3] y", "a = Identity(x) b = Dropout(a) y = Relu(b)", "Relu"),
    ("float[2,3] x", "float[2,3] y", "a, b = Dropout(x) c = Not(b) y = Relu(a)", "Relu"),
    ("float[2,3] x", "float[2,3] y", "a = Cast<to=1>(x) y = Relu(a)", "Relu"),
    ("float[2,3] x", "float[2,3] y", "a = Transpose<perm=[0,1]>(x) y = Relu(a)", "Relu"),
    ("float[2,3] x", "float[2,3] y", "a = Concat<axis=0>(x) y = Relu(a)", "Relu"),
    ("float[2,3] x", "float[3,2] y", "s = Shape(x) t = Gather(s, r) y = Reshape(x, t)", "Reshape"),
    ("float[2,3] x", "float[2,3] y", "s = Shape(x) z = Reshape(x, s) y = Relu(z)", "Relu"),
    ("float[2,3] x", "float[2,3] y", "n = Size(x) f = Cast<to=1>(n) y = Mul(x, f)", "Mul"),
    ("float[2,3] x", "float[2,3] y", "u = Relu(x) v = Exp(u) y = Neg(x)", "Neg"),
    ("float[2,3] x", "float[2] y", "y = Identity(e)", "Identity"),
    (
        "float[2,3] x",
        "float[2,3] y",
        "q = QuantizeLinear(x, h) d = DequantizeLinear(q, h) y = Relu(d)",
        "QuantizeLinear DequantizeLinear Relu",
    ),
    ("float[2,2] x", "float[2,2] y", "d = DequantizeLinear(i, h) y = MatMul(x, d)", "Linear"),
]


@pytest.mark.parametrize(("inputs", "output", "body", "wanted"), SIMPLER)
def test_what_changes_nothing_or_is_constant_goes(
    inputs: str, output: str, body: str, wanted: str
) -> None:
    constants = "int64[2] r = {1,0}, float[2] e = {1,2}, float h = {0.1}, int8[2,2] i = {1,-2,3,-4}"
    network, findings = canonical(model(inputs, output, constants, body))
    assert operators(network) == kinds(wanted)
    assert not findings


def test_large_results_of_small_constants_are_not_folded() -> None:
    before = model(
        "float[1024,1024] x",
        "float[1024,1024] y",
        "float[1,1] c = {1}, int64[2] s = {1024,1024}",
        "e = Expand(c, s) y = Add(x, e)",
    )
    network, _ = canonical(before)
    assert operators(network) == ["Expand", "Add"]


def test_constant_sequences_stay_sequences() -> None:
    before = model(
        "float[2,3] x",
        "float[4,3] y",
        constant("w", 2, 3),
        "s = SequenceConstruct(w) t = SequenceInsert(s, x) y = ConcatFromSequence<axis=0>(t)",
    )
    network = run_pipeline(before, [Canonicalize()], PassContext()).network
    assert operators(network) == kinds("SequenceConstruct SequenceInsert ConcatFromSequence")


def test_shared_weights_are_stored_once() -> None:
    before = model(
        "float[2,3] x", "float[2,3] y", constant("w", 3, 3), "a = MatMul(x, w) y = MatMul(a, w)"
    )
    network, _ = canonical(before)
    assert list(network.graph.initializers) == ["w"]


def test_inputs_that_are_constants_are_no_inputs() -> None:
    before = from_text(
        f"""<ir_version: 3, opset_import: ["" : 18]>
        g (float[2,3] x, float[3,4] w) => (float[2,4] y) <{constant("w", 3, 4)}> {{
            [product] a = MatMul(x, w) y = Dropout(a) }}"""
    )
    locate(before.graph[0], Location("net.py", 4))
    outcome = run_pipeline(before, [Canonicalize()], PassContext())
    network = outcome.network
    assert [value.name for value in network.graph.inputs] == ["x"]
    assert operators(network) == ["Linear"]
    assert location_of(network.graph[0]) == Location("net.py", 4)


def test_old_opsets_are_refused() -> None:
    network = from_text(
        """<ir_version: 3, opset_import: ["" : 17]>
        g (float[2,3] x) => (float[2,3] y) { y = Relu(x) }"""
    )
    with pytest.raises(MccError) as caught:
        Canonicalize().run(network, PassContext())
    assert caught.value.diagnostics[0].code == "opset-old"


def test_functions_are_inlined() -> None:
    before = from_text(
        f"""<ir_version: 10, opset_import: ["" : 20, "local" : 1]>
        g (float[2,3] x) => (float[2,4] y) <{constant("w", 3, 4)}> {{ y = local.Block(x, w) }}
        <domain: "local", opset_import: ["" : 20]>
        Block (x, w) => (y) {{ a = MatMul(x, w) y = Relu(a) }}"""
    )
    network, _ = canonical(before)
    assert operators(network) == ["Linear", "Relu"]
    assert not network.functions


def test_locations_and_names_survive() -> None:
    before = model(
        "float[2,3] x",
        "float[2,4] y",
        f"{constant('w', 3, 4)}, {constant('b', 4)}",
        "[product] a = MatMul(x, w) [offset] y = Add(a, b)",
    )
    locate(before.graph[0], Location("net.py", 4, "layer"))
    locate(before.graph[1], Location("net.py", 5, "layer"))
    network, _ = canonical(before)
    node = network.graph[0]
    assert node.name == "product"
    assert locations_of(node) == (Location("net.py", 4, "layer"), Location("net.py", 5, "layer"))
    assert Linear.of(node).weight.name == "w"
    assert [value.name for value in network.graph.outputs] == ["y"]


def test_a_canonical_network_stays_as_it_is() -> None:
    before = model("float[2,3] x", "float[2,4] y", constant("w", 3, 4), "y = MatMul(x, w)")
    network, _ = canonical(before)
    again = Canonicalize().run(network.clone(), PassContext())
    assert operators(again) == operators(network)
    assert again.graph[0].name == network.graph[0].name
