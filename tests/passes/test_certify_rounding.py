"""Networks that amplify rounding are compiled: the proof measures what rounding does in them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

import mcc


class Around(nn.Module):
    """A function of the outputs of some layers."""

    def __init__(
        self, function: Callable[[torch.Tensor], torch.Tensor], *layers: nn.Module, last: nn.Module
    ) -> None:
        super().__init__()
        self.first, self.function, self.last = nn.Sequential(*layers), function, last

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(self.function(self.first(x)))


def centred(y: torch.Tensor) -> torch.Tensor:
    return y - y.mean(1, keepdim=True)


def instance_norm(y: torch.Tensor) -> torch.Tensor:
    mean = y.mean((2, 3), keepdim=True)
    return (y - mean) / torch.sqrt(y.var((2, 3), keepdim=True, unbiased=False) + 1e-5)


def pair_norm(y: torch.Tensor) -> torch.Tensor:
    y = centred(y)
    return torch.relu(y / (1e-6 + y.pow(2).sum(-1, keepdim=True).mean(1, keepdim=True)).sqrt())


def normed() -> tuple[nn.Module, nn.Module]:
    """Return a convolution and a batch norm that has seen data."""
    norm = nn.BatchNorm2d(4)
    norm(torch.randn(8, 4, 6, 6) * 2 + 1)
    return nn.Conv2d(2, 4, 3, padding=1), norm


NETWORKS: dict[str, Callable[[], tuple[nn.Module, tuple[int, ...]]]] = {
    "centred": lambda: (Around(centred, nn.Linear(8, 8), last=nn.Identity()), (1, 5, 8)),
    "deviation of rows": lambda: (
        Around(lambda y: y.std(0), nn.Linear(8, 8), last=nn.Identity()),
        (3, 8),
    ),
    "deviation of tokens": lambda: (
        Around(lambda y: y.std(1), nn.Linear(8, 8), last=nn.Identity()),
        (3, 5, 8),
    ),
    "deviation in space": lambda: (
        Around(lambda y: y.flatten(2).std(-1), *normed(), last=nn.Identity()),
        (2, 2, 6, 6),
    ),
    "instance norm": lambda: (
        Around(instance_norm, nn.Conv2d(3, 8, 3), last=nn.ReLU()),
        (2, 3, 10, 10),
    ),
    "pair norm": lambda: (Around(pair_norm, nn.Linear(8, 8), last=nn.Linear(8, 4)), (2, 6, 8)),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_that_amplify_rounding_are_proved(name: str) -> None:
    torch.manual_seed(0)  # pyright: ignore[reportUnknownMemberType]
    module, shape = NETWORKS[name]()
    program = mcc.compile(module.eval(), (torch.randn(shape),))
    proof = program.certificates[1]
    assert proof.subject == "canonicalize"
    assert proof.passed
    assert "in float64" in proof.detail
    assert proof.bound < 1e-4
