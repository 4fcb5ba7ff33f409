"""Operators whose result is a strided view of their operand, so that nothing is copied."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import onnx_ir as ir

from mcc.backends.crossbar.views import View
from mcc.ir.network.values import Array, constant_of, shape_of

RESHAPES = frozenset({"Flatten", "Identity", "Reshape", "Squeeze", "Unsqueeze"})
"""Their result is the operand's elements in the same order."""


def is_alias(node: ir.Node) -> bool:
    """Whether the results of a node are views of its first operand."""
    return not node.domain and (node.op_type in RESHAPES or node.op_type in _VIEWS)


def view_results(node: ir.Node, source: View) -> list[View] | None:
    """Return the results as views of the operand; None where its elements must be copied first."""
    if node.op_type in RESHAPES:
        found = source.reshape(shape_of(node.outputs[0]))
        return None if found is None else [found]
    return _VIEWS[node.op_type](node, source)


def _transpose(node: ir.Node, source: View) -> list[View]:
    rank = len(source.shape)
    return [source.transpose(node.attributes.get_ints("perm", list(range(rank))[::-1]))]


def _expand(node: ir.Node, source: View) -> list[View]:
    return [source.broadcast(shape_of(node.outputs[0]))]


def _split(node: ir.Node, source: View) -> list[View]:
    axis = node.attributes.get_int("axis", 0) % len(source.shape)
    found: list[View] = []
    start = 0
    for value in node.outputs:
        count = shape_of(value)[axis]
        found.append(source.slice(axis, start, count))
        start += count
    return found


def _slice(node: ir.Node, source: View) -> list[View]:
    starts, axes, steps = _parameter(node, 1), _parameter(node, 3), _parameter(node, 4)
    assert starts is not None, f"{node.name}: the starts are computed"
    axes = range(len(starts)) if axes is None else axes
    steps = [1] * len(starts) if steps is None else steps
    view, shape = source, shape_of(node.outputs[0])
    for start, axis, step in zip(starts, axes, steps, strict=True):
        dim = int(axis) % len(source.shape)
        size = source.shape[dim]
        first = min(max(int(start) + (size if start < 0 else 0), 0), size)
        view = view.slice(dim, first, shape[dim], int(step))
    return [view]


def _parameter(node: ir.Node, index: int) -> Array | Sequence[int] | None:
    if len(node.inputs) <= index:
        return None
    return constant_of(node.inputs[index])


_VIEWS: dict[str, Callable[[ir.Node, View], list[View]]] = {
    "Expand": _expand,
    "Slice": _slice,
    "Split": _split,
    "Transpose": _transpose,
}
