"""A small residual network for the 8 x 8 handwritten digits of scikit-learn, with its recipe.

The data are the 1,797 digits of the UCI optical recognition set (values 0 to 16) that scikit-learn
carries. The recipe trains in seconds on one processor core.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn


@final
class ResidualBlock(nn.Module):
    """Two 3 x 3 convolutions beside a shortcut: `relu(shortcut(x) + f(x))`."""

    def __init__(self, channels_in: int, channels: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels_in, channels, 3, stride, 1, bias=False)
        self.first_norm = nn.BatchNorm2d(channels)
        self.second = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.second_norm = nn.BatchNorm2d(channels)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or channels_in != channels:
            self.shortcut = nn.Sequential(
                nn.Conv2d(channels_in, channels, 1, stride, bias=False), nn.BatchNorm2d(channels)
            )

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, channels_in, height, width) to (batch, channels, height, width) / stride."""
        y = torch.relu(self.first_norm(self.first(x)))
        y = self.second_norm(self.second(y))
        return torch.relu(self.shortcut(x) + y)


@final
class DigitsNet(nn.Module):
    """A residual network of seven convolutions and a linear head for (batch, 1, 8, 8) digits."""

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, width, 3, 1, 1, bias=False)
        self.stem_norm = nn.BatchNorm2d(width)
        self.stages = nn.Sequential(
            ResidualBlock(width, width, 1),
            ResidualBlock(width, 2 * width, 2),
            ResidualBlock(2 * width, 2 * width, 1),
        )
        self.head = nn.Linear(2 * width, 10)

    def forward(self, x: Tensor) -> Tensor:
        """Map digits (batch, 1, 8, 8) in 0 to 1 to class scores (batch, 10)."""
        x = torch.relu(self.stem_norm(self.stem(x)))
        x = self.stages(x)
        return self.head(x.mean(dim=(2, 3)))


@final
@dataclass(frozen=True)
class Digits:
    """The digits, split into three parts that share no sample.

    Images are (count, 1, 8, 8) float32 in 0 to 1, labels are (count,) int64.
    """

    train_images: NDArray[np.float32]
    train_labels: NDArray[np.int64]
    calibration_images: NDArray[np.float32]
    test_images: NDArray[np.float32]
    test_labels: NDArray[np.int64]


def load_digits(calibration: int = 128, test: int = 500, seed: int = 0) -> Digits:
    """Split the digits at random into training, calibration and held-out test parts."""
    from sklearn import datasets  # pyright: ignore[reportMissingTypeStubs]

    loaded = cast("Any", datasets.load_digits())
    order = np.random.default_rng(seed).permutation(len(loaded.target))
    images = (np.asarray(loaded.images, np.float32) / np.float32(16)).reshape(-1, 1, 8, 8)[order]
    labels = np.asarray(loaded.target, np.int64)[order]
    first = test + calibration
    return Digits(
        train_images=images[first:],
        train_labels=labels[first:],
        calibration_images=images[test:first],
        test_images=images[:test],
        test_labels=labels[:test],
    )


def train(
    data: Digits,
    *,
    epochs: int = 30,
    batch: int = 64,
    seed: int = 0,
    progress: Callable[[int], None] | None = None,
) -> DigitsNet:
    """Train by AdamW under a one-cycle schedule, with digits shifted by up to one pixel.

    `progress` is called with the number of epochs done after each of them. The global torch
    generator is left as it was found.
    """
    with torch.random.fork_rng(devices=[]):  # pyright: ignore[reportUnknownMemberType]
        torch.manual_seed(seed)  # pyright: ignore[reportUnknownMemberType]
        module = DigitsNet()
        generator = torch.Generator().manual_seed(seed)
        images, labels = torch.tensor(data.train_images), torch.tensor(data.train_labels)
        steps = -(-len(images) // batch)
        optimizer = torch.optim.AdamW(module.parameters(), lr=1e-2, weight_decay=1e-2)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-2, total_steps=epochs * steps)
        for epoch in range(epochs):
            order = torch.randperm(len(images), generator=generator)
            for start in range(0, len(order), batch):
                index = order[start : start + batch]
                loss = nn.functional.cross_entropy(
                    module(_shifted(images[index], generator)), labels[index]
                )
                optimizer.zero_grad()
                loss.backward()  # pyright: ignore[reportUnknownMemberType]
                optimizer.step()  # pyright: ignore[reportUnknownMemberType]
                schedule.step()
            if progress is not None:
                progress(epoch + 1)
    return module.eval()


def accuracy(scores: NDArray[np.float32], labels: NDArray[np.int64]) -> float:
    """Say which fraction of the rows of `scores` (count, classes) has its maximum at the label."""
    return float((scores.argmax(1) == labels).mean())


def _shifted(images: Tensor, generator: torch.Generator) -> Tensor:
    """Shift the batch by -1, 0 or 1 pixel along each axis, filling with background."""
    padded = nn.functional.pad(images, (1, 1, 1, 1))
    shift = torch.randint(0, 3, (2,), generator=generator)
    row, col = int(shift[0]), int(shift[1])
    return padded[:, :, row : row + 8, col : col + 8]
