"""Old opsets: what an operator meant in its file is what the captured network computes."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from onnx import parser

from mcc.frontend import capture
from mcc.frontend.onnx_upgrade import OLD
from mcc.ir.diagnostics import Diagnostic, MccError
from mcc.ir.network import ReferenceExecutor

IMAGE = "float[1, 3, 6, 6] x"
IMAGES = {"x": IMAGE}
NORM = ", ".join(f"float[3] {name} = {{0.5, 1.5, 2.0}}" for name in "sbmv")
ELEMENTS = ", ".join(f"float[3, 2] {name} = {{0.5, 1.5, 2.0, 0.25, 3.0, 1.0}}" for name in "sbmv")
CHOICE = """
    total = ReduceSum <keepdims = 0> (x)
    zero = Constant <value = float {0.0}> ()
    positive = Greater (total, zero)
    y = If (positive) <
        then_branch = yes () => (float a) { a = ONE },
        else_branch = no () => (float b) { b = TWO }
    >
"""
SCALES = {
    "grows": "1.0, 1.0, 1.5, 2.7",
    "shrinks": "1.0, 1.0, 0.6, 0.34",
    "both": "1.0, 1.0, 0.6, 1.7",
    "none": "1.0, 1.0, 1.0, 1.0",
}


def network(
    opset: int, nodes: str, x: str = "float[2, 3, 4] x", constants: str = "", outputs: str = "y"
) -> onnx.ModelProto:
    """Parse a network that declares no shapes after its inputs."""
    results = ", ".join(f"float {name}" for name in outputs.split())
    local = f"<{constants}>" if constants else ""
    head = f'<ir_version: 8, opset_import: ["" : {opset}, "com.microsoft" : 1]>'
    model = parser.parse_model(f"{head} old ({x}) => ({results}) {local} {{ {nodes} }}")
    for value in model.graph.output:
        value.ClearField("type")
    return model


def draw(model: onnx.ModelProto, seed: int) -> dict[str, Any]:
    generator = np.random.default_rng(seed)
    tensor = model.graph.input[0].type.tensor_type
    shape = [size.dim_value or 2 for size in tensor.shape.dim]
    kind = onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type)
    return {"x": generator.integers(-2, 3, shape).astype(kind) + generator.random(shape, kind)}


def assert_same(model: onnx.ModelProto) -> None:
    """Capture with some data; on other data, the network gives what the file gives."""
    captured = capture(model, draw(model, 0))
    assert captured.network.graph.opset_imports[""] >= 18
    assert set(captured.network.graph.opset_imports) <= {"", "com.microsoft"}
    executor = ReferenceExecutor(captured.network)
    original = ReferenceExecutor(ir.from_proto(model))
    for seed in range(1, 4):
        feeds = draw(model, seed)
        count = len(feeds["x"]) if captured.samples else 1
        parts = [{"x": part} for part in np.split(feeds["x"], count)]
        found = [executor.run(part) for part in parts]
        for name, want in original.run(feeds).items():
            have = np.concatenate([item[name] for item in found]) if want.ndim else found[0][name]
            assert have.dtype == want.dtype
            np.testing.assert_allclose(have, want, rtol=1e-6, atol=1e-7)


Row = tuple[str, tuple[int, int], str, dict[str, str]]
"""An operator, the first and last opset with a form, the form, what `network` takes with it."""

SOFT: list[Row] = [
    (name, (1 if axis >= 0 else 11, 12), f"y = {name} <axis = {axis}> (x)", {})
    for name in ("Softmax", "LogSoftmax", "Hardmax")
    for axis in (0, 1, 2, -1, -2)
]
RESIZED: list[Row] = [
    ("Resize", (10, 10), f'y = Resize <mode = "{mode}"> (x, s)', {"x": IMAGE, "constants": scales})
    for mode in ("nearest", "linear")
    for scales in (f"float[4] s = {{{factors}}}" for factors in SCALES.values())
]
COMPUTED = """
    shape = Shape (x)
    sizes = Cast <to = 1> (shape)
    wanted = Constant <value = float[4] {1.0, 3.0, 11.0, 4.0}> ()
    s = Div (wanted, sizes)
    y = Resize (x, s)
