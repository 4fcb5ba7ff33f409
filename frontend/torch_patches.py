"""Known constructs that torch cannot export, and what to run in their place.

A patch changes only the private copy that is exported; the result is compared with the module as
the user gave it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, cast, final

import torch

from mcc.frontend.capture import note
from mcc.ir.diagnostics import Diagnostic

_DENSE = "mcc_dense_experts"


@final
@dataclass(frozen=True)
class Patch:
    """One construct: `apply` patches a copy and returns how to undo what is not in the copy."""

    name: str
    message: str | None
    """What the user reads; nothing where it is the same computation."""
    apply: Callable[[torch.nn.Module], Callable[[], None] | None]
    """Returns nothing where the module does not have the construct."""


def caches_off(module: torch.nn.Module) -> bool:
    """Turn off the key and value caches of transformers models; tell whether any was on."""
    changed = False
    for config in _configs(module):
        if getattr(config, "use_cache", False):
            config.use_cache = False
            changed = True
    return changed


@contextmanager
def patched(module: torch.nn.Module) -> Generator[tuple[Diagnostic, ...]]:
    """Apply every patch that fits a private copy, for as long as it is exported."""
    findings: list[Diagnostic] = []
    with ExitStack() as stack:
        for patch in PATCHES:
            undo = patch.apply(module)
            if undo is None:
                continue
            stack.callback(undo)
            if patch.message is not None:
                findings.append(note("capture-patched", patch.message))
        yield tuple(findings)


def dense_experts(
    self: Any, hidden: torch.Tensor, chosen: torch.Tensor, weights: torch.Tensor
) -> torch.Tensor:
    """Run every expert on every token and keep what the router chose.

    hidden: (tokens, rows)
    chosen: (tokens, k) numbers of the experts
    weights: (tokens, k)
    """
    experts = torch.arange(self.num_experts, device=chosen.device)
    share = ((chosen[..., None] == experts) * weights[..., None]).sum(dim=1).to(hidden.dtype)
    result = torch.zeros_like(hidden)
    for index in range(int(self.num_experts)):
        result = result + _expert(self, hidden, index) * share[:, index : index + 1]
    return result


def _expert(self: Any, hidden: torch.Tensor, index: int) -> torch.Tensor:
    name = "gate_up_proj" if self.has_gate else "up_proj"
    inner = _linear(self, hidden, name, index)
    inner = self._apply_gate(inner) if self.has_gate else self.act_fn(inner)
    result = _linear(self, inner, "down_proj", index)
    return self.post_expert_norm(result) if self.has_post_expert_norm else result


def _linear(self: Any, x: torch.Tensor, name: str, index: int) -> torch.Tensor:
    weight = getattr(self, name)[index]
    bias = getattr(self, f"{name}_bias")[index] if self.has_bias else None
    return torch.nn.functional.linear(x, weight.T if self.is_transposed else weight, bias)


def _patch_experts(module: torch.nn.Module) -> Callable[[], None] | None:
    parts = [part for part in module.modules() if hasattr(part, "_is_expert_parallel")]
    moe: Any = sys.modules.get("transformers.integrations.moe")
    if not parts or moe is None:
        return None
    for part in parts:
        part.config._experts_implementation_internal = _DENSE  # type: ignore[union-attr]
    registry = moe.ALL_EXPERTS_FUNCTIONS
    registry.register(_DENSE, dense_experts)
    return lambda: registry._global_mapping.pop(_DENSE, None)


def _patch_causal_hint(module: torch.nn.Module) -> Callable[[], None] | None:
    """Let transformers use a mask without looking whether it is the causal one.

    The answer only chooses a faster kernel; asking it is a decision on tensor values.
    """
    kinds = (torch.nn.TransformerEncoder, torch.nn.TransformerDecoder)
    if not any(isinstance(part, kinds) for part in module.modules()):
        return None
    home: Any = torch.nn.modules.transformer
    original = home._detect_is_causal_mask

    def hinted(mask: object, is_causal: bool | None = None, size: int | None = None) -> bool:
        return is_causal is True

    def undo() -> None:
        home._detect_is_causal_mask = original

    home._detect_is_causal_mask = hinted
    return undo


def _patch_fake_quantize(module: torch.nn.Module) -> Callable[[], None] | None:
    """Let modules of fake quantization whose observers are off read their switches only once.

    They ask tensors in every call, which is a decision on tensor values.
    """
    home: Any = sys.modules.get("torch.ao.quantization.fake_quantize")
    if home is None:
        return None
    kinds = [part for part in module.modules() if isinstance(part, home.FakeQuantize)]
    settled = [part for part in cast("list[Any]", kinds) if not int(part.observer_enabled[0])]
    for part in settled:
        part.forward = partial(_fake_quantize, part, bool(part.fake_quant_enabled[0]))
    return (lambda: None) if settled else None


def _fake_quantize(part: Any, enabled: bool, x: torch.Tensor) -> torch.Tensor:
    if not enabled:
        return x
    observer, scale, zero = part.activation_post_process, part.scale, part.zero_point
    limits = (observer.quant_min, observer.quant_max)
    if part.is_per_channel:
        return torch.fake_quantize_per_channel_affine(x, scale, zero, part.ch_axis, *limits)
    return torch.fake_quantize_per_tensor_affine(x, scale.reshape(()), zero.reshape(()), *limits)


def _configs(module: torch.nn.Module) -> Iterator[Any]:
    """Walk the configurations of a transformers model and those inside them."""
    seen: set[int] = set()
    waiting: list[Any] = [getattr(part, "config", None) for part in module.modules()]
    while waiting:
        config = waiting.pop()
        if id(config) in seen or not hasattr(config, "model_type"):
            continue
        seen.add(id(config))
        yield config
        waiting += list(cast("dict[str, Any]", vars(config)).values())


PATCHES: tuple[Patch, ...] = (
    Patch(
        "experts",
        "every expert runs on every token, and the router's choice is applied afterwards",
        _patch_experts,
    ),
    Patch("causal hint", None, _patch_causal_hint),
    Patch("fake quantization", None, _patch_fake_quantize),
)
