"""A module seen as a function from a row of tensors to a row of tensors."""

from __future__ import annotations

from typing import Any, final

import torch
from torch import fx
from torch.fx import traceback
from torch.utils import _pytree as pytree

from mcc.frontend.torch_call import Call
from mcc.frontend.torch_structure import describe
from mcc.ir.structure import Structure

PREFIX = "module."
"""What stands before the user's parameter names inside `Flat`."""


@final
class Flat(torch.nn.Module):
    """Calls the user's module and remembers the structure of what it returned."""

    structure: Structure

    def __init__(self, module: torch.nn.Module, call: Call) -> None:
        super().__init__()
        self.module = module
        self.call = call

    def forward(self, *tensors: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Call the module and return its tensors in order."""
        args, kwargs = self.call.arguments(tensors)
        if isinstance(self.module, fx.GraphModule) and torch.compiler.is_exporting():
            result = _interpret(self.module, args, kwargs)
        else:
            result = self.module(*args, **kwargs)
        leaves: list[torch.Tensor] = []
        self.structure = describe(result, "", "output-unsupported", leaves)
        return tuple(leaves)


def _interpret(module: fx.GraphModule, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Run the graph node by node, so that the trace keeps the source lines of its nodes."""
    spec: Any = getattr(module, "_in_spec", None)
    if spec is None:
        flat = [*args, *kwargs.values()]
        with traceback.preserve_node_meta():
            return fx.Interpreter(module).run(*flat)
    ordered = {name: kwargs[name] for name in spec.children_specs[1].context or ()}
    flat = pytree.tree_leaves((args, ordered), is_leaf=lambda leaf: leaf is None)
    with traceback.preserve_node_meta():
        found = fx.Interpreter(module).run(*flat, enable_io_processing=False)
    return module.graph.process_outputs(found)
