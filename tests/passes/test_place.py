"""Placement of whole networks: what follows the host, and what stays."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

from mcc.backends.crossbar import targets
from mcc.ir.diagnostics import MccError
from mcc.ir.network import (
    Network,
    Placement,
    Stage,
    Unit,
    from_text,
    placement_of,
    set_stage,
    shape_of,
)
from mcc.passes import PassContext, parse_passes, run_pipeline
from mcc.passes.place_regions import SENTENCE, follow_host
from mcc.passes.place_rules import decide

HEAD = '<ir_version: 10, opset_import: ["" : 20, "mcc" : 1]>\n'
W = "float[2,2] w = {1,2,3,4}"


def placed(text: str, options: str = "") -> tuple[dict[str, tuple[Unit, str]], PassContext]:
    """Quantize and place; return unit and rule by the first output of each node."""
    network = set_stage(from_text(HEAD + text), Stage.CANONICAL)
    feeds = {
        value.name or "": np.ones(shape_of(value), np.float32) for value in network.graph.inputs
    }
    context = PassContext(calibration=(feeds,), target=targets.load("rram40nm"))
    pipeline = parse_passes(f"quantize{{minimum_fill=0}},place{options}")
    result: Network = run_pipeline(network, pipeline, context).network
    found: dict[str, tuple[Unit, str]] = {}
    for node in result.graph:
        placement = placement_of(node)
        assert placement is not None
        found[node.outputs[0].name or ""] = (placement.unit, placement.rule)
    return found, context


def units(text: str, options: str = "") -> dict[str, Unit]:
    return {name: unit for name, (unit, _) in placed(text, options)[0].items()}


def test_a_contraction_and_what_belongs_to_it() -> None:
    text = f"g (float[1,2] x) => (float[1,2] y) <{W}> {{h = mcc.Linear(x, w)\n y = Relu(h)}}"
    found = units(text)
    assert list(found.values()) == [Unit.VECTOR, Unit.CROSSBAR, Unit.VECTOR, Unit.VECTOR]


def test_per_token_scales_are_vector_work() -> None:
    text = HEAD + f"g (float[1,2] x) => (float[1,2] y) <{W}> {{y = mcc.Linear(x, w)}}"
    network = set_stage(from_text(text), Stage.CANONICAL)
    context = PassContext(calibration=({"x": np.array([[1, -2]], np.float32)},))
    result = run_pipeline(network, parse_passes("quantize{granularity=token},place"), context)
    places = [placement_of(node) for node in result.network.graph]
    assert [place.unit for place in places if place] == [
        *[Unit.VECTOR] * 5,
        Unit.CROSSBAR,
        *[Unit.VECTOR] * 2,
    ]


CHAIN = f"""g (float[1,2] x) => (float[1,2] y) <{W}> {{
    h = mcc.Linear(x, w)
    a = Softmax(h)
    b = Mul(a, a)
    c = Transpose(b)
    d = Transpose(c)
    y = Sigmoid(d)
}}"""


def test_operators_between_host_operators_follow() -> None:
    found, _ = placed(CHAIN)
    for name in "bcd":
        assert found[name] == (Unit.HOST, SENTENCE)
    assert found["h"][0] is Unit.VECTOR


def test_following_can_be_turned_off() -> None:
    found = units(CHAIN, "{follow=false}")
    assert [found[name] for name in "bcd"] == [Unit.VECTOR] * 3


def test_the_transfers_that_are_saved_are_measured() -> None:
    network = set_stage(from_text(HEAD + CHAIN), Stage.CANONICAL)
    context = PassContext(calibration=({"x": np.ones((1, 2), np.float32)},))
    result = run_pipeline(network, parse_passes("quantize,place"), context).network
    places = {node.outputs[0].name: placement_of(node) for node in result.graph}
    place = places["b"]
    assert place is not None
    # One value comes from Softmax, one goes to Sigmoid: two floats each.
    assert place.measured == "saves 16 bytes of transfers"


@pytest.mark.parametrize(
    ("body", "stays"),
    [
        ("h = mcc.Linear(x, w)\n a = Relu(h)\n y = Softmax(a)", "a"),
        ("a = Softmax(x)\n b = Relu(a)\n y = mcc.Linear(b, w)", "b"),
        ("h = mcc.Linear(x, w)\n a = Softmax(h)\n b = Add(a, h)\n y = mcc.Linear(b, w)", "b"),
        ("h = mcc.Linear(x, w)\n a = Relu(x)\n b = Neg(a)\n y = Add(b, h)", "b"),
    ],
)
def test_operators_beside_other_units_stay(body: str, stays: str) -> None:
    found = units(f"g (float[1,2] x) => (float[1,2] y) <{W}> {{{body}}}")
    assert found[stays] is Unit.VECTOR


def test_operators_whose_operands_travel_anyway_follow() -> None:
    """The sum needs `a` and gives `b`; the host has `h` already, for the first Softmax."""
    body = "h = mcc.Linear(x, w)\n a = Softmax(h)\n b = Add(a, h)\n y = Softmax(b)"
    assert units(f"g (float[1,2] x) => (float[1,2] y) <{W}> {{{body}}}")["b"] is Unit.HOST


def test_values_travel_where_they_are_smallest() -> None:
    body = "h = mcc.Linear(x, w)\n a = Expand(h, big)\n b = Softmax(a)\n"
    body += "c = ReduceMax(b, last)\n y = mcc.Linear(c, one)"
    constants = f"{W}, int64[2] big = {{3,2}}, int64[1] last = {{-1}}, float[1,1] one = {{1}}"
    found = units(f"g (float[1,2] x) => (float[3,1] y) <{constants}> {{{body}}}")
    assert found["a"] is Unit.HOST
    assert found["c"] is Unit.HOST
    body = "h = mcc.Linear(x, w)\n a = ReduceMax(h, last)\n b = Softmax(a)\n"
    body += "c = Expand(b, big)\n y = mcc.Linear(c, w)"
    constants = f"{W}, int64[2] big = {{1,2}}, int64[1] last = {{-1}}"
    found = units(f"g (float[1,2] x) => (float[1,2] y) <{constants}> {{{body}}}")
    assert found["a"] is Unit.VECTOR
    assert found["c"] is Unit.VECTOR


def least_transfers(graph: ir.Graph) -> float:
    """Try every way to place the free operators; return the fewest bytes that travel."""
    free = [node for node in graph if node.op_type in ("Neg", "Add", "ReduceMax")]
    host = {node for node in graph if node.op_type == "Softmax"}
    best = math.inf
    for choice in itertools.product((False, True), repeat=len(free)):
        there = host | {node for node, on_host in zip(free, choice, strict=True) if on_host}
        best = min(best, transfers(graph, there))
    return best


def transfers(graph: ir.Graph, host: set[ir.Node]) -> float:
    """Count the bytes of values that are made on one side and read on the other."""
    return sum(
        4 * math.prod(shape_of(node.outputs[0]))
        for node in graph
        if any((user in host) != (node in host) for user in node.outputs[0].consumers())
    )


@pytest.mark.parametrize("seed", range(12))
def test_no_other_choice_moves_fewer_bytes(seed: int) -> None:
    generator = np.random.default_rng(seed)
    lines, names = ["v0 = mcc.Linear(x, w)"], ["v0"]
    for index in range(1, 11):
        kind = generator.choice(["Neg", "Add", "Softmax", "ReduceMax"], p=[0.3, 0.3, 0.25, 0.15])
        picked = generator.choice(names, 2 if kind == "Add" else 1).tolist()
        lines.append(f"v{index} = {kind}({', '.join(picked)})")
        names.append(f"v{index}")
    lines.append("y = Softmax(v10)")
    body = "\n".join(lines).replace("ReduceMax(", "ReduceMax<keepdims = 1>(")
    graph = from_text(HEAD + f"g (float[1,2] x) => (float[1,m] y) <{W}> {{{body}}}").graph
    places = {node: decide(node) for node in graph}
    first = graph[0]
    places[first] = Placement(Unit.CROSSBAR, "")
    found = follow_host(graph, places)
    host = {node for node, place in found.items() if place.unit is Unit.HOST}
    assert transfers(graph, host) == least_transfers(graph)


def test_operators_before_the_host_follow_it_from_the_input_on() -> None:
    body = "h = mcc.Linear(x, w)\n a = Neg(x)\n b = Softmax(a)\n y = mcc.Linear(b, w)\n z = Neg(h)"
    text = f"g (float[1,2] x) => (float[1,2] y, float[1,2] z) <{W}> {{{body}}}"
    found = units(text)
    assert found["a"] is Unit.HOST
    assert found["z"] is Unit.VECTOR


def test_values_used_inside_a_branch_go_to_the_host() -> None:
    text = f"""g (float[1,2] x, bool c) => (float[1,2] y, float[1,2] z) <{W}> {{
        a = Neg(x)
        y = If (c) <
            then_branch = t () => (float[1,2] u) {{u = Exp(a)}},
            else_branch = e () => (float[1,2] v) {{v = Sin(a)}}>
        z = mcc.Linear(x, w)
    }}"""
    network = set_stage(from_text(HEAD + text), Stage.CANONICAL)
    feeds: dict[str, Any] = {"x": np.ones((1, 2), np.float32), "c": np.array(True)}
    context = PassContext(calibration=(feeds,))
    result = run_pipeline(network, parse_passes("quantize,place"), context).network
    places = {node.outputs[0].name: placement_of(node) for node in result.graph}
    found = {name: place.unit for name, place in places.items() if place}
    assert found["a"] is Unit.HOST
    assert found["y"] is Unit.HOST


def test_a_network_that_leaves_the_crossbar_empty_says_so() -> None:
    body = "a = MatMul(x, x)\n y = Relu(a)"
    found, context = placed(f"g (float[2,2] x) => (float[2,2] y) {{{body}}}")
    assert found["a"] == (Unit.HOST, "The weight must be a constant of the network.")
    assert "crossbar-unused" in {item.code for item in context.findings}


def test_a_network_without_contractions_is_refused() -> None:
    text = HEAD + "g (float[2] x) => (float[2] y) {y = Relu(x)}"
    network = set_stage(from_text(text), Stage.QUANTIZED)
    with pytest.raises(MccError) as problem:
        run_pipeline(network, parse_passes("place"), PassContext())
    assert problem.value.diagnostics[0].code == "no-contraction"
