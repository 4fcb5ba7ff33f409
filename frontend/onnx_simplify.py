"""Bring what torch's exporter writes into the standard's own operators."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import onnx_ir as ir
from onnx_ir.passes import common

from mcc.frontend.quiet import quiet
from mcc.ir.diagnostics import error
from mcc.ir.network import locate, locations_of

_RULES = """
mul_by_1 add_0 sub_0 div_by_1 dropout_zero dropout_inference two_reshapes_matmul_reshape
one_reshape_matmul_reshape cast_constant_of_shape cast_constant_of_shape_without_value
collapse_slice collapse_slice2 materialize_reshape_shape min_min max_max min_max max_min
successive_relu successive_clip_relu successive_relu_clip successive_clip cast_cast no_op_cast
no_op_expand flatten_to_reshape reshape_reshape slice_split no_op_transpose transpose_transpose
unsqueeze_unsqueeze squeeze_reshape_1d no_op_dynamic_scatter_nd no_op_static_scatter_nd
normalize_pad_format_conv fuse_pad_into_conv remove_optional_bias_from_conv
remove_optional_bias_from_conv_transpose remove_optional_bias_from_gemm
""".split()
"""The exporter's own list without batch norms: those are folded by a pass, under a certificate."""
_ORIGIN = "mcc.origin."
_ROUNDS = 2
"""As many as the exporter's own optimizer does."""


def inline(model: ir.Model) -> None:
    """Replace calls of the model's own functions by what they compute. Changes `model`."""
    if model.functions:
        common.InlinePass()(model)


def simplify(model: ir.Model) -> None:
    """Fold constants, remove what does nothing, and make whole norms and rotations of their parts.

    Every weight stays what it is. A fused node has the locations of all its origins, of which the
    last operator's comes first.

    Args:
        model: Changed in place; has no functions, and its nodes have their locations.

    Raises:
        MccError: `capture-failed` where the rewriting breaks.
    """
    nodes = list(ir.traversal.RecursiveGraphIterator(model.graph))
    places = [locations_of(node) for node in nodes]
    readers = _only_readers(nodes)
    for index, node in enumerate(nodes):
        node.metadata_props.clear()
        # Rewriting unites the keys of the nodes that it fuses, and keeps one value of each.
        node.metadata_props[f"{_ORIGIN}{index}"] = str(index)
    try:
        with quiet():
            _rewrite(model)
    except Exception as problem:
        text = f"the converted network cannot be simplified: {problem}"
        raise error("capture-failed", text, "write that part of the module otherwise") from problem
    for node in ir.traversal.RecursiveGraphIterator(model.graph):
        keys = [key for key in node.metadata_props if key.startswith(_ORIGIN)]
        origins = [int(node.metadata_props[key]) for key in keys] or _replaced(node, readers)
        node.metadata_props.clear()
        locate(node, *(place for index in origins for place in places[index]))
        for value in node.outputs:
            value.metadata_props.clear()


def _only_readers(nodes: Sequence[ir.Node]) -> dict[str, int]:
    """Map a value to the index of the node of which it is the first operand, where that is one."""
    found: dict[str, list[int]] = {}
    for index, node in enumerate(nodes):
        for value in node.inputs[:1]:
            if value is not None and value.name:
                found.setdefault(value.name, []).append(index)
    return {name: indices[0] for name, indices in found.items() if len(indices) == 1}


def _replaced(node: ir.Node, readers: dict[str, int]) -> list[int]:
    """Find the node in whose place folding has put `node`: it read the same value."""
    source = node.inputs[0] if node.inputs else None
    index = readers.get(source.name or "") if source is not None else None
    return [] if index is None else [index]


def _rewrite(model: ir.Model) -> None:
    """Do what the exporter's optimizer does, with other rules."""
    from onnxscript import optimizer, rewriter
    from onnxscript.rewriter import onnx_fusions
    from onnxscript.rewriter.rules import common as rules

    chosen = [cast(Any, rules).__dict__[f"{name}_rule"] for name in _RULES]
    for _ in range(_ROUNDS):
        cast(Any, optimizer).fold_constants(model, onnx_shape_inference=True)
        rewriter.RewritePass(chosen)(model)
        _apply(model, _UNUSED)
    _apply(model, _TIDY)
    cast(Any, onnx_fusions).fuse(model)


def _apply(model: ir.Model, passes: Sequence[ir.passes.InPlacePass]) -> None:
    for item in passes:
        item(model)


_UNUSED = (
    common.RemoveUnusedNodesPass(),
    common.RemoveUnusedFunctionsPass(),
    common.RemoveUnusedOpsetsPass(),
)
_TIDY = (
    common.LiftConstantsToInitializersPass(lift_all_constants=True, size_limit=0),
    common.LiftSubgraphInitializersToMainGraphPass(),
    common.DeduplicateInitializersPass(),
    common.CommonSubexpressionEliminationPass(),
    common.OutputFixPass(),
    common.NameFixPass(),
)
