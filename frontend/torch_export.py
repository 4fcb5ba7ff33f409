"""Exporting a module and converting the program to ONNX, each with a reason when it fails."""

from __future__ import annotations

import re
import traceback
from collections.abc import Sequence
from typing import Any, cast

import onnx_ir as ir
import torch
from torch import fx
from torch.export import ExportedProgram

from mcc.frontend.quiet import quiet
from mcc.frontend.sources import location_in_traceback
from mcc.frontend.torch_decompositions import decompose
from mcc.frontend.torch_effects import location_of_node, operator_name
from mcc.frontend.torch_flat import Flat
from mcc.ir.diagnostics import NOWHERE, MccError, error

OPSETS = (23, 20, 18)
"""The main level first, then those that still have what the main level lost."""


def export(flat: Flat, tensors: Sequence[torch.Tensor]) -> ExportedProgram:
    """Trace a module for inputs of exactly these shapes.

    Raises:
        MccError: The module cannot be traced, with the line that torch stumbled over.
    """
    copies = tuple(tensor.clone() for tensor in tensors)
    try:
        with quiet(), torch.no_grad():
            return torch.export.export(flat, copies, strict=False)
    except MccError:
        raise
    except Exception as problem:
        raise _refusal(problem) from problem


def convert(program: ExportedProgram, opset: int) -> ir.Model:
    """Convert a program to ONNX, an operator of torch at a time.

    Torch changes the program on the way, so use a fresh one. Its optimizer is left out: it folds
    batch norms, and gives what it fuses the source line of one origin only.

    Raises:
        MccError: An operator has no translation.
    """
    try:
        with quiet(), torch.no_grad():
            result = cast(Any, torch.onnx).export(
                decompose(program), dynamo=True, opset_version=opset, optimize=False, verbose=False
            )
    except Exception as problem:
        raise _untranslated(problem) from problem
    return result.model


def _refusal(problem: Exception) -> MccError:
    return error(
        "capture-failed",
        f"torch cannot export the module: {_first_line(str(problem)) or type(problem).__name__}",
        "rewrite the construct, for example with `torch.cond` for a decision on tensor values",
        location_in_traceback(problem.__traceback__),
    )


def _untranslated(problem: Exception) -> MccError:
    chain = _chain(problem)
    node = next((node for item in reversed(chain) if (node := _node_at_hand(item))), None)
    place = NOWHERE if node is None else location_of_node(node)
    if node is not None and any(type(item).__name__ == "DispatchError" for item in chain):
        text = f"`{operator_name(node)}` has no translation to ONNX"
        return error("operator-untranslated", text, "write it with other operators", place)
    reason = _first_line(str(chain[-1]))
    text = f"torch cannot convert the program to ONNX: {reason}"
    return error("capture-failed", text, "write that part of the module otherwise", place)


def _node_at_hand(problem: BaseException) -> fx.Node | None:
    """Find the node that torch was translating; it is a decomposed one, and on no record."""
    found = None
    for frame, _ in traceback.walk_tb(problem.__traceback__):
        node = frame.f_locals.get("node")
        found = node if isinstance(node, fx.Node) else found
    return found


def _chain(problem: BaseException) -> list[BaseException]:
    chain = [problem]
    while chain[-1].__cause__ is not None:
        chain.append(chain[-1].__cause__)
    return chain


def _first_line(text: str) -> str:
    """Take the first sentence that says something, without the colors torch puts around it."""
    plain = re.sub(r"\x1b\[[0-9;]*m", "", text)
    lines = [line.strip() for line in plain.splitlines()]
    return next((line for line in lines if line), "").rstrip(".")[:300]
