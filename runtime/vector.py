"""The vector unit: IEEE float32 and int32 arithmetic, bit for bit as ONNX Runtime computes it.

Every function takes and returns arrays of the same shape. Invalid operations give what IEEE says;
callers silence NumPy's warnings about them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcc.ir.program.instructions import BinaryOperation, ReduceOperation, UnaryOperation

Array = NDArray[Any]


def quantize(
    source: Array, scale: Array, zero: int, low: int, high: int, dtype: np.dtype[Any]
) -> Array:
    """Return `clip(round_half_even(source / scale) + zero, low, high)` as integers.

    A NaN becomes code 0.
    """
    codes = source / scale
    np.rint(codes, out=codes)
    codes += np.float32(zero)
    np.maximum(codes, np.float32(low), out=codes)
    np.minimum(codes, np.float32(high), out=codes)
    return codes.astype(np.int32).astype(dtype)


def dequantize(sums: Array, scale: Array, bias: Array | None) -> Array:
    """Return `float32(sums) * scale`, rounded, then `+ bias`, rounded again."""
    result = sums.astype(np.float32)
    result *= scale
    if bias is not None:
        result += bias
    return result


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


def unary(operation: UnaryOperation, source: Array, a: float, b: float) -> Array:
    """Return `operation(source)`; see `UnaryOperation` for `a` and `b`."""
    match operation:
        case UnaryOperation.RELU:
            return np.where(source < 0, source.dtype.type(0), source)
        case UnaryOperation.CLIP:
            low, high = _limit(a, source.dtype), _limit(b, source.dtype)
            raised = np.where(source < low, low, source)
            return np.where(raised > high, high, raised)
        case UnaryOperation.LEAKY_RELU:
            return np.where(source >= 0, source, np.float32(a) * source)
        case _:
            return _UNARY[operation](source)


_UNARY: dict[UnaryOperation, Callable[[Array], Array]] = {
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


def _limit(value: float, dtype: np.dtype[Any]) -> Any:
    """Return the number of type `dtype` that is nearest to `value`."""
    if dtype.kind == "f":
        return dtype.type(value)
    limits = np.iinfo(dtype)
    return dtype.type(min(max(value, limits.min), limits.max))
