"""Einsum with a constant operand becomes `mcc.Linear`, between reshapes and transposes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
import onnx_ir as ir

from mcc.ir.network import Editor, Network, constant_of, is_constant, shape_of
from mcc.passes.attributes import is_standard, required, text
from mcc.passes.base import PassContext
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
    constants = [is_constant(value) for value in node.inputs]
    if not any(constants):
        return "both operands are computed at run time"
    equation = text(node, "equation", "").replace(" ", "")
    if "." in equation:
        return f"`{equation}` has an ellipsis"
    place = 1 if constants[1] else 0
    axes = _parse(equation, place)
    refused = axes.refusal()
    if refused is not None:
        return refused
    result = _product(edit, node, required(node, 1 - place), required(node, place), axes)
    if isinstance(result, str):
        return result
    edit.replace(node, result)
    return None


def _parse(equation: str, place: int) -> _Axes:
    inputs, arrow, output = equation.partition("->")
    operands = inputs.split(",")
    if not arrow:
        joined = "".join(operands)
        output = "".join(sorted(axis for axis in set(joined) if joined.count(axis) == 1))
    return _Axes(x=operands[1 - place], weight=operands[place], output=output)


def _product(
    edit: Editor, node: ir.Node, x: ir.Value, weight: ir.Value, axes: _Axes
) -> ir.Value | str:
    name, array = str(node.name), constant_of(weight)
    assert array is not None
    extent = dict(zip(axes.x + axes.weight, (*shape_of(x), *array.shape), strict=True))

    def size(letters: str) -> int:
        return int(np.prod([extent[axis] for axis in letters], dtype=np.int64))

    order = axes.batch + axes.tokens + axes.summed
    moved = transpose(edit, node, x, tuple(axes.x.index(axis) for axis in order), name)
    batch = tuple(extent[axis] for axis in axes.batch)
    tokens = reshape(edit, node, moved, (*batch, size(axes.tokens), size(axes.summed)), name)
    turned = array.transpose([axes.weight.index(a) for a in axes.batch + axes.summed + axes.cols])
    matrix = np.ascontiguousarray(turned).reshape(*batch, size(axes.summed), size(axes.cols))
    product = constant_product(edit, node, tokens, matrix, name)
    if isinstance(product, str):
        return product
    letters = axes.batch + axes.tokens + axes.cols
    spread = reshape(edit, node, product, tuple(extent[axis] for axis in letters), name)
    return transpose(edit, node, spread, tuple(letters.index(axis) for axis in axes.output), name)
