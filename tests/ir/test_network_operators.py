"""Operators of the `mcc` domain: their meaning, run by ONNX Runtime, is what they say."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

from mcc.ir.diagnostics import MccError
from mcc.ir.network import (
    OPERATORS,
    Conv,
    Dequantize,
    IntegerConv,
    IntegerLinear,
    Linear,
    Mean,
    Operator,
    Quantize,
    ReferenceExecutor,
    Window,
    code_range,
    from_bytes,
    infer_network,
    to_bytes,
    view_of,
)


def value(array: Any, name: str) -> ir.Value:
    tensor = ir.tensor(np.asarray(array))
    return ir.Value(name=name, type=ir.TensorType(tensor.dtype), shape=ir.Shape(np.shape(array)))


def constant(array: Any, name: str) -> ir.Value:
    made = value(array, name)
    made.const_value = ir.tensor(np.asarray(array), name=name)
    return made


def network_of(operator: Operator, inputs: list[ir.Value], constants: list[ir.Value]) -> ir.Model:
    node = operator.build("node", "y")
    graph = ir.Graph(
        inputs, node.outputs, nodes=[node], initializers=constants, opset_imports={"": 20}, name="g"
    )
    return ir.Model(graph, ir_version=10)


def run(operator: Operator, **feeds: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Run one operator on feeds named like its fields; every other operand is a constant."""
    operands = [item for item in vars(operator).values() if isinstance(item, ir.Value)]
    inputs = [item for item in operands if item.name in feeds]
    network = network_of(operator, inputs, [item for item in operands if item not in inputs])
    restored = from_bytes(to_bytes(network))
    view = view_of(restored.graph[0])
    assert view is not None
    assert view.attributes() == operator.attributes()
    assert (view.overload, view.result()) == (operator.overload, operator.result())
    result = ReferenceExecutor(restored).run(feeds)["y"]
    dtype, shape = operator.result()
    assert (result.dtype, result.shape) == (dtype.numpy(), shape)
    return result


def integer_conv(
    codes: np.ndarray[Any, Any], weight: np.ndarray[Any, Any], zero: int, window: Window, group: int
) -> np.ndarray[Any, Any]:
    """Convolve integers the slow and obvious way."""
    axes = len(window.kernel)
    pads = [(window.pads[axis], window.pads[axis + axes]) for axis in range(axes)]
    x = np.pad(codes.astype(np.int64) - zero, [(0, 0), (0, 0), *pads])
    cols, channels = weight.shape[:2]
    result = np.zeros((codes.shape[0], cols, *window.output(codes.shape[2:])), np.int64)
    for place in np.ndindex(*result.shape[2:]):
        corner = [place[axis] * window.strides[axis] for axis in range(axes)]
        taps = [
            corner[axis] + window.dilations[axis] * np.arange(window.kernel[axis])
            for axis in range(axes)
        ]
        patch = x
        for axis, tap in enumerate(taps):
            patch = np.take(patch, tap, axis + 2)
        for col in range(cols):
            first = col // (cols // group) * channels
            part = patch[:, first : first + channels] * weight[col].astype(np.int64)
            result[(slice(None), col, *place)] = part.reshape(len(part), -1).sum(axis=1)
    return result


FORMS = [(bits, signed) for bits in (2, 5, 8) for signed in (True, False)]


def codes_of(
    generator: np.random.Generator, shape: tuple[int, ...], bits: int, signed: bool
) -> np.ndarray[Any, Any]:
    low, high = code_range(bits, signed)
    dtype = np.int8 if signed else np.uint8
    return generator.choice([low, high, *generator.integers(low, high + 1, 4)], shape).astype(dtype)


