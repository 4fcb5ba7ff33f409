"""Convolutions with a constant kernel become `mcc.Conv`."""

from __future__ import annotations

import onnx_ir as ir

from mcc.ir.network import (
    Conv,
    Editor,
    Network,
    is_constant,
    shape_of,
)
from mcc.passes.attributes import integer, integers, is_standard, operand, required, text
from mcc.passes.base import PassContext
from mcc.passes.lower_products import unsuitable
from mcc.passes.lower_transposed import transposed


def lower_convolutions(network: Network, context: PassContext) -> None:
    """Lower Conv and ConvTranspose with a constant kernel.

    Conv stays what it is, so it is exact; ConvTranspose changes the order of additions.
    """
    edit = Editor(network.graph)
    for node in list(network.graph):
        if not is_standard(node, "Conv", "ConvTranspose"):
            continue
        refused = _lower(edit, node)
        if refused is not None:
            context.report("left-on-host", f"`{node.name}` stays {node.op_type}: {refused}", node)


def _lower(edit: Editor, node: ir.Node) -> str | None:
    refused = unsuitable(node)
    if refused is not None:
        return refused
    bias = operand(node, 2)
    if not is_constant(required(node, 1)) or (bias is not None and not is_constant(bias)):
        return "its kernel or bias is computed at run time"
    axes = len(shape_of(required(node, 0))) - 2
    if not 1 <= axes <= 3:
        return f"it has {axes} spatial axes"
    result = _conv(edit, node, axes) if node.op_type == "Conv" else transposed(edit, node)
    if isinstance(result, str):
        return result
    edit.replace(node, result)
    return None


def resolved_pads(node: ir.Node, kernel: tuple[int, ...]) -> tuple[int, ...]:
    """Return explicit pads of a convolution or pooling, whatever its `auto_pad` says."""
    axes = len(kernel)
    mode = text(node, "auto_pad", "NOTSET")
    if mode == "NOTSET":
        return integers(node, "pads", (0,) * (2 * axes))
    if mode == "VALID":
        return (0,) * (2 * axes)
    strides = integers(node, "strides", (1,) * axes)
    dilations = integers(node, "dilations", (1,) * axes)
    spatial = shape_of(required(node, 0))[2:]
    leading: list[int] = []
    trailing: list[int] = []
    for axis in range(axes):
        steps = -(-spatial[axis] // strides[axis])
        covered = (steps - 1) * strides[axis] + dilations[axis] * (kernel[axis] - 1) + 1
        total = max(0, covered - spatial[axis])
        small, large = total // 2, total - total // 2
        leading.append(small if mode == "SAME_UPPER" else large)
        trailing.append(large if mode == "SAME_UPPER" else small)
    return (*leading, *trailing)


def _conv(edit: Editor, node: ir.Node, axes: int) -> ir.Value:
    operator = Conv(
        x=required(node, 0),
        weight=required(node, 1),
        bias=operand(node, 2),
        strides=integers(node, "strides", (1,) * axes),
        pads=resolved_pads(node, shape_of(required(node, 1))[2:]),
        dilations=integers(node, "dilations", (1,) * axes),
        group=integer(node, "group", 1),
    )
    return edit.add(operator, before=node, name=str(node.name))
