"""Quantized networks compute what the normative arithmetic says, bit for bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

from mcc.ir.network import (
    Conv,
    Dequantize,
    IntegerConv,
    IntegerLinear,
    Linear,
    Network,
    Operator,
    Quantize,
    ReferenceExecutor,
    Stage,
    constant_of,
    set_stage,
    shape_of,
)
from mcc.passes import PassContext, parse_passes, run_pipeline

Array = np.ndarray[Any, Any]
RANDOM = np.random.default_rng(11)


def value(name: str, shape: tuple[int, ...]) -> ir.Value:
    return ir.Value(name=name, type=ir.TensorType(ir.DataType.FLOAT), shape=ir.Shape(shape))


def constant(name: str, array: Array) -> ir.Value:
    made = value(name, array.shape)
    made.const_value = ir.tensor(array.astype(np.float32), name=name)
    return made


def network_of(x: ir.Value, *operators: Operator) -> Network:
    """Join operators that all read `x`; every one's output is an output of the network."""
    nodes = [item.build(f"n{index}", f"y{index}") for index, item in enumerate(operators)]
    constants = {
        value.name: value for node in nodes for value in node.inputs[1:] if value is not None
    }
    graph = ir.Graph(
        [x],
        [node.outputs[0] for node in nodes],
        nodes=nodes,
        initializers=list(constants.values()),
        opset_imports={"": 20, "mcc": 1},
        name="test",
    )
    return set_stage(ir.Model(graph, ir_version=10), Stage.CANONICAL)


def quantized(network: Network, options: str, feeds: list[dict[str, Array]]) -> Network:
    context = PassContext(calibration=tuple(feeds))
    text = f"quantize{{{options}}}" if options else "quantize"
    return run_pipeline(network, parse_passes(text), context).network


def draw(shape: tuple[int, ...], low: float = -3.0, high: float = 3.0) -> Array:
    return RANDOM.uniform(low, high, shape).astype(np.float32)


def encode(x: Array, scale: Array | np.float32, zero: int, low: int, high: int) -> Array:
    steps = np.rint(x / scale) + np.float32(zero)
    return np.clip(steps, np.float32(low), np.float32(high)).astype(np.int64)


def activation(x: Array, seen: Array, bits: int, form: str) -> tuple[Array, np.float32]:
    """Return codes minus zero point, and scale, by the formulas of the design."""
    if form == "signed":
        scale = np.float32(np.abs(seen).max() / (2 ** (bits - 1) - 1))
        return encode(x, scale, 0, -(2 ** (bits - 1)), 2 ** (bits - 1) - 1), scale
    low, high = min(float(seen.min()), 0.0), max(float(seen.max()), 0.0)
    scale = np.float32((high - low) / (2**bits - 1))
    zero = int(np.rint(-low / float(scale)))
    return encode(x, scale, zero, 0, 2**bits - 1) - zero, scale


def columns(weight: Array, bits: int) -> tuple[Array, Array]:
    """Return codes and scales of a matrix (rows, cols) by the formulas of the design."""
    highest = 2 ** (bits - 1) - 1
    scale = (np.abs(weight).max(axis=0) / np.float32(highest)).astype(np.float32)
    scale[scale == 0] = 1
    return np.clip(np.rint(weight / scale), -highest, highest).astype(np.int64), scale


def dequantize(sums: Array, scale: Array, bias: Array | None) -> Array:
    floats = sums.astype(np.float32) * scale.astype(np.float32)
    return floats if bias is None else floats + bias


FORMS = {
    "signed": ("scheme=symmetric", -3.0, 3.0),
    "rectified": ("", 0.0, 2.0),
    "shifted": ("scheme=affine", -0.4, 5.0),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("bits", "weight_bits"), [(8, 8), (8, 4), (4, 2), (3, 5), (2, 3), (7, 6)])
@pytest.mark.parametrize("with_bias", [False, True])
def test_linear_per_tensor(form: str, bits: int, weight_bits: int, with_bias: bool) -> None:
    options, low, high = FORMS[form]
    weight, bias = draw((20, 9)), draw((9,)) if with_bias else None
    weight[:, 4] = 0
    x = value("x", (2, 3, 20))
    layer = Linear(
        x=x,
        weight=constant("w", weight),
        bias=None if bias is None else constant("b", bias),
    )
    feeds = [{"x": draw((2, 3, 20), low, high)} for _ in range(3)]
    options += f" granularity=tensor activation_bits={bits} weight_bits={weight_bits}"
    network = quantized(network_of(x, layer), options, feeds)
    fresh = draw((2, 3, 20), low * 1.5, high * 1.5)
    seen = np.stack([sample["x"] for sample in feeds])
    codes, scale = activation(fresh, seen, bits, "signed" if form == "signed" else "affine")
    integers, weight_scale = columns(weight, weight_bits)
    expected = dequantize(codes @ integers, scale * weight_scale, bias)
    found = ReferenceExecutor(network).run({"x": fresh})["y0"]
    assert np.array_equal(found, expected)


