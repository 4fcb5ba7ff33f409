"""Convolutions become `mcc.Conv`; pools and means get an order of additions."""

from __future__ import annotations

import pytest

from tests.canonical_networks import canonical, constant, kinds, model, operators

CONVOLUTIONS = [
    ("float[1,4,9] x", "float[1,6,9] y", constant("w", 6, 4, 3), 'auto_pad="SAME_UPPER"', (1, 1)),
    (
        "float[1,4,9] x",
        "float[1,6,5] y",
        constant("w", 6, 4, 4),
        'auto_pad="SAME_LOWER", strides=[2]',
        (2, 1),
    ),
    ("float[1,4,9] x", "float[1,6,7] y", constant("w", 6, 4, 3), 'auto_pad="VALID"', (0, 0)),
    (
        "float[1,4,9] x",
        "float[1,6,5] y",
        constant("w", 6, 2, 3),
        "group=2, strides=[2], pads=[1,1]",
        (1, 1),
    ),
    (
        "float[1,4,8] x",
        "float[1,4,4] y",
        constant("w", 4, 1, 3),
        "group=4, dilations=[3], pads=[2,0]",
        (2, 0),
    ),
]


@pytest.mark.parametrize(("inputs", "output", "weight", "attributes", "pads"), CONVOLUTIONS)
def test_convolutions_keep_their_geometry(
    inputs: str, output: str, weight: str, attributes: str, pads: tuple[int, ...]
) -> None:
    body = f"y = Conv<{attributes}>(x, w, b)"
    cols = int(weight.split("[")[1].split(",")[0])
    before = model(inputs, output, f"{weight}, {constant('b', cols)}", body)
    network, findings = canonical(before)
    assert operators(network) == ["Conv"]
    assert network.graph[0].domain == "mcc"
    assert tuple(network.graph[0].attributes["pads"].as_ints()) == pads
    assert not findings


@pytest.mark.parametrize("bias", [True, False])
def test_upsampling_by_transposed_convolution(bias: bool) -> None:
    before = model(
        "float[1,3,4,5] x",
        "float[1,2,8,15] y",
        f"{constant('w', 3, 2, 2, 3)}, {constant('b', 2)}",
        f"y = ConvTranspose<strides=[2,3]>(x, w{', b' if bias else ''})",
    )
    network, findings = canonical(before)
    assert operators(network) == kinds("Conv Reshape Transpose Reshape")
    assert not findings


SHUFFLE = "Conv Reshape Transpose Reshape"

TRANSPOSED = [
    ("1,3,5", "1,2,7", "3,2,3", "strides=[1]", "Conv"),
    ("1,3,5", "1,2,5", "3,2,3", "pads=[1,1]", "Conv"),
    ("1,3,5", "1,2,1", "3,2,7", "pads=[9,1]", "Conv Slice"),
    ("1,3,5", "1,2,10", "3,2,4", "strides=[2], pads=[1,1]", f"{SHUFFLE} Slice"),
    ("1,3,5", "1,2,10", "3,2,3", "strides=[2], pads=[1,1], output_padding=[1]", f"{SHUFFLE} Slice"),
    ("1,3,5", "1,2,13", "3,2,1", "strides=[3]", f"{SHUFFLE} Slice"),
    ("1,3,5", "1,2,15", "3,2,1", "strides=[3], output_padding=[2]", SHUFFLE),
    ("1,3,5", "1,2,20", "3,2,5", "strides=[4], dilations=[3], pads=[4,5]", SHUFFLE),
    ("2,4,3,4", "2,6,6,9", "4,3,4,2", "strides=[2,3], pads=[1,1,1,1], group=2", f"{SHUFFLE} Slice"),
    ("1,2,2,3,2", "1,3,5,7,3", "2,3,3,3,2", "strides=[2,2,1]", f"{SHUFFLE} Slice"),
]


