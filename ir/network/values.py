"""Questions about values: is it constant, what shape, what element type."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import onnx_ir as ir

from mcc.ir.diagnostics import error

Network: TypeAlias = ir.Model
"""A tensor graph: an ONNX model, standard operators plus those of the `mcc` domain."""

Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]
"""A NumPy array of any shape and element type."""


def constant_of(value: ir.Value | None) -> Array | None:
    """Return the array of a constant (initializer or Constant node), or None.

    The array is a view of the stored tensor where possible: do not write into it.
    """
    if value is None:
        return None
    if value.const_value is not None and (value.is_initializer() or value.producer() is None):
        return None if value.is_graph_input() else value.const_value.numpy()
    tensor = ir.convenience.get_const_tensor(value)
    return None if tensor is None else tensor.numpy()


def is_constant(value: ir.Value | None) -> bool:
    """Whether `value` is an initializer or made by a Constant node."""
    if value is None or value.is_graph_input():
        return False
    if value.is_initializer():
        return True
    producer = value.producer()
    return producer is not None and producer.op_type == "Constant" and producer.domain == ""


def static_shape(value: ir.Value | None) -> tuple[int, ...] | None:
    """Return the shape of `value` where every dimension is a known number, else None."""
    if value is None or value.shape is None:
        return None
    dims = tuple(dim for dim in value.shape if isinstance(dim, int))
    return dims if len(dims) == len(value.shape) else None


def shape_of(value: ir.Value) -> tuple[int, ...]:
    """Return the static shape of `value`; networks are specialised before they get here."""
    shape = static_shape(value)
    if shape is None:
        raise error(
            "shape-unknown",
            f"value `{value.name}` has no static shape",
            "Give the shapes of all inputs, for example `--input name=1x3x32x32`.",
        )
    return shape


def dtype_of(value: ir.Value) -> ir.DataType:
    """Return the element type of `value`."""
    if value.dtype is None:
        raise error("type-unknown", f"value `{value.name}` has no element type")
    return value.dtype
