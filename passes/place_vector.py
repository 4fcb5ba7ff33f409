"""What the vector unit and the mover do exactly: one small function a condition.

Each returns nothing, or what was measured where the condition fails; its docstring is the sentence
that the user reads.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import onnx_ir as ir

from mcc.ir.network.values import constant_of, is_constant, static_shape

MOVABLE = (ir.DataType.FLOAT, ir.DataType.INT32, ir.DataType.INT8, ir.DataType.UINT8)
"""Element types that the mover takes."""


def static_shapes(node: ir.Node) -> str | None:
    """Shapes must be known when compiling."""
    unknown = [value for value in _values(node) if static_shape(value) is None]
    return f"that of `{unknown[0].name}` is not" if unknown else None


def some_elements(node: ir.Node) -> str | None:
    """Operands and results must have at least one element."""
    empty = [value for value in _data(node) if 0 in (static_shape(value) or ())]
    return f"`{empty[0].name}` is {static_shape(empty[0])}" if empty else None


def float32_operands(node: ir.Node) -> str | None:
    """Operands and results must be float32."""
    operands = [value for value in _values(node) if not _is_parameter(value)]
    return _odd_type(operands, (ir.DataType.FLOAT,))


def movable_elements(node: ir.Node) -> str | None:
    """Elements that are moved must be float32, int32, int8 or uint8."""
    return _odd_type(_data(node), MOVABLE)


def two_operands(node: ir.Node) -> str | None:
    """There must be two operands."""
    return None if len(node.inputs) == 2 else str(len(node.inputs))


def constant_parameters(node: ir.Node) -> str | None:
    """Everything but the data must be a constant of the network."""
    rest = node.inputs[1:]
    computed = [value for value in rest if value is not None and not is_constant(value)]
    return f"`{computed[0].name}` is computed" if computed else None


def trailing_axes(node: ir.Node) -> str | None:
    """The reduced axes must be the last ones, and constant."""
    axes = _axes(node)
    shape = static_shape(node.inputs[0]) or ()
    if axes is None:
        return "the axes are computed"
    rank = len(shape)
    wanted = sorted(axis % rank for axis in axes) if axes else list(range(rank))
    last = list(range(rank - len(wanted), rank))
    return None if wanted == last and wanted else f"axes {wanted} of {rank}"


def values_only(node: ir.Node) -> str | None:
    """Only the values of a pooling may be asked for, not their indices."""
    asked = [value for value in node.outputs[1:] if _is_used(value)]
    return f"`{asked[0].name}` is used" if asked else None


def explicit_padding(node: ir.Node) -> str | None:
    """Padding must be given in numbers."""
    mode = node.attributes.get_string("auto_pad", "NOTSET")
    return None if mode == "NOTSET" else f"auto_pad is {mode}"


def forward_steps(node: ir.Node) -> str | None:
    """Slices must step forward."""
    steps = constant_of(node.inputs[4]) if len(node.inputs) > 4 else None
    if steps is None or (steps > 0).all():
        return None
    return f"steps {steps.tolist()}"


def constant_border(node: ir.Node) -> str | None:
    """A border must be a constant around the whole, and cut nothing off."""
    mode = node.attributes.get_string("mode", "constant")
    if mode != "constant":
        return f"mode is {mode}"
    pads = constant_of(node.inputs[1]) if len(node.inputs) > 1 else None
    if pads is not None and (pads < 0).any():
        return f"pads {pads.tolist()}"
    return None


def whole_nearest_factors(node: ir.Node) -> str | None:
    """A resize must repeat its nearest elements by whole factors."""
    text = node.attributes.get_string
    mode = text("mode", "nearest")
    if mode != "nearest":
        return f"mode is {mode}"
    where = text("coordinate_transformation_mode", "half_pixel")
    rounding = text("nearest_mode", "round_prefer_floor")
    if where == "asymmetric":
        repeats = rounding == "floor"
    else:
        repeats = where in _HALF_PIXEL and rounding.startswith("round")
    if not repeats:
        return f"{where} with {rounding}"
    source, result = static_shape(node.inputs[0]) or (), static_shape(node.outputs[0]) or ()
    whole = all(large % small == 0 for large, small in zip(result, source, strict=True))
    return None if whole else f"{source} to {result}"


_HALF_PIXEL = ("half_pixel", "half_pixel_symmetric", "pytorch_half_pixel")


def _values(node: ir.Node) -> list[ir.Value]:
    """Return what a node reads and writes, without results that nobody asked for."""
    asked = [value for value in node.outputs[1:] if _is_used(value)]
    given = [value for value in node.inputs if value is not None]
    return [*given, *node.outputs[:1], *asked]


def _is_used(value: ir.Value) -> bool:
    return bool(value.uses()) or value.is_graph_output()


def _is_parameter(value: ir.Value) -> bool:
    """Tell axes, shapes and the like from operands."""
    return value.dtype is ir.DataType.INT64 and is_constant(value)


def _data(node: ir.Node) -> list[ir.Value]:
    """Return the values whose elements are moved; the rest of the inputs are parameters."""
    inputs = node.inputs if node.op_type == "Concat" else node.inputs[:1]
    return [value for value in (*inputs, *node.outputs) if value is not None]


def _odd_type(values: Iterable[ir.Value], known: tuple[ir.DataType, ...]) -> str | None:
    for value in values:
        if value.dtype not in known:
            name = value.dtype.name.lower() if value.dtype is not None else "of unknown type"
            return f"`{value.name}` is {name}"
    return None


def _axes(node: ir.Node) -> list[int] | None:
    """Return the axes of a reduction; an empty list means all."""
    if "axes" in node.attributes:
        return list(node.attributes.get_ints("axes", []))
    if len(node.inputs) < 2 or node.inputs[1] is None:
        return [] if not node.attributes.get_int("noop_with_empty_axes", 0) else None
    found = constant_of(node.inputs[1])
    return None if found is None else [int(axis) for axis in np.ravel(found)]
