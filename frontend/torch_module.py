"""A private copy of the user's module, so that nothing of theirs is changed."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any, cast

import torch

from mcc.frontend.quiet import quiet
from mcc.ir.diagnostics import error


def isolate(module: torch.nn.Module, share: bool = True) -> torch.nn.Module:
    """Copy a module in evaluation mode.

    Args:
        module: Left as it is.
        share: Whether the copy has the parameters of the module itself; all else is copied.

    Raises:
        MccError: The module cannot be copied, has no values yet, or stays in training mode.
    """
    module = getattr(module, "_orig_mod", module)
    refuse_meta(module)
    try:
        with quiet():
            duplicate = copy.deepcopy(module, _shared(module, share))
    except Exception as problem:
        name = type(module).__name__
        text = f"{name} cannot be copied, and is not touched itself: {problem}"
        raise error("module-not-copyable", text, "remove what cannot be copied") from problem
    if any(tensor.device.type != "cpu" for tensor in state_of(duplicate)):
        duplicate = copy.deepcopy(module).to("cpu")
    duplicate.eval()
    refuse_training(duplicate)
    return duplicate


def state_of(module: torch.nn.Module) -> tuple[torch.Tensor, ...]:
    """List the parameters and buffers of a module."""
    return (*module.parameters(), *module.buffers())


def versions_of(module: torch.nn.Module) -> dict[str, int]:
    """Count the in-place changes that each parameter has seen."""
    named = module.named_parameters(remove_duplicate=False)
    return {name: int(tensor._version) for name, tensor in named}  # pyright: ignore[reportPrivateUsage]


def refuse_meta(module: torch.nn.Module) -> None:
    """Refuse a module whose weights were never given values."""
    named = (*module.named_parameters(), *module.named_buffers())
    lazy = cast(Any, torch.nn.parameter).is_lazy
    empty = [name for name, tensor in named if lazy(tensor) or tensor.is_meta]
    if empty:
        text = f"tensors of the module have no values: {', '.join(empty[:3])}"
        text += f" and {len(empty) - 3} more" if len(empty) > 3 else ""
        help = "load the weights before compiling; a lazy module gets its own by being called once"
        raise error("module-empty", text, help)


def refuse_training(module: torch.nn.Module) -> None:
    """Refuse a module that `eval()` does not put into evaluation mode."""
    parts = dict(cast("Iterator[tuple[str, torch.nn.Module]]", module.named_modules()))
    still = [name or type(module).__name__ for name, item in parts.items() if item.training]
    if still:
        text = f"`{still[0]}` stays in training mode after `eval()`"
        raise error("training-mode", text, "let its `train` method pass the mode on")


def _shared(module: torch.nn.Module, share: bool) -> dict[int, Any]:
    """Prefill the memory of `deepcopy`: shared parameters stand for themselves.

    Tensors that were computed, such as the weight of the older weight norm, cannot be copied by
    torch and are replaced by their values; the module computes them anew.
    """
    memory: dict[int, Any] = {id(item): item for item in module.parameters() if share}
    for part in module.modules():
        for value in vars(part).values():
            if isinstance(value, torch.Tensor) and not value.is_leaf:
                memory[id(value)] = value.detach().clone()
    return memory
