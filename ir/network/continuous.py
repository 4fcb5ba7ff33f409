"""A network without the rounding of its codes, to tell a wrong rewrite from a code that flips.

QuantizeLinear is a staircase: where a value lies on an edge, the last bit of a float decides on a
whole step, so that two evaluations of one real function may differ by steps. Without the rounding
they may not.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
from onnx_ir.passes import common

from mcc.ir.network.editor import Editor
from mcc.ir.network.values import Array, constant_of, static_shape


def continuous(network: ir.Model) -> tuple[ir.Model, int]:
    """Return `network` without the rounding of its codes, and the number of roundings left out.

    DequantizeLinear of QuantizeLinear becomes the clipping that is left of it. Pairs on constants
    stay, for there every evaluation rounds alike; so do codes that go anywhere else.
    """
    copy = network.clone()
    common.RemoveUnusedNodesPass()(copy)
    edit, count = Editor(copy.graph), 0
    computed = set(copy.graph.inputs)
    for node in list(copy.graph):
        if computed.isdisjoint(value for value in node.inputs if value is not None):
            continue
        computed.update(node.outputs)
        limits = _limits(node)
        if limits is None:
            continue
        clipped = _clipped(edit, node, *limits)
        edit.replace(node, clipped)
        computed.add(clipped)
        count += 1
    return copy, count


def _clipped(edit: Editor, node: ir.Node, low: Array, high: Array) -> ir.Value:
    name, maker = str(node.name), _maker(node)
    assert maker is not None
    floor, ceiling = edit.constant(low, f"{name}/low"), edit.constant(high, f"{name}/high")
    above = edit.standard("Max", [maker.inputs[0], floor], before=node, name=f"{name}/above")
    return edit.standard("Min", [above, ceiling], before=node, name=f"{name}/clipped")


def _limits(node: ir.Node) -> tuple[Array, Array] | None:
    """Return what the lowest and the highest code stand for, if `node` decodes what was coded."""
    maker = _maker(node)
    if maker is None or maker.op_type != "QuantizeLinear" or node.op_type != "DequantizeLinear":
        return None
    source, codes = maker.inputs[0], maker.outputs[0].dtype
    if source is None or source.dtype is not ir.DataType.FLOAT or codes is None:
        return None
    mine, its = _parameters(node), _parameters(maker)
    if mine is None or its is None or not codes.is_integer():
        return None
    if not all(np.array_equal(left, right) for left, right in zip(mine, its, strict=True)):
        return None
    scale, zero = (_aligned(item, node, source) for item in mine)
    ends = (np.int64(end) - zero.astype(np.int64) for end in (int(codes.min), int(codes.max)))
    low, high = (steps.astype(np.float32) * scale for steps in ends)
    return low, high


def _maker(node: ir.Node) -> ir.Node | None:
    source = node.inputs[0] if node.inputs else None
    return None if source is None else source.producer()


def _parameters(node: ir.Node) -> tuple[Array, Array] | None:
    """Return scale and zero point, where they are constants and not one for each block."""
    scale, *rest = node.inputs[1:3]
    found = constant_of(scale)
    if found is None or found.dtype != np.float32 or node.attributes.get_int("block_size", 0):
        return None
    given = rest[0] if rest else None
    zero = np.zeros_like(found, np.int32) if given is None else constant_of(given)
    if zero is None:
        return None
    return (found.reshape(()), zero.reshape(())) if found.size == zero.size == 1 else (found, zero)


def _aligned(numbers: Array, node: ir.Node, source: ir.Value) -> Array:
    """Shape one number for the tensor, or one for each place on an axis, to broadcast to it."""
    rank = len(static_shape(source) or ())
    if numbers.size == 1 or not rank:
        return numbers.reshape(())
    shape = [1] * rank
    shape[node.attributes.get_int("axis", 1)] = -1
    return numbers.reshape(shape)
