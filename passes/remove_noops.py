"""Remove what changes nothing, and what nobody reads."""

from __future__ import annotations

import onnx_ir as ir
from onnx_ir.passes import common

from mcc.ir.network import Editor, Network, constant_of, static_shape
from mcc.passes.attributes import integer, integers, is_standard, operand, required
from mcc.passes.base import PassContext


def remove_noops(network: Network, context: PassContext) -> None:
    """Remove identities, inference dropout, casts and reshapes to what is there. Exact."""
    edit = Editor(network.graph)
    for node in list(network.graph):
        if is_standard(node, "Dropout"):
            _remove_dropout(edit, node, context)
        elif node.domain == "" and _is_noop(node) and not node.outputs[0].is_graph_output():
            edit.replace(node, required(node, 0))


def remove_dead_code(network: Network) -> None:
    """Remove nodes, constants, functions and opsets that nobody uses. Exact."""
    common.RemoveUnusedNodesPass()(network)
    common.RemoveUnusedFunctionsPass()(network)
    common.RemoveUnusedOpsetsPass()(network)


def _remove_dropout(edit: Editor, node: ir.Node, context: PassContext) -> None:
    training = operand(node, 2)
    flag = constant_of(training)
    if training is not None and (flag is None or bool(flag)):
        context.report("left-on-host", f"dropout `{node.name}` is in training mode", node)
        return
    if len(node.outputs) > 1 and (node.outputs[1].uses() or node.outputs[1].is_graph_output()):
        context.report("left-on-host", f"the mask of dropout `{node.name}` is used", node)
        return
    node.resize_outputs(1)
    edit.replace(node, required(node, 0))


def _is_noop(node: ir.Node) -> bool:
    kind, source, result = node.op_type, operand(node, 0), node.outputs[0]
    if source is None:
        return False
    before, after = static_shape(source), static_shape(result)
    same_shape = before is not None and before == after
    match kind:
        case "Identity":
            return True
        case "Cast":
            return source.dtype == result.dtype
        case "Reshape" | "Expand" | "Flatten" | "Squeeze" | "Unsqueeze" | "Tile":
            return same_shape
        case "Transpose":
            perm = integers(node, "perm", tuple(reversed(range(len(before or ())))))
            return perm == tuple(range(len(perm)))
        case "Concat" | "Sum" | "Max" | "Min" | "Mean":
            return len(node.inputs) == 1
        case "Pad":
            pads = constant_of(operand(node, 1))
            return pads is not None and not pads.any()
        case "AveragePool" | "MaxPool":
            return integer(node, "storage_order", 0) == 0 and _single_tap(node, same_shape)
        case _:
            return False


def _single_tap(node: ir.Node, same_shape: bool) -> bool:
    """Whether a pooling looks at one element at a time, and at every one."""
    lone = set(integers(node, "kernel_shape", (2,))) == {1}
    return lone and same_shape and len(node.outputs) == 1 and not any(integers(node, "pads", ()))
