from __future__ import annotations

from typing import Any

import numpy as np

from mcc.backends.onnx.partition import HostGroup, partition
from mcc.backends.onnx.subgraph import HostGraph, extract
from mcc.ir.network import Feeds, Network, ReferenceExecutor, from_bytes, from_text
from tests.canonical_networks import constant, model
from tests.mapped_networks import draw, one, placed


def groups(network: Network) -> list[HostGroup]:
    return [item for item in partition(list(placed(network).graph)) if isinstance(item, HostGroup)]


def names(group: HostGroup) -> list[str]:
    return [node.op_type for node in group.nodes]


def run(graph: HostGraph, feeds: Feeds) -> dict[str, Any]:
    executor = ReferenceExecutor(from_bytes(graph.model))
    assert set(executor.inputs) == {value.name for value in graph.inputs}
    return executor.run(feeds, [value.name or "" for value in graph.outputs])


def test_host_operators_in_a_row_are_one_call() -> None:
    network = model("float[4] x", "float[4] y", "", "a = Exp(x) b = Tanh(a) c = Erf(b) y = Neg(c)")
    assert [names(group) for group in groups(network)] == [["Exp", "Tanh", "Erf"]]


def test_branches_of_one_level_are_one_call() -> None:
    network = model(
        "float[4] x",
        "float[4] y",
        "",
        """a = Exp(x) b = Neg(a) c = Tanh(b) d = Erf(x) e = Abs(d) f = Sin(e)
        y = Add(c, f)""",
    )
    assert [names(group) for group in groups(network)] == [["Exp", "Erf"], ["Tanh", "Sin"]]


def test_two_calls_that_would_need_each_other_are_kept_apart() -> None:
    network = model(
        "float[4] x, float[4] z",
        "float[4] y, float[4] w",
        "",
        "a = Exp(x) b = Neg(a) c = Tanh(b) d = Sin(z) e = Abs(d) y = Erf(e) w = Neg(c)",
    )
    items = partition(list(placed(network).graph))
    assert len([item for item in items if isinstance(item, HostGroup)]) == 2


def test_a_reshape_of_a_host_value_is_done_there() -> None:
    network = model(
        "float[4] x",
        "float[2,2] y",
        "int64[2] s = {2, 2}",
        "a = Exp(x) b = Reshape(a, s) y = Sin(b)",
    )
    assert [names(group) for group in groups(network)] == [["Exp", "Reshape", "Sin"]]


def test_a_call_computes_what_the_network_does() -> None:
    network = model(
        "float[2,4] x",
        "float[2,3] y, float[2,4] a",
        constant("w", 4, 3),
        "a = Exp(x) h = MatMul(a, w) y = Softmax(h)",
    )
    [group] = groups(network)
    graph = extract(network, group.nodes)
    assert [value.name for value in graph.inputs] == ["x"]
    assert {value.name for value in graph.outputs} == {"a", "y"}
    assert graph.operations == 8 + 2 * 2 * 3 * 4 + 6
    feeds = one(draw(network, 1), 0)
    expected = ReferenceExecutor(network).run(feeds)
    for name, array in run(graph, feeds).items():
        np.testing.assert_allclose(array, expected[name], rtol=1e-6)
    assert extract(network.clone(), group.nodes).model == graph.model


def test_branches_take_what_they_capture() -> None:
    network = from_text(
        """<ir_version: 10, opset_import: ["" : 20]>
        g (float[4] x, bool c) => (float[4] y) <float[4] k = {1.0, 2.0, 3.0, 4.0}> {
            a = Exp(x)
            b = Neg(a)
            d = If (c) <
                then_branch = t () => (float[4] u) { u = Add(b, k) },
                else_branch = e () => (float[4] v) { v = Sub(b, x) }
            >
            y = Tanh(d)
        }"""
    )
    items = groups(network)
    assert [names(group) for group in items] == [["Exp"], ["If", "Tanh"]]
    graph = extract(network, items[1].nodes)
    assert {value.name for value in graph.inputs} == {"b", "c", "x"}
    feeds: Feeds = {"x": np.ones(4, np.float32), "b": np.zeros(4, np.float32)}
    for choice, expected in ((True, np.tanh([1, 2, 3, 4])), (False, np.tanh([-1] * 4))):
        found = run(graph, {**feeds, "c": np.array(choice)})
        np.testing.assert_allclose(found["y"], np.float32(expected), rtol=1e-6)
