"""DepthToSpace and SpaceToDepth become a change of shape around a Transpose."""

from __future__ import annotations

import onnx_ir as ir

from mcc.ir.network import Editor, Network, shape_of, static_shape
from mcc.passes.attributes import integer, is_standard, required, text
from mcc.passes.base import PassContext
from mcc.passes.lower_products import reshape, transpose


def lower_shuffles(network: Network, context: PassContext) -> None:
    """Lower DepthToSpace and SpaceToDepth. Exact."""
    edit = Editor(network.graph)
    for node in list(network.graph):
        shapes = [static_shape(value) for value in (*node.inputs[:1], *node.outputs[:1]) if value]
        if None in shapes:
            continue
        if is_standard(node, "DepthToSpace"):
            _to_space(edit, node)
        elif is_standard(node, "SpaceToDepth"):
            _to_depth(edit, node)


def _to_space(edit: Editor, node: ir.Node) -> None:
    images, channels, height, width = shape_of(required(node, 0))
    block = integer(node, "blocksize", 1)
    kept = channels // block**2
    if text(node, "mode", "DCR") == "CRD":
        split, perm = (images, kept, block, block, height, width), (0, 1, 4, 2, 5, 3)
    else:
        split, perm = (images, block, block, kept, height, width), (0, 3, 4, 1, 5, 2)
    _shuffle(edit, node, split, perm)


def _to_depth(edit: Editor, node: ir.Node) -> None:
    images, channels, height, width = shape_of(required(node, 0))
    block = integer(node, "blocksize", 1)
    split = (images, channels, height // block, block, width // block, block)
    _shuffle(edit, node, split, (0, 3, 5, 1, 2, 4))


def _shuffle(edit: Editor, node: ir.Node, split: tuple[int, ...], perm: tuple[int, ...]) -> None:
    name, target = str(node.name), shape_of(node.outputs[0])
    apart = reshape(edit, node, required(node, 0), split, name)
    mixed = transpose(edit, node, apart, perm, name)
    edit.replace(node, reshape(edit, node, mixed, target, name))
