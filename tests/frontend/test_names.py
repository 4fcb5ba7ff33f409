from __future__ import annotations

import numpy as np
import onnx_ir as ir

from mcc.frontend.names import distinct, name_ends, name_weights, output_names

TEXT = """
<ir_version: 9, opset_import: ["" : 20]>
net (float[1, 3] a) => (float[1, 2] c, float[1, 2] c) <float[3, 2] w = {1, 2, 3, 4, 5, 6}> {
    b = MatMul(a, w)
    c = Relu(b)
}
"""


def network() -> ir.Model:
    return ir.from_onnx_text(TEXT)


def test_ends_take_names_that_are_in_use_inside() -> None:
    model = network()
    name_ends(model, ["b"], ["w", "c"])
    graph = model.graph
    assert [value.name for value in graph.inputs] == ["b"]
    assert [value.name for value in graph.outputs] == ["w", "c"]
    names = [value.name for node in graph for value in node.outputs] + list(graph.initializers)
    assert len({*names, "b"}) == len(names) + 1


def test_output_names() -> None:
    assert output_names(["", "0", "logits", "x"], ["x"]) == (
        "output",
        "output.0",
        "logits",
        "output.x",
    )


def test_weights_are_found_by_value() -> None:
    weight = np.arange(1, 7, dtype=np.float32).reshape(3, 2)
    for array, name in ((weight, "layer.weight"), (weight.T, "layer.weight")):
        model = network()
        name_weights(model, {"layer.weight": array}, "module.")
        assert list(model.graph.initializers) == [name]
    model = network()
    name_weights(model, {"experts": np.stack([weight * 2, weight])}, "module.")
    assert list(model.graph.initializers) == ["experts.1"]


def test_a_name_in_use_is_not_taken_twice() -> None:
    model = network()
    weight = np.arange(1, 7, dtype=np.float32).reshape(3, 2)
    name_weights(model, {"b": weight}, "module.")
    assert list(model.graph.initializers) == ["b.transposed"]


def test_names_that_come_again_are_numbered() -> None:
    assert distinct(["a.b", "a.b", "a.b_2", "c"]) == ("a.b", "a.b_2", "a.b_2_2", "c")
    assert output_names(["output.x", "x"], ["x"]) == ("output.x", "output.x_2")