@pytest.mark.parametrize(("bits", "signed"), FORMS)
def test_integer_linear_is_the_exact_product(bits: int, signed: bool) -> None:
    generator = np.random.default_rng(bits)
    weight = generator.choice([-128, -127, 1, 127], (300, 5)).astype(np.int8)
    codes = codes_of(generator, (3, 4, 300), bits, signed)
    for zero in {*code_range(bits, signed), 0}:
        operator = IntegerLinear(
            codes=value(codes, "codes"),
            weight=constant(weight, "weight"),
            zero_point=zero,
            input_bits=bits,
            input_signed=signed,
            weight_bits=8,
        )
        wanted = (codes.astype(np.int64) - zero) @ weight.astype(np.int64)
        assert np.array_equal(run(operator, codes=codes), wanted)


WINDOWS = [
    ((3,), (2,), (2, 1), (2,), 1, 4, 6),
    ((1, 1), (1, 1), (0, 0, 0, 0), (1, 1), 1, 4, 6),
    ((3, 2), (2, 1), (1, 0, 2, 1), (2, 1), 2, 4, 6),
    ((3, 3), (2, 2), (0, 1, 1, 0), (1, 1), 4, 4, 4),
    ((2, 2, 2), (1, 2, 1), (1, 0, 0, 0, 1, 1), (1, 1, 2), 2, 4, 2),
]


