"""Trained networks with real data: what calibrates, what tests, and how good the float network is.

No sample does both. The data lie in `../shared/data`; its README says where they come from.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast, final

import click
import numpy as np
import onnxruntime  # pyright: ignore[reportMissingTypeStubs]
import torch
from numpy.typing import NDArray
from torch import nn

from tests.acceptance.trained import DATA, ResNet, Stories

Array = NDArray[Any]

CALIBRATION_IMAGES = 256
CALIBRATION_TEXTS = 8
TEXT_LENGTH = 255
"""Tokens that are read; the token after each of them is predicted."""


@final
@dataclass(frozen=True)
class Test:
    """Samples with their answers."""

    name: str
    inputs: Array
    answers: Array
    tolerance: float
    """How far `exact` may lie from float, in the unit of the score."""
    on_chips: int
    """Samples that are run on chips with imperfect cells: the first ones."""

    def first(self, count: int) -> Test:
        """Return the first samples only."""
        inputs, answers = self.inputs[:count], self.answers[:count]
        return Test(self.name, inputs, answers, self.tolerance, min(self.on_chips, len(inputs)))


@final
@dataclass(frozen=True)
class Workload:
    """A trained network, the data for it, and how its outputs are scored."""

    name: str
    source: nn.Module | Path
    floats: Callable[[Array], Array]
    """The outputs of the float network, by PyTorch or ONNX Runtime."""
    calibration: Array
    calibrated_with: str
    score: Callable[[Array, Array], float]
    """Of outputs and answers."""
    unit: str
    """`%`, of which more is better, or `perplexity`, of which less is better."""
    tests: tuple[Test, ...]

    def loss(self, before: float, after: float) -> float:
        """Return by how much a score is worse than another one."""
        return before - after if self.unit == "%" else after - before


def resnet(layers: int) -> Workload:
    """Return a residual network for CIFAR-10."""
    with np.load(DATA / "cifar10" / "cifar10_jpeg_subset.npz") as file:
        jpeg = {name: file[name] for name in file.files}
    with np.load(DATA / "models" / "cifar10_mlperftiny_test200.npz") as file:
        lossless, labels = file["images"], file["labels"]
    module = ResNet.load(layers).eval()
    return Workload(
        name=f"ResNet-{layers}",
        source=module,
        floats=lambda images: eager(module, images, 100),
        calibration=pixels(jpeg["train_images"][:CALIBRATION_IMAGES]),
        calibrated_with=f"the first {CALIBRATION_IMAGES} training images of the JPEG subset",
        score=right,
        unit="%",
        tests=(
            Test("lossless images", pixels(lossless), labels, 1.0, 200),
            Test("JPEG test images", pixels(jpeg["test_images"]), jpeg["test_labels"], 0.5, 200),
        ),
    )


def mnist() -> Workload:
    """Return the small CNN for handwritten digits, from its ONNX file."""
    path = DATA / "models" / "mnist.onnx"
    session: Any = cast(Any, onnxruntime).InferenceSession(path)
    images, labels = _idx("t10k-images-idx3", 16), _idx("t10k-labels-idx1", 8)
    train = _idx("train-images-idx3", 16)[: CALIBRATION_IMAGES * 784]

    def floats(samples: Array) -> Array:
        return np.concatenate([session.run(None, {"Input3": it[None]})[0] for it in samples])

    return Workload(
        name="mnist.onnx",
        source=path,
        floats=floats,
        calibration=_digits(train),
        calibrated_with=f"the first {CALIBRATION_IMAGES} training digits",
        score=right,
        unit="%",
        tests=(Test("test digits", _digits(images), labels, 0.5, 500),),
    )


def stories() -> Workload:
    """Return the language model; the texts to calibrate with are its own, of another seed."""
    with np.load(DATA / "models" / "stories260k_samples.npz") as file:
        tokens = file["tokens"].astype(np.int64)
    module = Stories.load().eval()
    written = write(module, CALIBRATION_TEXTS, TEXT_LENGTH, seed=1)
    assert not any((text == tokens[:, :TEXT_LENGTH]).all(1).any() for text in written)
    return Workload(
        name="stories260k",
        source=module,
        floats=lambda texts: eager(module, texts, 8),
        calibration=written,
        calibrated_with=(
            f"{CALIBRATION_TEXTS} texts that the float network writes here with seed 1, since"
            " all of its stored texts are scored"
        ),
        score=perplexity,
        unit="perplexity",
        tests=(Test("own texts, 255 tokens", tokens[:, :-1], tokens[:, 1:], 0.05, 8),),
    )


WORKLOADS: dict[str, Callable[[], Workload]] = {
    "resnet20": lambda: resnet(20),
    "resnet32": lambda: resnet(32),
    "mnist": mnist,
    "stories260k": stories,
}


def load(name: str) -> Workload:
    """Return a workload by name, or say that its data are not here."""
    if not DATA.is_dir():
        raise click.ClickException("../shared/data is not present")
    return WORKLOADS[name]()


def pixels(images: Array) -> Array:
    """Normalize images (n, 32, 32, 3) of bytes as the residual networks were trained."""
    mean = np.array([0.485, 0.456, 0.406], np.float32)
    spread = np.array([0.229, 0.224, 0.225], np.float32)
    scaled = (images.astype(np.float32) / np.float32(255) - mean) / spread
    return np.ascontiguousarray(scaled.transpose(0, 3, 1, 2))


def right(scores: Array, labels: Array) -> float:
    """Return the percentage of samples whose largest score is that of their label."""
    return 100.0 * float((scores.argmax(1) == labels).mean())


def perplexity(logits: Array, tokens: Array) -> float:
    """Return exp of the mean negative log-likelihood of the tokens that follow."""
    wide = logits.astype(np.float64)
    peak = wide.max(-1, keepdims=True)
    total = np.log(np.exp(wide - peak).sum(-1)) + peak[..., 0]
    chosen = np.take_along_axis(wide, tokens[..., None], -1)[..., 0]
    return float(np.exp((total - chosen).mean()))


def eager(module: nn.Module, inputs: Array, batch: int) -> Array:
    """Run a module on samples, some at a time."""
    with torch.no_grad():
        parts = [module(torch.tensor(inputs[i : i + batch])) for i in range(0, len(inputs), batch)]
    return torch.cat(parts).numpy()


def write(module: nn.Module, texts: int, length: int, seed: int) -> Array:
    """Let a language model write, token by token at temperature 1, after the token that begins."""
    generator = torch.Generator().manual_seed(seed)
    tokens = torch.ones(texts, 1, dtype=torch.int64)
    with torch.no_grad():
        while tokens.shape[1] < length:
            likely = module(tokens)[:, -1].softmax(-1)
            tokens = torch.cat([tokens, torch.multinomial(likely, 1, generator=generator)], 1)
    return tokens.numpy()


def _idx(name: str, header: int) -> Array:
    with gzip.open(DATA / "mnist" / f"{name}-ubyte.gz") as file:
        return np.frombuffer(file.read(), np.uint8, offset=header)


def _digits(flat: Array) -> Array:
    return flat.astype(np.float32).reshape(-1, 1, 28, 28)
