"""The matrix form of an integer contraction multiplies as the reference does."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

from mcc.ir.network.matrix import input_vectors, matrix_block, position_count
from mcc.ir.network.operators import IntegerConv, IntegerLinear
from mcc.ir.network.reference import ReferenceExecutor
from mcc.ir.network.values import shape_of

Array = np.ndarray[Any, Any]
RANDOM = np.random.default_rng(7)


def constant(array: Array, name: str) -> ir.Value:
    tensor = ir.Tensor(array, name=name)
    return ir.Value(
        name=name, type=ir.TensorType(tensor.dtype), shape=tensor.shape, const_value=tensor
    )


def codes_input(shape: tuple[int, ...], signed: bool) -> ir.Value:
    kind = ir.DataType.INT8 if signed else ir.DataType.UINT8
    return ir.Value(name="codes", type=ir.TensorType(kind), shape=ir.Shape(shape))


def reference(view: IntegerLinear | IntegerConv, codes: Array) -> Array:
    node = view.build("contraction", "sums")
    graph = ir.Graph(
        [view.codes],
        [node.outputs[0]],
        nodes=[node],
        initializers=[view.weight],
        opset_imports={"": 20, "mcc": 1},
        name="test",
    )
    return ReferenceExecutor(ir.Model(graph, ir_version=10)).run({"codes": codes})["sums"]


def products(view: IntegerLinear | IntegerConv, codes: Array, cols: int) -> Array:
    vectors = input_vectors(view, codes, list(range(position_count(view)))).astype(np.int64)
    matrix = matrix_block(view, (0, vectors.shape[1]), (0, cols)).astype(np.int64)
    return (vectors - view.zero_point) @ matrix


def draw(shape: tuple[int, ...], signed: bool) -> Array:
    low, high = (-128, 128) if signed else (0, 256)
    return RANDOM.integers(low, high, shape).astype(np.int8 if signed else np.uint8)


def convolution(
    shape: tuple[int, ...],
    kernel: tuple[int, ...],
    strides: tuple[int, ...],
    pads: tuple[int, ...],
    dilations: tuple[int, ...],
    group: int,
    signed: bool,
) -> IntegerConv:
    weight = RANDOM.integers(-127, 128, kernel).astype(np.int8)
    return IntegerConv(
        codes=codes_input(shape, signed),
        weight=constant(weight, "weight"),
        zero_point=0 if signed else 37,
        strides=strides,
        pads=pads,
        dilations=dilations,
        group=group,
        input_bits=8,
        input_signed=signed,
        weight_bits=8,
    )


CONVOLUTIONS = [
    convolution((1, 4, 9, 8), (6, 4, 3, 3), (1, 1), (1, 1, 1, 1), (1, 1), 1, True),
    convolution((1, 4, 9, 8), (6, 2, 3, 2), (2, 1), (0, 1, 2, 0), (1, 2), 2, False),
    convolution((1, 6, 7, 7), (6, 1, 3, 3), (1, 1), (1, 1, 1, 1), (1, 1), 6, False),
    convolution((1, 3, 11), (5, 3, 4), (2,), (2, 1), (2,), 1, True),
    convolution(
        (2, 4, 5, 4, 3), (2, 2, 2, 2, 2), (1, 2, 1), (0, 1, 0, 1, 0, 1), (1, 1, 1), 2, False
    ),
]


@pytest.mark.parametrize("view", CONVOLUTIONS, ids=range(len(CONVOLUTIONS)))
def test_convolutions_multiply_their_matrix(view: IntegerConv) -> None:
    codes = draw(shape_of(view.codes), view.input_signed)
    sums = reference(view, codes)
    expected = np.moveaxis(sums, 1, -1).reshape(-1, sums.shape[1])
    assert np.array_equal(products(view, codes, sums.shape[1]), expected)


@pytest.mark.parametrize("signed", [False, True])
def test_linear_layers_multiply_their_matrix(signed: bool) -> None:
    weight = RANDOM.integers(-127, 128, (10, 7)).astype(np.int8)
    view = IntegerLinear(
        codes=codes_input((2, 3, 10), signed),
        weight=constant(weight, "weight"),
        zero_point=5,
        input_bits=8,
        input_signed=signed,
        weight_bits=8,
    )
    codes = draw((2, 3, 10), signed)
    assert position_count(view) == 6
    assert np.array_equal(products(view, codes, 7), reference(view, codes).reshape(6, 7))


@pytest.mark.parametrize("view", CONVOLUTIONS, ids=range(len(CONVOLUTIONS)))
def test_blocks_are_parts_of_the_whole(view: IntegerConv) -> None:
    cols, channels, *kernel = shape_of(view.weight)
    count = channels * view.group * math.prod(kernel)
    whole = matrix_block(view, (0, count), (0, cols))
    for _ in range(20):
        top, bottom = sorted(RANDOM.choice(count + 1, 2, replace=False).tolist())
        left, right = sorted(RANDOM.choice(cols + 1, 2, replace=False).tolist())
        block = matrix_block(view, (top, bottom), (left, right))
        assert np.array_equal(block, whole[top:bottom, left:right])
