"""Modules for the trained weights in ../shared/data/models."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import nn
from torch.nn import functional

DATA = Path(__file__).parents[3] / "shared" / "data"
from_numpy: Any = cast(Any, torch).from_numpy


def arrays(name: str) -> dict[str, torch.Tensor]:
    with np.load(DATA / "models" / name) as file:
        return {key: from_numpy(file[key]) for key in file.files}


class Block(nn.Module):
    """Two convolutions; the shortcut drops pixels and adds empty channels (option A)."""

    def __init__(self, before: int, planes: int, stride: int) -> None:
        super().__init__()
        self.stride, self.added = stride, (planes - before) // 2
        self.conv1 = nn.Conv2d(before, planes, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = nn.Conv2d(planes, planes, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.bn2(self.conv2(functional.relu(self.bn1(self.conv1(x)))))
        if self.stride != 1:
            kept = x[:, :, :: self.stride, :: self.stride]
            x = functional.pad(kept, (0, 0, 0, 0, self.added, self.added))
        return functional.relu(y + x)


class ResNet(nn.Module):
    """The residual networks for CIFAR-10 of He et al."""

    def __init__(self, layers: int) -> None:
        super().__init__()
        count = (layers - 2) // 6
        self.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.layer1 = _stage(16, 16, 1, count)
        self.layer2 = _stage(16, 32, 2, count)
        self.layer3 = _stage(32, 64, 2, count)
        self.linear = nn.Linear(64, 10)

    @staticmethod
    def load(layers: int) -> ResNet:
        made = ResNet(layers)
        found: Any = made.load_state_dict(arrays(f"cifar10_resnet{layers}.npz"), strict=False)
        assert not found.unexpected_keys
        assert all(key.endswith("num_batches_tracked") for key in found.missing_keys)
        return made

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = functional.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.linear(x.mean((2, 3)))


def _stage(before: int, planes: int, stride: int, count: int) -> nn.Sequential:
    rest = [Block(planes, planes, 1) for _ in range(count - 1)]
    return nn.Sequential(Block(before, planes, stride), *rest)


class Stories(nn.Module):
    """A LLaMA with positions turned on neighbouring pairs and tied output (stories260k)."""

    def __init__(self, weights: dict[str, torch.Tensor]) -> None:
        super().__init__()
        self.layers, self.heads, self.groups = (int(n) for n in weights.pop("config")[2:5])
        for name, tensor in weights.items():
            self.register_buffer(name, tensor)

    @staticmethod
    def load() -> Stories:
        return Stories(arrays("stories260k.npz"))

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        at: dict[str, torch.Tensor] = dict(self.named_buffers())
        x = functional.embedding(tokens, at["tok_embeddings"])
        for layer in range(self.layers):
            here = {name: at[name][layer] for name in at if at[name].shape[0] == self.layers}
            x = x + self.attend(_normalise(x, here["attention_norm"]), here, at)
            y = _normalise(x, here["ffn_norm"])
            gate = functional.silu(functional.linear(y, here["w1"]))
            x = x + functional.linear(gate * functional.linear(y, here["w3"]), here["w2"])
        return functional.linear(_normalise(x, at["norm"]), at["tok_embeddings"])

    def attend(
        self, x: torch.Tensor, here: dict[str, torch.Tensor], at: dict[str, torch.Tensor]
    ) -> torch.Tensor:
        """Causal attention, every key shared by a group of heads."""
        batch, length, width = x.shape
        size = width // self.heads

        def split(name: str) -> torch.Tensor:
            made = functional.linear(x, here[name])
            return made.reshape(batch, length, -1, size).transpose(1, 2)

        cosine, sine = at["freqs_cos"][:length], at["freqs_sin"][:length]
        query, key = _turn(split("wq"), cosine, sine), _turn(split("wk"), cosine, sine)
        shared = self.heads // self.groups
        key = key.repeat_interleave(shared, 1)
        value = split("wv").repeat_interleave(shared, 1)
        scores = query @ key.transpose(2, 3) / size**0.5
        future = torch.ones(length, length, dtype=torch.bool).triu(1)
        mixed = scores.masked_fill(future, -1e30).softmax(-1) @ value
        return functional.linear(mixed.transpose(1, 2).reshape(batch, length, width), here["wo"])


def _normalise(x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-5) * weight


def _turn(x: torch.Tensor, cosine: torch.Tensor, sine: torch.Tensor) -> torch.Tensor:
    even, odd = x[..., 0::2], x[..., 1::2]
    turned = torch.stack([even * cosine - odd * sine, even * sine + odd * cosine], -1)
    return turned.flatten(-2)