@pytest.mark.parametrize(("x", "y", "w", "attributes", "wanted"), TRANSPOSED)
def test_transposed_convolutions_become_convolutions(
    x: str, y: str, w: str, attributes: str, wanted: str
) -> None:
    weight = constant("w", *(int(size) for size in w.split(",")))
    bias = constant("b", int(y.split(",")[1]))
    body = f"y = ConvTranspose<{attributes}>(x, w, b)"
    before = model(f"float[{x}] x", f"float[{y}] y", f"{weight}, {bias}", body)
    network, findings = canonical(before)
    assert operators(network) == kinds(wanted)
    assert not findings


POOLS = [
    ("float[1,3,4,5] x", "float[1,3,1,1] y", "y = GlobalAveragePool(x)", "Reshape Mean Reshape"),
    ("float[1,3,4,5] x", "float[1,3] y", "y = ReduceMean<keepdims=0>(x, a)", "Reshape Mean"),
    ("float[1,4,5] x", "float[1,5] y", "y = ReduceMean<keepdims=0>(x, b)", "Transpose Mean"),
    ("float[2,3] x", "float[1,1] y", "y = ReduceMean(x)", "Reshape Mean Reshape"),
    ("float[2,3] x", "float[2,3] y", "y = ReduceMean<noop_with_empty_axes=1>(x)", "Identity"),
    (
        "float[1,2,6] x",
        "float[1,2,3] y",
        "y = AveragePool<kernel_shape=[2], strides=[2]>(x)",
        "Slice Slice Add Mul",
    ),
    (
        "float[1,2,6] x",
        "float[1,2,4] y",
        "y = AveragePool<kernel_shape=[2], strides=[2], pads=[1,1]>(x)",
        "Pad Slice Slice Add Mul",
    ),
    (
        "float[1,2,6] x",
        "float[1,2,4] y",
        "y = AveragePool<kernel_shape=[2], strides=[2], pads=[1,1], count_include_pad=1>(x)",
        "Pad Slice Slice Add Mul",
    ),
    (
        "float[1,2,6] x",
        "float[1,2,4] y",
        "y = AveragePool<kernel_shape=[2], dilations=[2]>(x)",
        "Slice Slice Add Mul",
    ),
    (
        "float[1,2,7] x",
        "float[1,2,4] y",
        'y = AveragePool<kernel_shape=[2], strides=[2], auto_pad="SAME_UPPER">(x)',
        "Pad Slice Slice Add Mul",
    ),
    (
        "float[1,2,6] x",
        "float[1,2,2] y",
        "y = AveragePool<kernel_shape=[3], strides=[3], ceil_mode=1>(x)",
        "Slice Slice Add Slice Add Mul",
    ),
    (
        "float[1,2,4,4] x",
        "float[1,2,2,2] y",
        "y = AveragePool<kernel_shape=[3,3], strides=[2,2], pads=[1,1,0,0]>(x)",
        "Pad" + " Slice Slice Add Slice Add" * 2 + " Mul",
    ),
    (
        "float[1,2,4,6] x",
        "float[1,2,4,3] y",
        "y = AveragePool<kernel_shape=[1,2], strides=[1,2]>(x)",
        "Slice Slice Add Mul",
    ),
    (
        "float[1,2,4,4] x",
        "float[1,2,2,4] y",
        "y = AveragePool<kernel_shape=[1,1], strides=[2,1]>(x)",
        "Slice Mul",
    ),
    (
        "float[1,2,9,9] x",
        "float[1,2,1,1] y",
        "y = AveragePool<kernel_shape=[9,9]>(x)",
        "Reshape Mean Reshape",
    ),
    (
        "float[1,2,9,9] x",
        "float[1,2,1,1] y",
        "y = AveragePool<kernel_shape=[9,9], strides=[9,9], pads=[0,0,1,1]>(x)",
        "Pad" + " Slice" + " Slice Add" * 8 + " Slice" + " Slice Add" * 8 + " Mul",
    ),
]


@pytest.mark.parametrize(("inputs", "output", "body", "wanted"), POOLS)
def test_means_have_an_order(inputs: str, output: str, body: str, wanted: str) -> None:
    axes = "int64[2] a = {2,-1}, int64[1] b = {1}"
    network, findings = canonical(model(inputs, output, axes, body))
    assert operators(network) == kinds(wanted)
    assert not findings