@pytest.mark.parametrize("rectified", [False, True])
@pytest.mark.parametrize(("bits", "weight_bits"), [(8, 8), (5, 3), (2, 2)])
def test_linear_per_token(rectified: bool, bits: int, weight_bits: int) -> None:
    low = 0.0 if rectified else -2.0
    weight, bias = draw((12, 5)), draw((5,))
    x = value("x", (1, 4, 12))
    layer = Linear(x=x, weight=constant("w", weight), bias=constant("b", bias))
    feeds = [{"x": draw((1, 4, 12), low)}]
    options = f"granularity=token activation_bits={bits} weight_bits={weight_bits}"
    network = quantized(network_of(x, layer), options, feeds)
    fresh = draw((1, 4, 12), low) * np.array([1, 10, 0, 1e-3], np.float32)[:, None]
    highest = 2**bits - 1 if rectified else 2 ** (bits - 1) - 1
    lowest = 0 if rectified else -highest - 1
    tiny = np.finfo(np.float32).tiny
    largest = np.abs(fresh).max(axis=-1, keepdims=True)
    scale = np.maximum(largest, np.float32(tiny * highest)) / np.float32(highest)
    codes = encode(fresh, scale, 0, lowest, highest)
    integers, weight_scale = columns(weight, weight_bits)
    expected = dequantize(codes @ integers, scale * weight_scale, bias)
    assert np.array_equal(ReferenceExecutor(network).run({"x": fresh})["y0"], expected)


@pytest.mark.parametrize(
    ("shape", "options", "like"),
    [
        ((1, 12), "", "granularity=tensor"),
        ((1, 1, 12), "", "granularity=tensor"),
        ((1, 4, 12), "", "granularity=token"),
        ((4, 12), "", "granularity=token"),
        ((1, 4, 12), "scheme=affine", "granularity=tensor"),
    ],
)
def test_layers_that_take_several_vectors_are_coded_per_token(
    shape: tuple[int, ...], options: str, like: str
) -> None:
    weight, feeds, fresh = draw((12, 5)), [{"x": draw(shape)}], draw(shape, -9.0, 9.0)

    def outputs(text: str) -> Array:
        layer = Linear(x=value("x", shape), weight=constant("w", weight))
        network = quantized(network_of(layer.x, layer), text, feeds)
        return ReferenceExecutor(network).run({"x": fresh})["y0"]

    per_tensor, wanted = outputs(f"{options} granularity=tensor"), outputs(f"{options} {like}")
    assert np.array_equal(outputs(options), wanted)
    assert np.array_equal(per_tensor, wanted) == (like == "granularity=tensor")


def convolve(x: Array, weight: Array, view: Conv) -> Array:
    """Convolve integers by walking over the kernel."""
    axes = len(view.strides)
    border = [(view.pads[axis], view.pads[axis + axes]) for axis in range(axes)]
    padded = np.pad(x, [(0, 0), (0, 0), *border])
    size = view.window.output(x.shape[2:])
    cols, channels = weight.shape[:2]
    result = np.zeros((x.shape[0], cols, *size), np.int64)
    for tap in np.ndindex(*weight.shape[2:]):
        place = tuple(
            slice(
                tap[axis] * view.dilations[axis],
                tap[axis] * view.dilations[axis] + (size[axis] - 1) * view.strides[axis] + 1,
                view.strides[axis],
            )
            for axis in range(axes)
        )
        seen = padded[(slice(None), slice(None), *place)]
        for col in range(cols):
            first = col // (cols // view.group) * channels
            part = seen[:, first : first + channels]
            taps = weight[(col, slice(None), *tap)].reshape(-1, *(1,) * axes)
            result[:, col] += (part * taps).sum(axis=1)
    return result