@pytest.mark.parametrize(("kernel", "strides", "pads", "dilations", "group", "c", "m"), WINDOWS)
@pytest.mark.parametrize(("bits", "signed"), [(8, True), (8, False), (3, True)])
def test_integer_conv_is_the_exact_sum(
    kernel: tuple[int, ...],
    strides: tuple[int, ...],
    pads: tuple[int, ...],
    dilations: tuple[int, ...],
    group: int,
    c: int,
    m: int,
    bits: int,
    signed: bool,
) -> None:
    generator = np.random.default_rng(1)
    weight = generator.choice([-128, -127, 5, 127], (m, c // group, *kernel)).astype(np.int8)
    codes = codes_of(generator, (1, c, *(7, 6, 5)[: len(kernel)]), bits, signed)
    window = Window(kernel=kernel, strides=strides, pads=pads, dilations=dilations)
    for zero in {*code_range(bits, signed), 0}:
        operator = IntegerConv(
            codes=value(codes, "codes"),
            weight=constant(weight, "weight"),
            zero_point=zero,
            strides=strides,
            pads=pads,
            dilations=dilations,
            group=group,
            input_bits=bits,
            input_signed=signed,
            weight_bits=8,
        )
        wanted = integer_conv(codes, weight, zero, window, group)
        assert np.array_equal(run(operator, codes=codes), wanted)


@pytest.mark.parametrize(("bits", "signed"), FORMS)
@pytest.mark.parametrize("per_token", [False, True])
def test_quantize_is_float32_step_by_step(bits: int, signed: bool, per_token: bool) -> None:
    generator = np.random.default_rng(bits)
    x = np.concatenate([generator.normal(0, 3, (50, 8)), generator.integers(-9, 9, (9, 8)) / 2])
    x = x.astype(np.float32)
    scale = np.float32(0.5) * np.ones((59, 1) if per_token else (), np.float32)
    if per_token:
        scale = generator.uniform(0.01, 1, (59, 1)).astype(np.float32)
    low, high = code_range(bits, signed)
    for zero in {low, high, 0}:
        operator = Quantize(
            x=value(x, "x"),
            scale=value(scale, "scale"),
            zero_point=zero,
            bits=bits,
            signed=signed,
        )
        assert (operator.low, operator.high) == (low, high)
        rounded = np.round(x / scale) + np.float32(zero)
        wanted = np.clip(rounded, low, high).astype(np.int8 if signed else np.uint8)
        assert np.array_equal(run(operator, x=x, scale=scale), wanted)


@pytest.mark.parametrize("shape", [(6,), (1, 1), (4, 1), (4, 6)])
@pytest.mark.parametrize("biased", [False, True])
def test_dequantize_rounds_once_a_step(shape: tuple[int, ...], biased: bool) -> None:
    generator = np.random.default_rng(2)
    sums = generator.integers(-(2**31), 2**31, (4, 6)).astype(np.int32)
    scale = generator.normal(size=shape).astype(np.float32)
    bias = generator.normal(0, 1e9, 6).astype(np.float32)
    operator = Dequantize(
        sums=value(sums, "sums"),
        scale=constant(scale, "scale"),
        bias=constant(bias, "bias") if biased else None,
    )
    wanted = sums.astype(np.float32) * scale
    wanted = wanted + bias if biased else wanted
    assert run(operator, sums=sums).tobytes() == wanted.tobytes()


def test_mean_adds_from_the_left() -> None:
    x = np.random.default_rng(3).normal(size=(3, 5, 49)).astype(np.float32)
    total = x[..., 0]
    for index in range(1, 49):
        total = total + x[..., index]
    wanted = total * np.float32(1 / 49)
    assert run(Mean(x=value(x, "x")), x=x).tobytes() == wanted.tobytes()


@pytest.mark.parametrize("biased", [False, True])
def test_float_contractions_mean_the_standard_ones(biased: bool) -> None:
    generator = np.random.default_rng(4)
    x = generator.normal(size=(2, 3, 8)).astype(np.float32)
    weight = generator.normal(size=(8, 5)).astype(np.float32)
    offset = generator.normal(size=5).astype(np.float32) * biased
    bias = constant(offset, "bias") if biased else None
    linear = Linear(x=value(x, "x"), weight=constant(weight, "weight"), bias=bias)
    np.testing.assert_allclose(run(linear, x=x), x @ weight + offset, rtol=1e-5)
    kernel = generator.normal(size=(5, 3, 2)).astype(np.float32)
    conv = Conv(
        x=value(x, "x"),
        weight=constant(kernel, "weight"),
        bias=constant(offset, "bias") if biased else None,
        strides=(1,),
        pads=(1, 0),
        dilations=(1,),
    )
    padded = np.pad(x, [(0, 0), (0, 0), (1, 0)])
    wanted = sum(np.einsum("bct,mc->bmt", padded[..., k : k + 8], kernel[..., k]) for k in (0, 1))
    np.testing.assert_allclose(run(conv, x=x), wanted + offset[:, None], rtol=1e-4, atol=1e-5)


def test_every_operator_is_listed_with_its_meaning() -> None:
    for name, operator in OPERATORS.items():
        assert operator.OP_TYPE == name
        assert operator.__doc__
        assert "" in operator.FUNCTIONS


def test_operands_that_do_not_fit_are_refused() -> None:
    x, weight = value(np.zeros((2, 3), np.float32), "x"), np.zeros((4, 5), np.float32)
    with pytest.raises(MccError, match="operator-shape"):
        Linear(x=x, weight=constant(weight, "weight")).build()
    with pytest.raises(MccError, match="operator-shape"):
        Quantize(x=x, scale=x, zero_point=0, bits=8, signed=True).build()
    scale = constant(np.float32(1), "scale")
    with pytest.raises(MccError, match="operator-shape"):
        Quantize(x=x, scale=scale, zero_point=200, bits=8, signed=True).build()
    with pytest.raises(MccError, match="operator-shape"):
        Dequantize(sums=x, scale=constant(weight, "scale")).build()


def test_missing_attributes_are_refused() -> None:
    x = value(np.zeros((2, 3), np.float32), "x")
    operator = Quantize(x=x, scale=constant(np.float32(1), "s"), zero_point=0, bits=8, signed=True)
    node = operator.build()
    del node.attributes["low"]
    with pytest.raises(MccError, match="operator-attribute"):
        Quantize.of(node)


def test_shapes_are_inferred_again() -> None:
    x = np.zeros((2, 3), np.float32)
    network = network_of(Mean(x=value(x, "x")), [], [])
    network.graph[0].outputs[0].shape = None
    infer_network(network)
    assert network.graph[0].outputs[0].shape == (2,)
