"""Einsum of many operands becomes Einsum of two each, and an ellipsis letters."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import final

import numpy as np
import onnx_ir as ir

from mcc.ir.network import Editor, Network, is_constant, shape_of
from mcc.passes.attributes import is_standard, text
from mcc.passes.equations import Equation, parse_equation
from mcc.passes.lower_products import unsuitable


@final
@dataclass(frozen=True, kw_only=True)
class _Operand:
    value: ir.Value
    axes: str
    constant: bool

    @property
    def extents(self) -> dict[str, int]:
        return dict(zip(self.axes, shape_of(self.value), strict=True))


def split_einsum(network: Network) -> None:
    """Rewrite Einsum with constants among its operands. Only the order of additions changes.

    Constants meet first where that makes no more numbers than they are, to be folded; then
    whatever two make the fewest numbers more, the leftmost of equals.
    """
    edit = Editor(network.graph)
    for node in list(network.graph):
        if not is_standard(node, "Einsum") or len(node.inputs) < 2 or unsuitable(node) is not None:
            continue
        values = [value for value in node.inputs if value is not None]
        given = text(node, "equation", "")
        equation = parse_equation(given, [len(shape_of(value)) for value in values])
        plain = len(values) == 2 and "." not in given
        if equation is None or plain or not any(is_constant(value) for value in values):
            continue
        operands = [
            _Operand(value=value, axes=axes, constant=is_constant(value))
            for value, axes in zip(values, equation.operands, strict=True)
        ]
        edit.replace(node, _product(edit, node, operands, equation.output))


def _product(edit: Editor, node: ir.Node, operands: list[_Operand], output: str) -> ir.Value:
    """Add nodes for all of `operands`, two at a time."""
    left = list(operands)
    while len(left) > 2:
        first, second = min(combinations(left, 2), key=lambda pair: _cost(pair, left, output))
        axes = _kept(first, second, left, output)
        made = _Operand(
            value=_pair(edit, node, (first, second), axes, f"{node.name}/pair"),
            axes=axes,
            constant=first.constant and second.constant,
        )
        left = [made if item is first else item for item in left if item is not second]
    return _pair(edit, node, (left[0], left[1]), output, str(node.name))


def _pair(
    edit: Editor, node: ir.Node, pair: tuple[_Operand, _Operand], output: str, name: str
) -> ir.Value:
    equation = Equation((pair[0].axes, pair[1].axes), output)
    inputs, attributes = [item.value for item in pair], {"equation": str(equation)}
    return edit.standard("Einsum", inputs, attributes, before=node, name=name)


def _kept(first: _Operand, second: _Operand, left: list[_Operand], output: str) -> str:
    """Return the axes of two operands that the output or another operand has as well."""
    others = [item.axes for item in left if item is not first and item is not second]
    wanted = "".join([output, *others])
    return "".join(axis for axis in dict.fromkeys(first.axes + second.axes) if axis in wanted)


def _cost(pair: tuple[_Operand, _Operand], left: list[_Operand], output: str) -> tuple[bool, int]:
    first, second = pair
    sizes = {
        axis: max(item.extents.get(axis, 1) for item in pair) for axis in first.axes + second.axes
    }
    made = int(np.prod([sizes[axis] for axis in _kept(first, second, left, output)]))
    growth = made - sum(int(np.prod(shape_of(item.value))) for item in pair)
    folds = first.constant and second.constant and growth <= 0
    return not folds, growth
