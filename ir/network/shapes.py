"""Types and shapes of computed values."""

from __future__ import annotations

import onnx
import onnx.checker
import onnx.helper
import onnx.shape_inference
import onnx_ir as ir
from onnx_ir import serde

from mcc.ir.network.operators import view_of

_SMALL = 1024
"""Inference reads shapes, axes and the like: constants with few elements."""


def infer_network(network: ir.Model, again: bool = False) -> ir.Model:
    """Give the values of `network` their types and shapes as far as they follow, in place.

    Args:
        network: what to annotate.
        again: infer also where a type and a static shape are already there.
    """
    opsets = dict(network.graph.opset_imports)
    for node in network.graph:
        if again or any(not _known(value) for value in node.outputs):
            infer(node, opsets)
    return network


def infer(node: ir.Node, opsets: dict[str, int]) -> None:
    """Give the outputs of `node` their types and shapes as far as they follow from its inputs.

    Outputs of operators that nobody here knows stay as they are.
    """
    view = view_of(node)
    if view is not None:
        dtype, shape = view.result()
        node.outputs[0].type, node.outputs[0].shape = ir.TensorType(dtype), ir.Shape(shape)
        return
    opset = opsets.get(node.domain, 0)
    if not opset or not onnx.defs.has(node.op_type, opset, node.domain):
        return
    inferred = _inferred(node, opset)
    for output in node.outputs:
        found = inferred.get(output.name or "")
        if found is None or not found.WhichOneof("value"):
            continue
        output.type = serde.deserialize_type_proto_for_type(found)
        shape = serde.deserialize_type_proto_for_shape(found)
        output.shape = output.shape if shape is None else shape


def _known(value: ir.Value) -> bool:
    return value.type is not None and value.shape is not None and value.shape.is_static()


def _inferred(node: ir.Node, opset: int) -> dict[str, onnx.TypeProto]:
    schema = onnx.defs.get_schema(node.op_type, opset, node.domain)
    values = [value for value in node.inputs if value is not None and value.name]
    types = {
        value.name or "": serde.serialize_value(value).type
        for value in values
        if value.type is not None
    }
    data = {
        value.name or "": _tensor_proto(value.const_value)
        for value in values
        if value.const_value is not None and value.const_value.size <= _SMALL
    }
    if len(types) != len({value.name for value in values}):
        return {}
    imports = [onnx.helper.make_opsetid(node.domain, opset)]
    try:
        return onnx.shape_inference.infer_node_outputs(
            schema, serde.serialize_node(node), types, data, None, imports
        )
    except (onnx.shape_inference.InferenceError, onnx.checker.ValidationError):
        return {}


def _tensor_proto(tensor: ir.TensorProtocol) -> onnx.TensorProto:
    return serde.serialize_tensor(tensor)
