"""Fixed shapes for networks that leave some open."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import onnx_ir as ir

from mcc.frontend.quiet import quiet
from mcc.ir.diagnostics import Location, MccError, error
from mcc.ir.network import ReferenceExecutor, infer_network, static_shape

Dims = tuple[int | None, ...]
"""The shape of an input; nothing for a size that is left open."""

_KEEP_SHAPE = frozenset({"MeanVarianceNormalization"})
"""Operators that give the shape of their input, which neither ONNX nor ONNX Runtime infers."""


def dims_of(value: ir.Value) -> Dims:
    """Read the declared shape of an input."""
    assert value.shape is not None
    return tuple(dim if isinstance(dim, int) and dim > 0 else None for dim in value.shape)


def fix_inputs(model: ir.Model, shapes: Mapping[str, Sequence[int]]) -> None:
    """Give every input its shape, and all after it the one that follows.

    A shape that the file declares counts where none follows: ONNX Runtime does not heed it either.

    Args:
        model: Changed in place.
        shapes: The shape of every input.
    """
    graph = model.graph
    for value in graph.inputs:
        value.shape = ir.Shape(shapes[value.name or ""])
    computed = [value for node in graph for value in node.outputs]
    declared = [(value, value.shape) for value in computed if static_shape(value) is not None]
    for value in computed:
        value.shape = None
    infer_network(model)
    for value, shape in declared:
        if static_shape(value) is None:
            value.shape = shape
    infer_network(model)


def fix_shapes(model: ir.Model) -> None:
    """Give every value the shape that follows from those of the inputs.

    Sizes that depend on data stay open inside the network, and are refused at its outputs.

    Raises:
        MccError: The size of an output is open.
    """
    infer_network(model)
    for step in (_fold, _ask_runtime, _fold):
        if _open(model):
            step(model)
    for value in model.graph.outputs:
        if static_shape(value) is None:
            raise _refused(model, value)


def _open(model: ir.Model) -> list[ir.Value]:
    """List the values without a shape, in the order of their computation."""
    values = [value for node in model.graph for value in node.outputs if value.name]
    return [value for value in values if static_shape(value) is None]


def _fold(model: ir.Model) -> None:
    """Compute what follows from the shapes, so that the shapes after it follow too."""
    with quiet():
        from onnxscript import optimizer

        cast(Any, optimizer).fold_constants(model, onnx_shape_inference=True)
        infer_network(model)


def _ask_runtime(model: ir.Model) -> None:
    """Take types and shapes from ONNX Runtime, which infers them for its own operators too."""
    values = _open(model)
    found = ReferenceExecutor(model, values=[value.name or "" for value in values]).inferred()
    for value in values:
        if value.name in found:
            kind, sizes = found[value.name]
            value.type, value.shape = ir.TensorType(kind), ir.Shape(sizes)
        node = value.producer()
        if node is not None and node.op_type in _KEEP_SHAPE and node.inputs[0] is not None:
            value.type, value.shape = node.inputs[0].type, node.inputs[0].shape
    infer_network(model)


def _refused(model: ir.Model, output: ir.Value) -> MccError:
    """Name the first operator whose result has an open size, of those that lead to an output."""
    before = _leading_to(output)
    first = next(value for value in (*_open(model), output) if value.producer() in before)
    node = first.producer()
    assert node is not None
    text = f"the size of output `{output.name}` follows from no size of the inputs:"
    text += f" `{node.op_type}` decides it when it runs"
    help = "leave it out of the model; where the size is always the same, declare it in the file"
    return error("dynamic-shape", text, help, Location("", 0, node.name or ""))


def _leading_to(value: ir.Value) -> set[ir.Node | None]:
    found: set[ir.Node | None] = set()
    waiting = [value.producer()]
    while waiting:
        node = waiting.pop()
        if node is not None and node not in found:
            found.add(node)
            waiting += [item.producer() for item in node.inputs if item is not None]
    return found
