"""The networks that every target must run bit for bit: small ones, and trained ones from files."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast, final

import numpy as np
import onnx
import pytest
import torch
from torch import nn
from torch.nn import functional

from mcc.frontend import capture
from mcc.ir.network import Feeds
from tests.acceptance.trained import DATA, ResNet, Stories
from tests.quantized_files import quantized_file

manual_seed: Any = cast(Any, torch).manual_seed
from_numpy: Any = cast(Any, torch).from_numpy


@final
@dataclass(frozen=True)
class Source:
    """A network with examples of its inputs, samples on axis 0."""

    module: nn.Module | Path | onnx.ModelProto
    args: Any
    kwargs: dict[str, Any] = field(default_factory=dict[str, Any])
    samples: tuple[Feeds, ...] = ()
    """More inputs by name, for a file that takes one sample only."""


class Convolutions(nn.Module):
    """Residual, grouped, depthwise, dilated, strided, asymmetrically padded, and a head."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.inner = nn.Conv2d(8, 8, 3, padding=1)
        self.grouped = nn.Conv2d(8, 16, 3, padding=1, groups=4)
        self.depthwise = nn.Conv2d(16, 16, 3, padding=1, groups=16)
        self.dilated = nn.Conv2d(16, 16, 3, padding=2, dilation=2)
        self.strided = nn.Conv2d(16, 16, (3, 5), stride=(2, 1), padding=(1, 2))
        self.asymmetric = nn.Conv2d(16, 12, (2, 3))
        self.head = nn.Linear(12, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = functional.relu(self.norm(self.stem(x)))
        x = functional.relu(self.inner(x) + x)
        x = functional.relu(self.depthwise(functional.relu(self.grouped(x))))
        x = functional.leaky_relu(self.dilated(x), 0.1)
        x = functional.max_pool2d(self.strided(x), 2)
        x = self.asymmetric(functional.pad(x, (2, 0, 0, 1)))
        return self.head(x.mean((2, 3)))


class UNet(nn.Module):
    """Two levels: nearest and transposed upsampling, concatenation."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, 8, 3, padding=1)
        self.down = nn.Conv2d(8, 12, 3, padding=1)
        self.bottom = nn.Conv2d(12, 16, 3, padding=1)
        self.raise_up = nn.ConvTranspose2d(16, 8, 2, stride=2)
        self.merge = nn.Conv2d(20, 8, 3, padding=1)
        self.last = nn.Conv2d(16, 8, 3, padding=1)
        self.head = nn.Conv2d(8, 2, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        first = functional.relu(self.first(x))
        down = functional.relu(self.down(functional.max_pool2d(first, 2)))
        bottom = functional.relu(self.bottom(functional.avg_pool2d(down, 2)))
        merged = functional.relu(self.merge(torch.cat([self.raise_up(bottom), down], 1)))
        up = functional.interpolate(merged, scale_factor=2.0, mode="nearest")
        return self.head(functional.relu(self.last(torch.cat([up, first], 1))))


class Residual(nn.Module):
    """Both kinds of pools, groups, a shortcut and a head: what quantizers make pairs around."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.inner = nn.Conv2d(8, 8, 3, padding=1, groups=2)
        self.strided = nn.Conv2d(8, 12, 3, stride=2)
        self.head = nn.Linear(12, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = functional.max_pool2d(functional.relu(self.stem(x)), 2)
        x = functional.relu(self.inner(x) + x)
        x = functional.relu(self.strided(functional.avg_pool2d(x, 2, stride=1)))
        return self.head(x.mean((2, 3)))


class Recurrent(nn.Module):
    """An LSTM with a head on its last state."""

    def __init__(self) -> None:
        super().__init__()
        self.recurrent = nn.LSTM(6, 12, batch_first=True)
        self.head = nn.Linear(12, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.recurrent(x)[0][:, -1])


def mlp() -> Source:
    layers = nn.Sequential(
        nn.Linear(40, 64), nn.ReLU(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10)
    )
    return Source(layers.eval(), torch.randn(3, 40))


def cnn() -> Source:
    return Source(Convolutions().eval(), torch.randn(3, 3, 10, 10))


def unet() -> Source:
    return Source(UNet().eval(), torch.randn(3, 1, 12, 12))


def coded() -> Source:
    """A file that another tool has quantized, with zero points in its signed codes."""
    samples = tuple({"x": torch.randn(1, 3, 12, 12).numpy()} for _ in range(3))
    network = capture(Residual().eval(), (from_numpy(samples[0]["x"]),)).network
    file = quantized_file(network, samples, signed=True)
    return Source(file, (samples[0]["x"],), samples=samples)


def lstm() -> Source:
    return Source(Recurrent().eval(), torch.randn(3, 7, 6))


def _library() -> Any:
    return pytest.importorskip("transformers")


_SMALL: dict[str, Any] = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}


def _tokens() -> torch.Tensor:
    return torch.randint(0, 32, (3, 6))


def vit() -> Source:
    sizes = {"image_size": 8, "patch_size": 4, "num_channels": 3, "intermediate_size": 32}
    config = _library().ViTConfig(**_SMALL, **sizes)
    return Source(_library().ViTForImageClassification(config).eval(), torch.randn(3, 3, 8, 8))


def bert() -> Source:
    config = _library().BertConfig(**_SMALL, vocab_size=32, intermediate_size=32)
    tokens = _tokens()
    feeds = {"input_ids": tokens, "attention_mask": torch.ones_like(tokens)}
    return Source(_library().BertModel(config).eval(), None, feeds)


def gpt2() -> Source:
    config = _library().GPT2Config(
        vocab_size=32,
        n_positions=16,
        n_embd=16,
        n_layer=2,
        n_head=2,
        bos_token_id=0,
        eos_token_id=0,
    )
    return Source(_library().GPT2LMHeadModel(config).eval(), _tokens())


def llama() -> Source:
    config = _library().LlamaConfig(
        **_SMALL, vocab_size=32, intermediate_size=32, num_key_value_heads=1
    )
    return Source(_library().LlamaForCausalLM(config).eval(), _tokens())


def mnist() -> Source:
    with gzip.open(DATA / "mnist" / "t10k-images-idx3-ubyte.gz") as file:
        pixels = np.frombuffer(file.read(16 + 3 * 784), np.uint8, offset=16).astype(np.float32)
    samples = tuple({"Input3": image} for image in pixels.reshape(3, 1, 1, 28, 28))
    return Source(DATA / "models" / "mnist.onnx", (samples[0]["Input3"],), samples=samples)


def _resnet(layers: int) -> Source:
    with np.load(DATA / "models" / "cifar10_mlperftiny_test200.npz") as file:
        pixels = file["images"][:3].astype(np.float32) / np.float32(255)
    mean = np.array([0.485, 0.456, 0.406], np.float32)
    spread = np.array([0.229, 0.224, 0.225], np.float32)
    images = np.ascontiguousarray(((pixels - mean) / spread).transpose(0, 3, 1, 2))
    return Source(ResNet.load(layers).eval(), from_numpy(images))


def resnet20() -> Source:
    return _resnet(20)


def resnet32() -> Source:
    return _resnet(32)


def stories260k() -> Source:
    with np.load(DATA / "models" / "stories260k_samples.npz") as file:
        tokens = file["tokens"][:3, :16].astype(np.int64)
    return Source(Stories.load().eval(), from_numpy(tokens))


SMALL: tuple[Callable[[], Source], ...] = (mlp, cnn, unet, coded, lstm, vit, bert, gpt2, llama)
TRAINED: tuple[Callable[[], Source], ...] = (mnist, resnet20, resnet32, stories260k)


def build(make: Callable[[], Source]) -> Source:
    """Build a network from its seed; skip where its file is not here."""
    if make in TRAINED and not DATA.is_dir():
        pytest.skip("../shared/data is not present")
    manual_seed(0)
    return make()
