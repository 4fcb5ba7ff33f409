"""What an exported program does besides computing its outputs from its inputs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import fx
from torch.export import ExportedProgram

from mcc.frontend.sources import location_in_trace
from mcc.frontend.torch_flat import PREFIX
from mcc.ir.diagnostics import Diagnostic, Location

_RANDOM = {"rrelu", "rrelu_", "feature_dropout", "feature_alpha_dropout"}
"""Random operators that torch does not tag as such."""

_TRAINED = {"batch_norm", "native_batch_norm", "cudnn_batch_norm", "_native_batch_norm_legit"}


def random_operators(program: ExportedProgram) -> list[Diagnostic]:
    """Find operators that draw random numbers."""
    return [
        Diagnostic(
            "random-operator",
            f"`{operator_name(node)}` draws random numbers in every call",
            "take it out for inference, or make its numbers an input of the module",
            location_of_node(node),
        )
        for node in _operators(program)
        if _is_random(node)
    ]


def training_operators(program: ExportedProgram) -> list[Diagnostic]:
    """Find normalizations that use the statistics of the batch they are given."""
    return [
        Diagnostic(
            "training-mode",
            f"`{operator_name(node)}` normalizes with the statistics of the batch",
            "keep running statistics, and do not force training mode in `forward`",
            location_of_node(node),
        )
        for node in _operators(program)
        if _base_name(node) in _TRAINED and _argument(node, "training", "train") is True
    ]


def half_operators(program: ExportedProgram) -> list[Diagnostic]:
    """Say where the computation is in half precision, as inside of an autocast."""
    found = [(node, dtype) for node in _operators(program) if (dtype := _half(node))]
    return [
        Diagnostic(
            "dtype-unsupported",
            f"`{operator_name(node)}` computes in {dtype} (operators that do: {len(found)})",
            "compute in float32: leave out `torch.autocast`, `.half()` and `.bfloat16()`",
            location_of_node(node),
        )
        for node, dtype in found[:1]
    ]


def operator_name(node: fx.Node) -> str:
    """Name the operator of a node as torch does, such as `aten.linear`."""
    return str(node.target).removesuffix(".default")


def location_of_node(node: fx.Node) -> Location:
    """Say where in the user's source a node was made."""
    stack: dict[str, Any] = node.meta.get("nn_module_stack") or {}
    paths = [str(item[0]) for item in stack.values() if item[0]]
    module = paths[-1] if paths else ""
    module = "" if module == PREFIX.rstrip(".") else module.removeprefix(PREFIX)
    return location_in_trace(node.meta.get("stack_trace") or "", module)


def _operators(program: ExportedProgram) -> Iterator[fx.Node]:
    for part in program.graph_module.modules():
        if isinstance(part, fx.GraphModule):
            for node in part.graph.nodes:
                if isinstance(node.target, torch._ops.OpOverload):  # pyright: ignore[reportPrivateUsage]
                    yield node


def _half(node: fx.Node) -> str:
    """Name the type of the result of a node if it has half precision or less."""
    dtype = getattr(node.meta.get("val"), "dtype", None)
    small = isinstance(dtype, torch.dtype) and dtype.is_floating_point and dtype.itemsize < 4
    return str(dtype).removeprefix("torch.") if small else ""


def _base_name(node: fx.Node) -> str:
    return str(getattr(node.target, "_opname", ""))


def _argument(node: fx.Node, *names: str) -> Any:
    """Read the first argument that the operator has under one of `names`."""
    schema: Any = getattr(node.target, "_schema", None)
    for index, argument in enumerate(schema.arguments):
        if argument.name in names:
            if index < len(node.args):
                return node.args[index]
            return node.kwargs.get(argument.name, argument.default_value)
    return None


def _is_random(node: fx.Node) -> bool:
    tags: Any = getattr(node.target, "tags", ())
    chance = _argument(node, "dropout_p", "p", "dropout")
    if _base_name(node) == "scaled_dot_product_attention":
        return bool(chance)
    if torch.Tag.nondeterministic_seeded not in tags and _base_name(node) not in _RANDOM:
        return False
    training = _argument(node, "train", "training")
    return training is not False and chance != 0
