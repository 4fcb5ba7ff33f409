"""Compute at once what does not depend on the inputs."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
from onnx_ir.passes import common

from mcc.ir.diagnostics import MccError
from mcc.ir.network import (
    Editor,
    Network,
    ReferenceExecutor,
    infer_network,
    is_constant,
    static_shape,
)
from mcc.passes.attributes import integer, is_standard, required
from mcc.passes.base import PassContext
from mcc.passes.stored_weights import computed_scale, keep_scale

_NEVER = frozenset(
    """Bernoulli If Loop Multinomial Optional RandomNormal RandomNormalLike RandomUniform
    RandomUniformLike Scan SequenceMap StringNormalizer""".split()
)
_GROWTH_BYTES = 2**20
"""A fold may always grow a constant to this size; beyond it not above its operands, unless it makes
floats of stored integers."""


def fold_constants(network: Network, context: PassContext) -> None:
    """Replace everything that depends on no input by its value, shapes of static values included.

    ONNX Runtime computes the values, so folding is exact.
    """
    while True:
        infer_network(network)
        changed = _fold_shapes(network.graph)
        changed = _fold_chains(network, context) or changed
        if not changed:
            return


def _fold_shapes(graph: ir.Graph) -> bool:
    edit, changed = Editor(graph), False
    for node in list(graph):
        if not is_standard(node, "Shape", "Size") or node.outputs[0].is_graph_output():
            continue
        shape = static_shape(required(node, 0))
        if shape is None:
            continue
        if node.op_type == "Size":
            found = np.array(np.prod(shape, dtype=np.int64))
        else:
            end = integer(node, "end", len(shape))
            found = np.array(shape[integer(node, "start", 0) : end], np.int64)
        edit.replace(node, edit.constant(found, f"{node.name}.value"))
        changed = True
    return changed


def _fold_chains(network: Network, context: PassContext) -> bool:
    """Evaluate all foldable nodes in one run, and keep what others read."""
    folded = _foldable(network.graph)
    frontier = [
        value
        for node in folded
        for value in node.outputs
        if value.is_graph_output() or any(user not in folded for user in value.consumers())
    ]
    if not frontier:
        return False
    names = [value.name or "" for value in frontier]
    try:
        values = ReferenceExecutor(_extracted(network, names)).run({})
    except MccError as problem:
        message = f"constants stay unfolded, for ONNX Runtime computes them not: {problem}"
        context.report("left-on-host", message)
        return False
    edit = Editor(network.graph)
    for value in frontier:
        constant = edit.constant(values[value.name or ""], f"{value.name}.value")
        keep_scale(constant, computed_scale(value))
        _take_over(edit, value, constant)
    network.graph.remove([node for node in reversed(folded)], safe=True)
    return True


def _take_over(edit: Editor, value: ir.Value, constant: ir.Value) -> None:
    if value.is_graph_output():
        producer = value.producer()
        assert producer is not None
        constant = edit.standard("Identity", [constant], before=producer, name=f"{value.name}/id")
        ir.convenience.replace_all_uses_with(value, constant, replace_graph_outputs=True)
        name, value.name = value.name, f"{value.name}/folded"
        constant.name = name
    else:
        ir.convenience.replace_all_uses_with(value, constant)


def _foldable(graph: ir.Graph) -> dict[ir.Node, None]:
    """Collect, in order, the nodes that depend on constants only."""
    folded: dict[ir.Node, None] = {}
    for node in graph:
        if node.domain != "" or node.op_type in _NEVER or _is_output_copy(node):
            continue
        if any(isinstance(value.type, ir.SequenceType) for value in node.outputs):
            continue  # Only tensors can be stored as constants.
        inputs = [value for value in node.inputs if value is not None]
        if all(is_constant(value) or value.producer() in folded for value in inputs) and (
            _may_grow(node, inputs)
        ):
            folded[node] = None
    return folded


def _is_output_copy(node: ir.Node) -> bool:
    return node.op_type == "Identity" and node.outputs[0].is_graph_output()


def _may_grow(node: ir.Node, inputs: list[ir.Value]) -> bool:
    made = sum(_bytes(value) for value in node.outputs)
    return node.op_type == "DequantizeLinear" or made <= max(
        _GROWTH_BYTES, sum(_bytes(value) for value in inputs)
    )


def _bytes(value: ir.Value) -> int:
    shape = static_shape(value)
    if shape is None or value.dtype is None:
        return 0
    return int(np.prod(shape, dtype=np.int64) * value.dtype.itemsize)


def _extracted(network: Network, names: list[str]) -> Network:
    """Return the part of `network` that computes the named values from constants."""
    part = network.clone()
    wanted = {value.name: value for node in part.graph for value in node.outputs}
    part.graph.outputs[:] = [wanted[name] for name in names]
    common.RemoveUnusedNodesPass()(part)
    part.graph.inputs.clear()
    return part
