"""Operators whose meaning changed between opsets, in their old meaning and today's form.

The converter of ONNX leaves some of them with the new meaning. Those of `OLD` are hidden from it
and written anew, at the opset that it converts to, as ONNX Runtime computes them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import onnx
import onnx_ir as ir

from mcc.frontend.onnx_checks import is_known
from mcc.frontend.onnx_rewrites import (
    affine,
    batch_norm,
    crop,
    dropout,
    dynamic_slice,
    image_scaler,
    pad,
    refuse,
    resize,
    softmax,
)
from mcc.ir.diagnostics import Location, error
from mcc.ir.network import OLDEST_OPSET, inherit

HIDDEN = "mcc.old"
"""The domain of nodes that the converter must not touch."""

Rewrite = Callable[[ir.tape.Tape, ir.Node, int], Sequence[ir.Value]]
"""Writes a node of an old opset anew; returns its outputs."""


def hide(model: ir.Model, opset: int) -> None:
    """Move to another domain what the converter knows not, or wrongly. Changes `model`."""
    for node in ir.traversal.RecursiveGraphIterator(model.graph):
        if node.domain == "" and (
            _rewrite_of(node, opset) or not onnx.defs.has(node.op_type, opset, "")
        ):
            node.domain = HIDDEN
    model.graph.opset_imports[HIDDEN] = 1


def unhide(model: ir.Model, opset: int) -> None:
    """Write what was hidden anew; what nobody rewrites comes back as it was. Changes `model`.

    Args:
        model: Converted, with its hidden nodes.
        opset: The one that the hidden nodes are written for.

    Raises:
        MccError: A node has no form in newer opsets.
    """
    hidden = ir.traversal.RecursiveGraphIterator(model.graph)
    for node in [node for node in hidden if node.domain == HIDDEN]:
        node.domain = ""
        rewrite = _rewrite_of(node, opset)
        if rewrite is None and not is_known(node.op_type, OLDEST_OPSET, ""):
            rewrite = refuse
        if rewrite is not None:
            _replace(node, rewrite, opset)
    model.graph.opset_imports.pop(HIDDEN, None)


def _replace(node: ir.Node, rewrite: Rewrite, opset: int) -> None:
    tape = ir.tape.Tape()
    values = rewrite(tape, node, opset)
    for value in node.outputs[len(values) :]:
        if value.uses() or value.is_graph_output():
            text = f"output `{value.name}` of `{node.op_type}` of opset {opset} is used"
            help = "export the model without it"
            raise error("opset-unsupported", text, help, Location("", 0, node.name or ""))
    for new in tape.nodes:
        new.name = node.name
        inherit(new, node)
    assert node.graph is not None
    old = node.outputs[: len(values)]
    ir.convenience.replace_nodes_and_values(node.graph, node, [node], tape.nodes, old, values)


def _rewrite_of(node: ir.Node, opset: int) -> Rewrite | None:
    first, last, rewrite = OLD.get(node.op_type, (0, 0, None))
    return rewrite if first <= opset <= last else None


OLD: dict[str, tuple[int, int, Rewrite]] = {
    "Affine": (1, 9, affine),
    "BatchNormalization": (7, 13, batch_norm),
    "Crop": (1, 9, crop),
    "Dropout": (7, 11, dropout),
    "DynamicSlice": (1, 9, dynamic_slice),
    "Hardmax": (1, 12, softmax),
    "ImageScaler": (1, 9, image_scaler),
    "LogSoftmax": (1, 12, softmax),
    "Pad": (2, 10, pad),
    "ParametricSoftplus": (1, 9, affine),
    "Resize": (10, 10, resize),
    "ScaledTanh": (1, 9, affine),
    "Scan": (8, 8, refuse),
    "Softmax": (1, 12, softmax),
    "Upsample": (7, 9, resize),
}
"""The first and the last opset with the old meaning, and what writes it in the new form."""
