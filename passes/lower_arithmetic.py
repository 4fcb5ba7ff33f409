"""Operators that are arithmetic of a few steps become these steps, which cores compute exactly."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx_ir as ir

from mcc.ir.network import Editor, Network, constant_of, static_shape
from mcc.passes.attributes import operand, real, required
from mcc.passes.base import PassContext


def lower_arithmetic(network: Network, context: PassContext) -> None:
    """Lower GlobalMaxPool, HardSigmoid, HardSwish, PRelu, and Pow to the second or third.

    Only GlobalMaxPool is exact; the others round after other steps.
    """
    edit = Editor(network.graph)
    for node in list(network.graph):
        lower = _LOWERINGS.get(node.op_type) if node.domain == "" else None
        if lower is None or required(node, 0).dtype is not ir.DataType.FLOAT:
            continue
        result = lower(edit, node)
        if result is not None:
            edit.replace(node, result)


def _step(edit: Editor, node: ir.Node, op_type: str, *inputs: ir.Value | float) -> ir.Value:
    """Add one operator before `node`; numbers become constants."""
    name = str(node.name)
    values = [
        item if isinstance(item, ir.Value) else edit.constant(np.float32(item), f"{name}.number")
        for item in inputs
    ]
    return edit.standard(op_type, values, before=node, name=f"{name}/{op_type.lower()}")


def _global_max_pool(edit: Editor, node: ir.Node) -> ir.Value | None:
    x, name = required(node, 0), str(node.name)
    shape = static_shape(x)
    if shape is None:
        return None
    axes = edit.constant(np.arange(2, len(shape), dtype=np.int64), f"{name}.axes")
    return edit.standard("ReduceMax", [x, axes], before=node, name=name)


def _hard_sigmoid(edit: Editor, node: ir.Node) -> ir.Value:
    x = required(node, 0)
    slope, offset = real(node, "alpha", 0.2), real(node, "beta", 0.5)
    return _ramp(edit, node, x, slope, offset)


def _hard_swish(edit: Editor, node: ir.Node) -> ir.Value:
    x = required(node, 0)
    return _step(edit, node, "Mul", x, _ramp(edit, node, x, 1 / 6, 0.5))


def _ramp(edit: Editor, node: ir.Node, x: ir.Value, slope: float, offset: float) -> ir.Value:
    line = _step(edit, node, "Add", _step(edit, node, "Mul", x, slope), offset)
    return _step(edit, node, "Clip", line, 0.0, 1.0)


def _leaky(edit: Editor, node: ir.Node) -> ir.Value:
    x, slope = required(node, 0), required(node, 1)
    below = _step(edit, node, "Mul", _step(edit, node, "Min", x, 0.0), slope)
    return _step(edit, node, "Add", _step(edit, node, "Relu", x), below)


def _power(edit: Editor, node: ir.Node) -> ir.Value | None:
    x, exponent = required(node, 0), constant_of(operand(node, 1))
    if exponent is None or exponent.ndim or exponent.item() not in (2, 3):
        return None
    square = _step(edit, node, "Mul", x, x)
    return square if exponent.item() == 2 else _step(edit, node, "Mul", square, x)


_LOWERINGS: dict[str, Callable[[Editor, ir.Node], ir.Value | None]] = {
    "GlobalMaxPool": _global_max_pool,
    "HardSigmoid": _hard_sigmoid,
    "HardSwish": _hard_swish,
    "PRelu": _leaky,
    "Pow": _power,
}
