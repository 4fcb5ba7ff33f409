"""Older operator sets, converted where the compiler does not know them."""

from __future__ import annotations

import onnx
import onnx.version_converter
import onnx_ir as ir
from onnx_ir.passes import common

from mcc.frontend.capture import note
from mcc.frontend.onnx_upgrade import hide, unhide
from mcc.frontend.quiet import quiet
from mcc.ir.diagnostics import Diagnostic, MccError, error
from mcc.ir.network import OLDEST_OPSET

_SMALL = 1024
"""Bytes of a constant that the converter is given: it looks at sizes and axes, not at weights."""


def upgrade(model: ir.Model, file: str) -> tuple[ir.Model, list[Diagnostic]]:
    """Convert a network below the oldest opset that the passes know; leave all others.

    Args:
        model: Changed in place; has no functions of standard operators.
        file: What to call the model.

    Raises:
        MccError: An operator in it has no form in the newer opset.
    """
    imports = model.graph.opset_imports
    version = imports.setdefault("", OLDEST_OPSET)
    if version >= OLDEST_OPSET:
        return model, []
    try:
        with quiet():
            hide(model, version)
            _convert(model)
            unhide(model, version)
            common.RemoveUnusedNodesPass()(model)
    except MccError:
        raise
    except Exception as problem:
        raise unconverted(version, str(problem)) from problem
    text = f"`{file}` has opset {version} and was converted to {OLDEST_OPSET}"
    return model, [note("opset-converted", text)]


def unconverted(version: int, reason: str) -> MccError:
    """Say why a network of an old opset is refused."""
    line = reason.strip().splitlines()[0][:200] if reason.strip() else "the converter failed"
    text = f"opset {version} cannot be converted to {OLDEST_OPSET}: {line}"
    return error("opset-unsupported", text, f"export at opset {OLDEST_OPSET} or newer")


def _convert(model: ir.Model) -> None:
    """Run the converter of ONNX, without the weights: it knows only models below 2 GB."""
    graph = model.graph
    count = len(graph.inputs)
    tensors = {name: value.const_value for name, value in graph.initializers.items()}
    for value in list(graph.initializers.values()):
        tensor = value.const_value
        assert tensor is not None
        value.type, value.shape = ir.TensorType(tensor.dtype), ir.Shape(tensor.numpy().shape)
        graph.inputs.append(value)
        if tensor.nbytes > _SMALL:
            del graph.initializers[value.name or ""]
    proto = onnx.version_converter.convert_version(ir.to_proto(model), OLDEST_OPSET)
    model.graph = ir.from_proto(proto).graph
    inputs = list(model.graph.inputs)
    for value in inputs[count:]:
        value.const_value = tensors[value.name or ""]
        model.graph.register_initializer(value)
    del model.graph.inputs[count:]
