"""Einsum with a constant operand becomes `mcc.Linear`, between reshapes and transposes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
import onnx_ir as ir

from mcc.ir.network import Array, Editor, Network, constant_of, is_constant, shape_of
from mcc.passes.attributes import is_standard, required, text
from mcc.passes.base import PassContext
from mcc.passes.equations import parse_equation
from mcc.passes.lower_products import constant_product, reshape, transpose, unsuitable


@final
@dataclass(frozen=True, kw_only=True)
class _Axes:
    """The letters of an equation of two operands, by what becomes of them."""

    x: str
    weight: str
    output: str

    @property
    def batch(self) -> str:
        """In both operands and in the result."""
        return "".join(axis for axis in self.x if axis in self.weight and axis in self.output)

    @property
    def summed(self) -> str:
        """In both operands, not in the result."""
        return "".join(axis for axis in self.x if axis in self.weight and axis not in self.output)

    @property
    def tokens(self) -> str:
        """Of x only."""
        return "".join(axis for axis in self.x if axis not in self.weight)

    @property
    def cols(self) -> str:
        """Of the weight only."""
        return "".join(axis for axis in self.weight if axis not in self.x)

    def refusal(self) -> str | None:
        """Say why this is no product of matrices, or return None."""
        for axes in (self.x, self.weight, self.output):
            if len(set(axes)) != len(axes):
                return f"`{axes}` repeats an axis"
        lost = [axis for axis in self.tokens + self.cols if axis not in self.output]
        if lost:
            return f"axis `{lost[0]}` is summed over one operand alone"
        return None if self.summed else "no axis is summed"


def lower_einsum(network: Network, context: PassContext) -> None:
    """Lower Einsum of two operands, one of them constant. Only the order of additions changes."""
    edit = Editor(network.graph)
    for node in list(network.graph):
        if is_standard(node, "Einsum"):
            refused = _lower(edit, node)
            if refused is not None:
                context.report("left-on-host", f"`{node.name}` stays Einsum: {refused}", node)


def _lower(edit: Editor, node: ir.Node) -> str | None:
    if len(node.inputs) != 2:
        return f"it has {len(node.inputs)} operands"
    refused = unsuitable(node)
    if refused is not None:
        return refused
    values = (required(node, 0), required(node, 1))
    place = 1 if is_constant(values[1]) else 0
    x, weight = values[1 - place], constant_of(values[place])
    if weight is None:
        return "both operands are computed at run time"
    given = text(node, "equation", "")
    equation = parse_equation(given, [len(shape_of(value)) for value in values])
    if equation is None:
        return f"`{given}` has more axes than there are letters"
    letters = equation.operands
    axes = _Axes(x=letters[1 - place], weight=letters[place], output=equation.output)
    refused = axes.refusal()
    if refused is not None:
        return refused
    result = _product(edit, node, *_matched(edit, node, x, weight, axes))
    if isinstance(result, str):
        return result
    edit.replace(node, result)
    return None


def _matched(
    edit: Editor, node: ir.Node, x: ir.Value, weight: Array, axes: _Axes
) -> tuple[ir.Value, Array, _Axes]:
    """Let the axes that both operands have be of one size: one of 1 counts as often as it takes.

    In the result such an axis is one of the larger operand alone. In the sum the weight follows x:
    it is repeated, or added up.
    """
    sizes, rows = dict(zip(axes.x, shape_of(x), strict=True)), list(weight.shape)
    lost_by_x, lost_by_weight = "", ""
    for axis in axes.batch + axes.summed:
        place = axes.weight.index(axis)
        if sizes[axis] == rows[place]:
            continue
        if axis in axes.output and sizes[axis] == 1:
            lost_by_x += axis
        elif axis in axes.output:
            lost_by_weight += axis
        elif sizes[axis] == 1:
            weight = weight.sum(place, np.float64, keepdims=True).astype(np.float32)
        else:
            weight = weight.repeat(sizes[axis], place)
    left = _Axes(
        x="".join(axis for axis in axes.x if axis not in lost_by_x),
        weight="".join(axis for axis in axes.weight if axis not in lost_by_weight),
        output=axes.output,
    )
    array = weight.squeeze(tuple(axes.weight.index(axis) for axis in lost_by_weight))
    shape = tuple(sizes[axis] for axis in left.x)
    return reshape(edit, node, x, shape, str(node.name)), array, left


def _product(
    edit: Editor, node: ir.Node, x: ir.Value, weight: Array, axes: _Axes
) -> ir.Value | str:
    name = str(node.name)
    extent = dict(zip(axes.x + axes.weight, (*shape_of(x), *weight.shape), strict=True))

    def size(letters: str) -> int:
        return int(np.prod([extent[axis] for axis in letters], dtype=np.int64))

    order = axes.batch + axes.tokens + axes.summed
    moved = transpose(edit, node, x, tuple(axes.x.index(axis) for axis in order), name)
    batch = tuple(extent[axis] for axis in axes.batch)
    tokens = reshape(edit, node, moved, (*batch, size(axes.tokens), size(axes.summed)), name)
    turned = weight.transpose([axes.weight.index(a) for a in axes.batch + axes.summed + axes.cols])
    matrix = np.ascontiguousarray(turned).reshape(*batch, size(axes.summed), size(axes.cols))
    product = constant_product(edit, node, tokens, matrix, name)
    if isinstance(product, str):
        return product
    letters = axes.batch + axes.tokens + axes.cols
    spread = reshape(edit, node, product, tuple(extent[axis] for axis in letters), name)
    return transpose(edit, node, spread, tuple(letters.index(axis) for axis in axes.output), name)
