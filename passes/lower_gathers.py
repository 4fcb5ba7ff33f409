"""Gather at constant places in regular steps becomes Slice, which moves nothing on the chip."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from mcc.ir.network import Editor, Network, constant_of, shape_of, static_shape
from mcc.passes.attributes import integer, is_standard, operand, required
from mcc.passes.base import PassContext
from mcc.passes.lower_products import reshape


def lower_gathers(network: Network, context: PassContext) -> None:
    """Lower Gather of one element, or of some in regular forward steps, of an axis. Exact."""
    edit = Editor(network.graph)
    for node in list(network.graph):
        if is_standard(node, "Gather"):
            _lower(edit, node)


def _lower(edit: Editor, node: ir.Node) -> None:
    x, places = required(node, 0), constant_of(operand(node, 1))
    shape = static_shape(x)
    if shape is None or places is None or not places.size:
        return
    axis = integer(node, "axis", 0) % len(shape)
    flat = np.where(places < 0, places + shape[axis], places).ravel()
    steps = np.unique(np.diff(flat))
    if len(steps) > 1 or (steps <= 0).any():
        return
    name = str(node.name)
    step = steps if len(steps) else np.ones(1)
    ends = [flat[:1], flat[-1:] + 1, np.array([axis]), step]
    inputs = [edit.constant(end.astype(np.int64), f"{name}.slice") for end in ends]
    part = edit.standard("Slice", [x, *inputs], before=node, name=name)
    edit.replace(node, reshape(edit, node, part, shape_of(node.outputs[0]), name))