CONVOLUTIONS = [
    ((1, 3, 8, 9), (4, 3, 3, 3), (1, 1), (1, 1, 1, 1), (1, 1), 1),
    ((1, 4, 8, 9), (6, 2, 3, 2), (2, 1), (0, 1, 2, 0), (1, 2), 2),
    ((1, 5, 7, 7), (5, 1, 3, 3), (1, 2), (1, 1, 1, 1), (1, 1), 5),
    ((1, 3, 11), (5, 3, 4), (2,), (2, 1), (2,), 1),
    ((1, 2, 5, 4, 3), (2, 2, 2, 2, 2), (1, 2, 1), (0, 1) * 3, (1, 1, 1), 1),
]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("geometry", CONVOLUTIONS, ids=range(len(CONVOLUTIONS)))
def test_convolution(form: str, geometry: tuple[Any, ...]) -> None:
    options, low, high = FORMS[form]
    shape, kernel, strides, pads, dilations, group = geometry
    weight, bias = draw(kernel), draw(kernel[:1])
    x = value("x", shape)
    view = Conv(
        x=x,
        weight=constant("w", weight),
        bias=constant("b", bias),
        strides=strides,
        pads=pads,
        dilations=dilations,
        group=group,
    )
    feeds = [{"x": draw(shape, low, high)} for _ in range(2)]
    network = quantized(network_of(x, view), options, feeds)
    seen = np.stack([sample["x"] for sample in feeds])
    codes, scale = activation(feeds[1]["x"], seen, 8, "signed" if form == "signed" else "affine")
    integers, weight_scale = columns(weight.reshape(len(weight), -1).T, 8)
    sums = convolve(codes, integers.T.reshape(kernel), view)
    spread = (1, -1, *(1,) * (len(shape) - 2))
    expected = dequantize(sums, (scale * weight_scale).reshape(spread), bias.reshape(spread))
    assert np.array_equal(ReferenceExecutor(network).run(feeds[1])["y0"], expected)


def test_consumers_share_codes_and_uses_share_weights() -> None:
    x, weight = value("x", (1, 6)), constant("w", draw((6, 6)))
    network = quantized(
        network_of(x, Linear(x=x, weight=weight), Linear(x=x, weight=weight)),
        "",
        [{"x": draw((1, 6))}],
    )
    nodes = list(network.graph)
    assert sum(Quantize.matches(node) for node in nodes) == 1
    integer = [IntegerLinear.of(node) for node in nodes if IntegerLinear.matches(node)]
    assert integer[0].weight is integer[1].weight
    assert integer[0].codes is integer[1].codes


def test_what_is_not_used_any_more_is_gone_and_the_source_is_untouched() -> None:
    x = value("x", (1, 3, 5, 5))
    view = Conv(
        x=x,
        weight=constant("w", draw((4, 3, 3, 3))),
        bias=constant("b", draw((4,))),
        strides=(1, 1),
        pads=(0, 0, 0, 0),
        dilations=(1, 1),
    )
    source = network_of(x, view)
    network = quantized(source, "", [{"x": draw((1, 3, 5, 5))}])
    assert list(source.graph.initializers) == ["w", "b"]
    assert [node.op_type for node in source.graph] == ["Conv"]
    left = {name: constant_of(item) for name, item in network.graph.initializers.items()}
    assert sum(array is not None and array.dtype == np.int8 for array in left.values()) == 1
    assert not {"w", "b"} & set(left)
    kinds = [node.op_type for node in network.graph]
    assert kinds == [Quantize.OP_TYPE, IntegerConv.OP_TYPE, Dequantize.OP_TYPE]
    scale = Dequantize.of(network.graph[2]).scale
    assert shape_of(scale) == (1, 4, 1, 1)


@pytest.mark.parametrize("outputs", [("y",), ("h", "y")])
def test_contractions_may_follow_each_other_directly(outputs: tuple[str, ...]) -> None:
    x = value("x", (1, 6))
    first = Linear(x=x, weight=constant("w0", draw((6, 5)))).build("first", "h")
    second = Linear(x=first.outputs[0], weight=constant("w1", draw((5, 4)))).build("second", "y")
    made = {node.outputs[0].name: node.outputs[0] for node in (first, second)}
    graph = ir.Graph(
        [x],
        [made[name] for name in outputs],
        nodes=[first, second],
        initializers=[item for item in (first.inputs[1], second.inputs[1]) if item],
        opset_imports={"": 20, "mcc": 1},
        name="test",
    )
    network = set_stage(ir.Model(graph, ir_version=10), Stage.CANONICAL)
    result = quantized(network, "", [{"x": draw((1, 6))}])
    assert tuple(item.name for item in result.graph.outputs) == outputs
    assert sum(IntegerLinear.matches(node) for node in result.graph) == 2
