"""Products with a constant become `mcc.Linear`: MatMul and Gemm."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from mcc.ir.network import (
    Array,
    Editor,
    Linear,
    Network,
    constant_of,
    is_constant,
    shape_of,
    static_shape,
)
from mcc.passes.attributes import integer, is_standard, operand, real, required
from mcc.passes.base import PassContext
from mcc.passes.stored_weights import keep_scale, scale_of

_MOST_PARTS = 64
"""A weight with a batch axis becomes at most this many `mcc.Linear`."""


def lower_products(network: Network, context: PassContext) -> None:
    """Lower MatMul and Gemm with a constant factor on either side.

    Only the order of additions changes, and Gemm's alpha and beta are rounded into the constants.
    Products of two computed values have no weight: the rules of placement say so of each.
    """
    edit = Editor(network.graph)
    for node in list(network.graph):
        if not is_standard(node, "MatMul", "Gemm"):
            continue
        if not is_constant(required(node, 0)) and not is_constant(required(node, 1)):
            continue
        refused = _lower(edit, node)
        if refused is not None:
            context.report("left-on-host", f"`{node.name}` stays {node.op_type}: {refused}", node)


def constant_product(
    edit: Editor, node: ir.Node, x: ir.Value, weight: ir.Value | Array, name: str
) -> ir.Value | str:
    """Add what computes `x @ weight`, for `node` to be replaced by, or say why it cannot be.

    x: (..., tokens, rows), any leading axes
    weight: (rows, cols), or with leading axes that x shares or does not have
    """
    array = constant_of(weight) if isinstance(weight, ir.Value) else weight
    assert array is not None
    batch, (rows, cols) = array.shape[:-2], array.shape[-2:]
    x_batch = shape_of(x)[:-2]
    if not batch:
        matrix = weight if isinstance(weight, ir.Value) else edit.constant(array, f"{name}.weight")
        return edit.add(Linear(x=x, weight=matrix), before=node, name=name)
    parts = int(np.prod(np.array(batch)))
    result = np.broadcast_shapes(x_batch, batch)
    if parts == 1:
        matrix = edit.constant(array.reshape(rows, cols), f"{name}.weight")
        y = edit.add(Linear(x=x, weight=matrix), before=node, name=name)
    elif int(np.prod(x_batch)) == 1:
        y = _side_by_side(edit, node, x, array.reshape(parts, rows, cols), name)
    elif result == x_batch and int(np.prod(x_batch)) == parts and parts <= _MOST_PARTS:
        y = _one_by_one(edit, node, x, array.reshape(parts, rows, cols), name)
    else:
        return f"weight {array.shape} has batch axes that x {shape_of(x)} does not match"
    return reshape(edit, node, y, (*result, shape_of(x)[-2], cols), name)


def _side_by_side(edit: Editor, node: ir.Node, x: ir.Value, parts: Array, name: str) -> ir.Value:
    """One input for all parts: one wide product, then the parts to the front."""
    count, rows, cols = parts.shape
    tokens = shape_of(x)[-2]
    flat = reshape(edit, node, x, (tokens, rows), name)
    wide = edit.constant(parts.transpose(1, 0, 2).reshape(rows, count * cols), f"{name}.weight")
    y = edit.add(Linear(x=flat, weight=wide), before=node, name=name)
    split = reshape(edit, node, y, (tokens, count, cols), name)
    return transpose(edit, node, split, (1, 0, 2), name)


def _one_by_one(edit: Editor, node: ir.Node, x: ir.Value, parts: Array, name: str) -> ir.Value:
    """Every part has its own input: one product each."""
    count, rows, _ = parts.shape
    stack = reshape(edit, node, x, (count, shape_of(x)[-2], rows), name)
    axis = edit.constant(np.array([0]), f"{name}.axis")
    results: list[ir.Value | None] = []
    for index, part in enumerate(parts):
        ends = [edit.constant(np.array([index + step]), f"{name}.part") for step in (0, 1)]
        one = edit.standard("Slice", [stack, *ends, axis], before=node, name=f"{name}/part")
        weight = edit.constant(part, f"{name}.weight")
        results.append(edit.add(Linear(x=one, weight=weight), before=node, name=f"{name}/{index}"))
    return edit.standard("Concat", results, {"axis": 0}, before=node, name=f"{name}/parts")


def reshape(
    edit: Editor, node: ir.Node, x: ir.Value, shape: tuple[int, ...], name: str
) -> ir.Value:
    """Add a reshape before `node`, unless x has that shape."""
    if static_shape(x) == shape:
        return x
    target = edit.constant(np.array(shape, np.int64), f"{name}.shape")
    return edit.standard("Reshape", [x, target], before=node, name=f"{name}/reshape")


def transpose(
    edit: Editor, node: ir.Node, x: ir.Value, perm: tuple[int, ...], name: str
) -> ir.Value:
    """Add a transpose before `node`, unless it keeps every axis."""
    if perm == tuple(range(len(perm))):
        return x
    return edit.standard("Transpose", [x], {"perm": perm}, before=node, name=f"{name}/transpose")


def swap(edit: Editor, node: ir.Node, x: ir.Value, name: str) -> ir.Value:
    """Add a transpose of the last two axes before `node`."""
    rank = len(shape_of(x))
    return transpose(edit, node, x, (*range(rank - 2), rank - 1, rank - 2), name)


def unsuitable(node: ir.Node) -> str | None:
    """Say why a contraction cannot be lowered whatever its kind, or return None."""
    operands = [value for value in node.inputs if value is not None]
    if any(value.dtype != ir.DataType.FLOAT for value in operands):
        return f"its operands are {', '.join(str(value.dtype) for value in operands)}, not FLOAT"
    if any(static_shape(value) is None for value in (*operands, *node.outputs)):
        return "its shapes are not static"
    if any(0 in shape_of(value) for value in operands):
        return "an operand has no elements"
    return None


def _lower(edit: Editor, node: ir.Node) -> str | None:
    refused = unsuitable(node)
    if refused is not None:
        return refused
    a, b = required(node, 0), required(node, 1)
    if node.op_type == "Gemm":
        result = _gemm(edit, node)
    else:
        result = _right(edit, node, a, b) if is_constant(b) else _left(edit, node, a, b)
    if isinstance(result, str):
        return result
    edit.replace(node, result)
    return None


def _right(edit: Editor, node: ir.Node, x: ir.Value, weight: ir.Value) -> ir.Value | str:
    """Lower `x @ weight`; a vector on either side is a matrix with one row or column."""
    name, target = str(node.name), shape_of(node.outputs[0])
    array = constant_of(weight)
    assert array is not None
    matrix: ir.Value | Array = array[:, None] if array.ndim == 1 else weight
    if len(shape_of(x)) == 1:
        x = reshape(edit, node, x, (1, *shape_of(x)), name)
    product = constant_product(edit, node, x, matrix, name)
    return product if isinstance(product, str) else reshape(edit, node, product, target, name)


def _left(edit: Editor, node: ir.Node, weight: ir.Value, x: ir.Value) -> ir.Value | str:
    """Lower `weight @ x` as the transpose of `x.T @ weight.T`."""
    name, target = str(node.name), shape_of(node.outputs[0])
    array = constant_of(weight)
    assert array is not None
    array = array[None, :] if array.ndim == 1 else array
    if len(shape_of(x)) == 1:
        tokens = reshape(edit, node, x, (1, *shape_of(x)), name)
    else:
        tokens = swap(edit, node, x, name)
    product = constant_product(edit, node, tokens, np.swapaxes(array, -1, -2), name)
    if isinstance(product, str):
        return product
    return reshape(edit, node, swap(edit, node, product, name), target, name)


def _gemm(edit: Editor, node: ir.Node) -> ir.Value | str:
    """Lower `alpha * A' @ B' + beta * C`, where one factor is constant."""
    name, alpha, beta = str(node.name), real(node, "alpha", 1.0), real(node, "beta", 1.0)
    a, b, c = required(node, 0), required(node, 1), operand(node, 2)
    flip_a, flip_b = integer(node, "transA", 0) != 0, integer(node, "transB", 0) != 0
    constant_right = is_constant(b)
    x, weight = (a, b) if constant_right else (b, a)
    array = constant_of(weight)
    assert array is not None
    # A constant left factor is the right factor of the transposed product.
    flip_weight = flip_b if constant_right else not flip_a
    flip_x = flip_a if constant_right else not flip_b
    matrix = np.ascontiguousarray(array.T) if flip_weight else array
    scaled = matrix if alpha == 1.0 else (matrix * np.float64(alpha)).astype(np.float32)
    same = scaled is array
    stored = weight if same else edit.constant(scaled, f"{name}.weight")
    _carry_scale(weight, stored, flip_weight, alpha)
    tokens = swap(edit, node, x, name) if flip_x else x
    bias = _vector(c, beta, scaled.shape[1]) if constant_right else None
    given = None if bias is None else edit.constant(bias, f"{name}.bias")
    y = edit.add(Linear(x=tokens, weight=stored, bias=given), before=node, name=name)
    y = y if constant_right else swap(edit, node, y, name)
    if c is None or bias is not None:
        return y
    return _add_scaled(edit, node, y, c, beta)


def _carry_scale(weight: ir.Value, stored: ir.Value, flipped: bool, alpha: float) -> None:
    scale = scale_of(weight)
    if scale is not None and stored is not weight:
        keep_scale(stored, (scale.transposed((1, 0)) if flipped else scale).times(alpha))


def _vector(c: ir.Value | None, beta: float, cols: int) -> Array | None:
    """Return `beta * c` as one number per column, or None where it differs between rows."""
    array = constant_of(c)
    if array is None or (array.ndim == 2 and array.shape[0] != 1):
        return None
    scaled = (array * np.float64(beta)).astype(np.float32)
    return np.ascontiguousarray(np.broadcast_to(scaled.reshape(-1), (cols,)))


def _add_scaled(edit: Editor, node: ir.Node, y: ir.Value, c: ir.Value, beta: float) -> ir.Value:
    array = constant_of(c)
    if array is not None:
        c = edit.constant((array * np.float64(beta)).astype(np.float32), f"{node.name}.offset")
    elif beta != 1.0:
        factor = edit.constant(np.float32(beta), f"{node.name}.beta")
        c = edit.standard("Mul", [c, factor], before=node, name=f"{node.name}/scale")
    return edit.standard("Add", [y, c], before=node, name=f"{node.name}/add")
