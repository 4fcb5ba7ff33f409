"""Editing, text, storage, locations, placements and tilings of networks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx_ir as ir
import pytest

from mcc.ir.diagnostics import NOWHERE, Location, MccError
from mcc.ir.network import (
    Editor,
    Linear,
    Network,
    Placement,
    ReferenceExecutor,
    Stage,
    Tiling,
    Unit,
    constant_of,
    dtype_of,
    from_bytes,
    from_text,
    inherit,
    is_constant,
    load,
    locate,
    location_of,
    locations_of,
    place,
    placement_of,
    save,
    set_stage,
    shape_of,
    stage_of,
    static_shape,
    tile,
    tiling_of,
    to_bytes,
    to_text,
)

TEXT = """<ir_version: 10, opset_import: ["" : 20]>
g (float[2,3] x) => (float[2,4] y)
<float[3,4] w = {1,2,3,4,5,6,7,8,9,10,11,12}, float[4] b = {1,2,3,4}> {
    [first] h = Relu(x)
    [product] z = MatMul(h, w)
    [last] y = Add(z, b)
}"""


def node(network: Network, name: str) -> ir.Node:
    return next(item for item in network.graph if item.name == name)


def value(network: Network, name: str) -> ir.Value:
    made = {item.name: item for part in network.graph for item in part.outputs}
    return {item.name: item for item in network.graph.inputs}.get(name) or made[name]


def test_text_infers_shapes_and_reads_back() -> None:
    network = from_text(TEXT)
    assert shape_of(value(network, "z")) == (2, 4)
    assert dtype_of(value(network, "z")) == ir.DataType.FLOAT
    full = to_text(network, elide_weights=False)
    assert to_text(from_text(full), elide_weights=False) == full


def test_numbers_without_axes_have_a_shape() -> None:
    head = '<ir_version: 10, opset_import: ["" : 20]>'
    network = from_text(f"{head} g (float x) => (float y) {{ a = Neg(x) y = Mul(a, a) }}")
    assert [static_shape(node.outputs[0]) for node in network.graph] == [(), ()]


def test_text_leaves_large_constants_out() -> None:
    network = from_text(TEXT)
    text = to_text(network)
    assert "# w: float[3,4]" in text
    assert "12}" not in text
    assert "float[4] b =  {1,2,3,4}" in text


def test_text_shows_placements() -> None:
    network = from_text(TEXT)
    place(node(network, "last"), Placement(Unit.VECTOR, "it adds"))
    assert "# last on vector: it adds" in to_text(network)


@pytest.mark.parametrize("text", ["nonsense", "<ir_version: 10> g (float x) =>"])
def test_text_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(MccError, match="network-damaged"):
        from_text(text)


def test_constants_are_told_from_computed_values() -> None:
    network = from_text(
        """<ir_version: 10, opset_import: ["" : 20]>
        g (float[2] x) => (float[2] y) <float[2] a = {1,2}> {
            c = Constant<value_floats = [3.0, 4.0]>()
            s = Add(a, c)
            y = Add(x, s)
        }"""
    )
    assert constant_of(None) is None
    assert not is_constant(value(network, "x"))
    assert is_constant(value(network, "c"))
    assert not is_constant(value(network, "s"))
    found = constant_of(network.graph.initializers["a"])
    assert found is not None
    assert found.tolist() == [1, 2]


def test_unknown_shapes_and_types_are_refused() -> None:
    unknown = ir.Value(name="v", shape=ir.Shape(["n", 3]))
    assert static_shape(unknown) is None
    with pytest.raises(MccError, match="shape-unknown"):
        shape_of(unknown)
    with pytest.raises(MccError, match="type-unknown"):
        dtype_of(unknown)


def test_editor_replaces_a_node_and_keeps_names_and_locations() -> None:
    network = from_text(TEXT)
    product = node(network, "product")
    locate(product, Location("net.py", 7, "layer"))
    edit = Editor(network.graph)
    x, weight = product.inputs
    assert x is not None
    assert weight is not None
    bias = edit.constant(np.zeros(4, np.float32), "b")
    made = edit.add(Linear(x=x, weight=weight, bias=bias), before=product, name="product")
    edit.replace(product, made)
    assert bias.name == "b_2"
    assert made.name == "z"
    assert [item.name for item in network.graph] == ["first", "product", "last"]
    assert location_of(node(network, "product")) == Location("net.py", 7, "layer")
    x_data = np.ones((2, 3), np.float32)
    before = ReferenceExecutor(from_text(TEXT)).run({"x": x_data})
    assert np.array_equal(ReferenceExecutor(network).run({"x": x_data})["y"], before["y"])


def test_editor_keeps_an_output_that_becomes_an_input() -> None:
    network = from_text(
        """<ir_version: 10, opset_import: ["" : 20]>
        g (float[2] x) => (float[2] y, float[2] z) { y = Identity(x) z = Identity(y) }"""
    )
    edit = Editor(network.graph)
    for item in list(network.graph):
        source = item.inputs[0]
        assert source is not None
        edit.replace(item, source)
    assert [item.name for item in network.graph.outputs] == ["y", "z"]
    result = ReferenceExecutor(network).run({"x": np.ones(2, np.float32)})
    assert [array.tolist() for array in result.values()] == [[1, 1], [1, 1]]


def test_editor_numbers_names_that_are_taken() -> None:
    edit = Editor(from_text(TEXT).graph)
    names = [edit.constant(np.float32(0), name).name for name in ("w", "w", "x", "z", "new")]
    assert names == ["w_2", "w_3", "x_2", "z_2", "new"]


def test_locations_are_merged_in_order() -> None:
    first, second, third = (ir.Node("", "Relu", []) for _ in range(3))
    places = [Location("a.py", 1, "m"), Location("b.py", 2, "")]
    locate(first, places[0])
    locate(second, places[1], places[0])
    inherit(third, first, second)
    assert locations_of(third) == tuple(places)
    assert location_of(third) == places[0]
    locate(third)
    assert location_of(third) == NOWHERE
    assert locations_of(third) == ()


def test_placement_and_tiling_are_kept_in_the_file() -> None:
    network = from_text(TEXT)
    item = node(network, "product")
    assert placement_of(item) is None
    assert tiling_of(item) is None
    placement = Placement(Unit.CROSSBAR, "constant weight", "4 KB")
    tiling = Tiling(row_blocks=((0, 2), (2, 3)), col_blocks=((0, 4),), live=((1, 0),))
    place(item, placement)
    tile(item, tiling)
    restored = node(from_bytes(to_bytes(network)), "product")
    assert placement_of(restored) == placement
    assert tiling_of(restored) == tiling


@pytest.mark.parametrize(
    ("rows", "live", "good"),
    [
        (((0, 2), (2, 3)), ((0, 0),), True),
        (((0, 2),), (), False),
        (((0, 2), (1, 3)), (), False),
        (((0, 3), (3, 3)), (), False),
        (((0, 3),), ((1, 0),), False),
    ],
)
def test_tiling_covers_its_matrix_or_does_not(
    rows: tuple[tuple[int, int], ...], live: tuple[tuple[int, int], ...], good: bool
) -> None:
    tiling = Tiling(row_blocks=rows, col_blocks=((0, 4),), live=live)
    assert tiling.consistent(3, 4) is good


def test_stage_is_captured_until_said_otherwise() -> None:
    network = from_text(TEXT)
    assert stage_of(network) is Stage.CAPTURED
    assert stage_of(set_stage(network, Stage.MAPPED)) is Stage.MAPPED


def test_files_are_the_same_for_the_same_network(tmp_path: Path) -> None:
    network = from_text(TEXT)
    save(network, tmp_path / "a.onnx")
    save(load(tmp_path / "a.onnx"), tmp_path / "b.onnx")
    assert (tmp_path / "a.onnx").read_bytes() == (tmp_path / "b.onnx").read_bytes()


def test_unreadable_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(MccError, match="file-missing"):
        load(tmp_path / "none.onnx")
    (tmp_path / "bad.onnx").write_bytes(b"\xff\xff\xff")
    with pytest.raises(MccError, match="network-damaged"):
        load(tmp_path / "bad.onnx")