"""
UPSAMPLED = "y = Upsample <mode = MODE, scales = [1.0, 1.0, 1.5, 2.7]> (x)"
ROWS: list[Row] = [
    *SOFT,
    ("Hardmax", (7, 12), "y = Hardmax (x)", {"x": "float[n, 3, 4] x"}),
    ("Hardmax", (7, 12), CHOICE.replace("ONE", "Hardmax (x)").replace("TWO", "Abs (x)"), {}),
    *RESIZED,
    ("Resize", (10, 10), COMPUTED, IMAGES),
    ("Upsample", (7, 8), UPSAMPLED.replace("MODE", '"nearest"'), IMAGES),
    ("Upsample", (7, 8), UPSAMPLED.replace("MODE", '"linear"'), IMAGES),
    ("Upsample", (9, 9), "y = Upsample (x, s)", RESIZED[0][3]),
    ("Pad", (2, 10), "y = Pad <pads = [0, 1, 2, 0, -1, 1], value = 1.5> (x)", {}),
    ("Pad", (2, 10), 'y = Pad <pads = [0, 1, 2, 0, 0, 1], mode = "reflect"> (x)', {}),
    ("Pad", (2, 10), "y = Pad <pads = [1, 0], value = 1.5> (x)", {"x": "double[3] x"}),
    ("BatchNormalization", (7, 13), "y = BatchNormalization (x, s, b, m, v)", {"constants": NORM}),
    (
        "BatchNormalization",
        (7, 8),
        "y = BatchNormalization <spatial = 0> (x, s, b, m, v)",
        {"x": "float[2, 3, 2] x", "constants": ELEMENTS},
    ),
    (
        "BatchNormalization",
        (7, 13),
        "y, mean, variance, p, q = BatchNormalization (x, s, b, m, v)",
        {"constants": NORM},
    ),
    ("Dropout", (7, 11), "y, mask = Dropout <ratio = 0.3> (x)", {"outputs": "y mask"}),
    ("Affine", (1, 9), "y = Affine <alpha = 2.0, beta = 0.5> (x)", {}),
    ("ScaledTanh", (1, 9), "y = ScaledTanh <alpha = 2.0, beta = 0.5> (x)", {}),
    ("ParametricSoftplus", (1, 9), "y = ParametricSoftplus <alpha = 2.0, beta = 0.5> (x)", {}),
    ("ImageScaler", (1, 9), "y = ImageScaler <scale = 2.0, bias = [1.0, 2.0, 3.0]> (x)", IMAGES),
    ("Crop", (1, 9), "y = Crop <border = [1, 0, 1, 2]> (x)", IMAGES),
    ("Crop", (1, 9), "y = Crop <border = [1, 2, 0, 0], scale = [3, 2]> (x)", IMAGES),
    (
        "DynamicSlice",
        (1, 9),
        "y = DynamicSlice (x, s, e)",
        {"constants": "int64[1] s = {0}, int64[1] e = {1}"},
    ),
    # Those that the converter of ONNX brings over.
    ("Clip", (6, 10), "y = Clip <min = -0.5> (x)", {}),
    ("Clip", (6, 10), "y = Clip <max = 0.5> (x)", {}),
    ("TopK", (1, 9), "y, i = TopK <axis = 1, k = 2> (x)", {"outputs": "y i"}),
    ("Slice", (1, 9), "y = Slice <axes = [1, 2], starts = [1, -3], ends = [3, 1000]> (x)", {}),
    ("Split", (2, 12), "y, z = Split <axis = 2, split = [1, 3]> (x)", {"outputs": "y z"}),
    ("Split", (2, 17), "y, z = Split <axis = 2> (x)", {"outputs": "y z"}),
    ("Squeeze", (1, 12), "a = Unsqueeze <axes = [0]> (x) y = Squeeze <axes = [0]> (a)", {}),
    ("ReduceSum", (1, 12), "y = ReduceSum <axes = [1]> (x)", {}),
    ("ReduceMean", (1, 17), "y = ReduceMean <axes = [0, 2], keepdims = 0> (x)", {}),
    ("Cast", (6, 12), "y = Cast <to = 6> (x)", {}),
    (
        "Scatter",
        (9, 10),
        "y = Scatter <axis = 1> (x, i, u)",
        {"x": "float[1, 3] x", "constants": "int64[1, 2] i = {0, 2}, float[1, 2] u = {9.0, 8.0}"},
    ),
]


@pytest.mark.parametrize(
    ("opset", "nodes", "options"),
    [
        pytest.param(opset, nodes, options, id=f"{name}{index}-{opset}")
        for index, (name, opsets, nodes, options) in enumerate(ROWS)
        for opset in sorted(set(opsets))
    ],
)
def test_an_old_operator_keeps_its_meaning(opset: int, nodes: str, options: Any) -> None:
    assert_same(network(opset, nodes, **options))


def test_every_rewrite_is_tested_at_its_first_and_last_opset() -> None:
    tested = {(name, opset) for name, opsets, *_ in ROWS for opset in opsets}
    wanted = {(name, opset) for name, item in OLD.items() for opset in item[:2]}
    assert wanted - tested == {("Scan", 8)}


def problem(model: onnx.ModelProto) -> Diagnostic:
    with pytest.raises(MccError) as caught:
        capture(model, draw(model, 0))
    return caught.value.diagnostics[0]


def test_a_converter_that_changes_the_numbers_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(OLD, "Hardmax")
    found = problem(network(11, "y = Hardmax (x)"))
    assert found.code == "capture-differs"
    assert "opset 18" in found.help
    assert "Python" not in found.help


SCANNED = """
    z, y = Scan <
        num_scan_inputs = 1,
        body = step (float[4] a, float[4] b) => (float[4] c, float[4] d) {
            c = Add (a, b)
            d = Neg (c)
        }
    > (, s, x)
"""
START = f"float[2, 4] s = {{{', '.join(['1.0'] * 8)}}}"
TRAINED = "y, mean, p, q, r = BatchNormalization (x, s, b, m, v) z = Neg (mean)"


@pytest.mark.parametrize(
    ("opset", "nodes", "constants", "word"),
    [
        (9, TRAINED, NORM, "`mean`"),
        (8, SCANNED, START, "`Scan`"),
        (7, "y = Scale <scale = 2.0> (x) z = Neg (y)", "", "`Scale`"),
    ],
    ids=["a batch's statistics", "Scan over samples", "an operator that ended"],
)
def test_what_has_no_newer_form_is_refused(
    opset: int, nodes: str, constants: str, word: str
) -> None:
    found = problem(network(opset, nodes, constants=constants, outputs="y z"))
    assert found.code == "opset-unsupported"
    assert word in found.message


DROPOUT = "float r = {0.3}, bool f = {0}, bool t = {1}"


@pytest.mark.parametrize("mode", ["y = Dropout (x, r, t)", "a = Not (f) y = Dropout (x, r, a)"])
def test_dropout_that_trains_is_refused(mode: str) -> None:
    assert problem(network(13, mode, constants=DROPOUT)).code == "random-operator"


def test_dropout_that_only_could_train_is_kept() -> None:
    assert_same(network(13, "y = Dropout (x, r, f)", constants=DROPOUT))
