"""The vector unit: IEEE float32 and int32 arithmetic, bit for bit as ONNX Runtime computes it.

Every function takes arrays of the same shape, and writes or returns another one. What is written
may be one of those that are read, element for element, but share nothing else with them. Invalid
operations give what IEEE says; callers silence NumPy's warnings about them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcc.ir.program.instructions import BinaryOperation, ReduceOperation, UnaryOperation
from mcc.runtime import _kernels

Array = NDArray[Any]


def quantize(source: Array, scale: Array, limits: tuple[int, int, int], result: Array) -> None:
    """Write `clip(round_half_even(source / scale) + zero, low, high)` as integers.

    A NaN becomes code 0.

    Args:
        source: Reals.
        scale: Likewise, of the same shape.
        limits: Zero, low and high.
        result: The codes.
    """
    zero, low, high = limits
    _make(_kernels.quantize, (source, scale), result, zero=zero, low=low, high=high)


def dequantize(sums: Array, scale: Array, bias: Array | None, result: Array) -> None:
    """Write `float32(sums) * scale`, rounded, then `+ bias`, rounded again."""
    _make(_kernels.dequantize, (sums.astype(np.int32, copy=False), scale, bias), result)


def _make(
    kernel: Callable[..., None], operands: Sequence[Array | None], result: Array, **options: float
) -> None:
    """Let a kernel write a result; kernels take steps of whole elements only."""
    if all(it is None or _steps_whole(it) for it in (*operands, result)):
        kernel(*operands, result=result, **options)
        return
    made = np.empty(result.shape, result.dtype)
    kernel(*(None if it is None else it.copy() for it in operands), result=made, **options)
    result[...] = made


def _steps_whole(array: Array) -> bool:
    return not any(stride % array.itemsize for stride in array.strides)


_BINARY: dict[BinaryOperation, Callable[..., Array]] = {
    BinaryOperation.ADD: np.add,
    BinaryOperation.SUB: np.subtract,
    BinaryOperation.MUL: np.multiply,
    BinaryOperation.DIV: np.divide,
    BinaryOperation.MAX: np.maximum,
    BinaryOperation.MIN: np.minimum,
}


def binary(operation: BinaryOperation, left: Array, right: Array, result: Array) -> None:
    """Write `left operation right` into `result`; a NaN wins over every number in max and min."""
    _BINARY[operation](left, right, out=result)


def unary(operation: UnaryOperation, source: Array, a: float, b: float, result: Array) -> None:
    """Write `operation(source)`; see `UnaryOperation` for `a` and `b`."""
    match operation:
        case UnaryOperation.RELU:
            _clip(source, 0.0, math.inf, result)
        case UnaryOperation.CLIP:
            _clip(source, a, b, result)
        case UnaryOperation.LEAKY_RELU:
            result[...] = np.where(source >= 0, source, np.float32(a) * source)
        case _:
            _UNARY[operation](source, out=result)


def _clip(source: Array, low: float, high: float, result: Array) -> None:
    """Write what is within limits as it is, a NaN too."""
    if source.dtype.kind == "f":
        _make(_kernels.clip, (source,), result, low=low, high=high)
        return
    limits = np.iinfo(source.dtype)
    first, last = (min(max(limit, limits.min), limits.max) for limit in (low, high))
    np.clip(source, int(first), int(last), out=result)


_UNARY: dict[UnaryOperation, Callable[..., Array]] = {
    UnaryOperation.NEG: np.negative,
    UnaryOperation.ABS: np.abs,
    UnaryOperation.SQRT: np.sqrt,
    UnaryOperation.FLOOR: np.floor,
    UnaryOperation.CEIL: np.ceil,
}


def reduce(operation: ReduceOperation, source: Array, dims: int) -> Array:
    """Combine the elements of the last `dims` dimensions one after another, row-major."""
    flat = source.reshape(*source.shape[: source.ndim - dims], -1)
    match operation:
        case ReduceOperation.ADD:
            steps = np.add.accumulate(flat, axis=-1, dtype=flat.dtype)
        case ReduceOperation.MAX:
            steps = np.maximum.accumulate(flat, axis=-1)
        case ReduceOperation.ABS_MAX:
            steps = np.maximum.accumulate(np.abs(flat), axis=-1)
    return steps[..., -1]
