"""Older operator sets, converted where the compiler does not know them."""

from __future__ import annotations

from typing import Any, cast

import onnx_ir as ir

from mcc.frontend.capture import note
from mcc.frontend.quiet import quiet
from mcc.ir.diagnostics import Diagnostic, error
from mcc.ir.network import OLDEST_OPSET


def upgrade(model: ir.Model, file: str) -> tuple[ir.Model, list[Diagnostic]]:
    """Convert a network below the oldest opset that the passes know; leave all others.

    Raises:
        MccError: The converter does not know an operator in it.
    """
    imports = model.graph.opset_imports
    if "ai.onnx" in imports and "" not in imports:
        imports[""] = imports.pop("ai.onnx")
    version = imports.get("", OLDEST_OPSET)
    if version >= OLDEST_OPSET or not any(node.domain == "" for node in model.graph):
        imports.setdefault("", OLDEST_OPSET)
        return model, []
    try:
        with quiet():
            from onnxscript import version_converter

            cast(Any, version_converter).convert_version(model, OLDEST_OPSET, fallback=True)
    except Exception as problem:
        raise _refused(version, str(problem)) from problem
    if model.graph.opset_imports.get("") != OLDEST_OPSET:
        raise _refused(version, "the converter knows no way")
    text = f"`{file}` has opset {version} and was converted to {OLDEST_OPSET}"
    return model, [note("opset-converted", text)]


def _refused(version: int, reason: str) -> Exception:
    line = reason.strip().splitlines()[0][:200] if reason.strip() else "the converter failed"
    text = f"opset {version} cannot be converted to {OLDEST_OPSET}: {line}"
    return error("opset-unsupported", text, f"export at opset {OLDEST_OPSET} or newer")
