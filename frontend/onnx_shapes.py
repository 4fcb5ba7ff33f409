"""Fixed shapes for networks that leave some open."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import onnx_ir as ir

from mcc.frontend.quiet import quiet
from mcc.ir.diagnostics import error
from mcc.ir.network import infer_network, static_shape

Dims = tuple[int | None, ...]
"""The shape of an input; nothing for a size that is left open."""


def dims_of(value: ir.Value) -> Dims:
    """Read the declared shape of an input."""
    assert value.shape is not None
    return tuple(dim if isinstance(dim, int) and dim > 0 else None for dim in value.shape)


def fix_shapes(model: ir.Model, shapes: Mapping[str, Sequence[int]]) -> None:
    """Give every input its shape, and every value the shape that follows.

    Sizes that depend on data stay open inside the network, and are refused at its outputs.

    Args:
        model: Changed in place.
        shapes: The shape of every input.
    """
    graph = model.graph
    for value in graph.inputs:
        value.shape = ir.Shape(shapes[value.name or ""])
    for value in (*(out for node in graph for out in node.outputs), *graph.outputs):
        if static_shape(value) is None and not value.is_graph_input():
            value.shape = None
    infer_network(model)
    if any(static_shape(value) is None for node in graph for value in node.outputs):
        _fold(model)
    for value in graph.outputs:
        if static_shape(value) is None:
            text = f"output `{value.name}` has a size that depends on the data"
            raise error("dynamic-shape", text, "leave the operator that makes it out of the model")


def _fold(model: ir.Model) -> None:
    """Compute what follows from the shapes, so that the shapes after it follow too."""
    with quiet():
        from onnxscript import optimizer

        cast(Any, optimizer).fold_constants(model, onnx_shape_inference=True)
        infer_network(model)
