"""What the exporter writes becomes plain operators; every weight and source line stays."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

import mcc
from mcc.frontend import capture
from mcc.ir.diagnostics import Location
from mcc.ir.network import Network, constant_of, locations_of
from mcc.passes import PassContext, parse_passes, run_pipeline

manual_seed: Any = cast(Any, torch).manual_seed
FILE = Path(__file__).name


class Normed(nn.Module):
    """A convolution and its norm, on two lines."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, 4, 3, bias=False)
        self.stem_norm = nn.BatchNorm2d(4)
        self.head = nn.Linear(4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x)
        x = self.stem_norm(x)
        return self.head(x.relu().mean((2, 3)))


LINE = Normed.forward.__code__.co_firstlineno
STEM = Location(FILE, LINE + 1, "stem")
NORM = Location(FILE, LINE + 2, "stem_norm")


@pytest.fixture(scope="module")
def module() -> nn.Module:
    manual_seed(0)
    net = Normed()
    for _ in range(3):  # Statistics that folding cannot overlook.
        net(3 * torch.randn(4, 1, 6, 6) + 1)
    return net.eval()


@pytest.fixture
def network(module: nn.Module) -> Network:
    return capture(module, torch.randn(2, 1, 6, 6)).network


def test_batch_norms_and_their_weights_stay_for_the_certified_pass(
    module: nn.Module, network: Network
) -> None:
    conv, norm = list(network.graph)[:2]
    assert (conv.op_type, norm.op_type) == ("Conv", "BatchNormalization")
    assert locations_of(conv) == (STEM,)
    assert locations_of(norm) == (NORM,)
    for name in ("stem.weight", "stem_norm.weight", "stem_norm.running_var"):
        weight = constant_of(network.graph.initializers[name])
        assert weight is not None
        np.testing.assert_array_equal(weight, module.state_dict()[name].numpy())


def test_a_folded_batch_norm_keeps_both_lines_that_of_the_convolution_first(
    network: Network,
) -> None:
    outcome = run_pipeline(network, parse_passes("canonicalize"), PassContext())
    operators = [node.op_type for node in outcome.network.graph]
    assert "BatchNormalization" not in operators
    conv = outcome.network.graph[operators.index("Conv")]
    assert conv.domain == "mcc"
    assert locations_of(conv) == (STEM, NORM)


@pytest.mark.parametrize("place", ["stem", "stem_norm"])
def test_explain_finds_a_convolution_by_either_line(module: nn.Module, place: str) -> None:
    program = mcc.compile(module, torch.randn(2, 1, 6, 6), target="rram40nm")
    (row,) = [row for row in program.explain(f"({place})") if row["unit"] == "crossbar"]
    assert row["operator"] == "mcc.IntegerConv"
    assert row["location"] == f"{STEM}, {NORM}"


def test_a_fused_node_has_all_its_lines_the_last_operator_first() -> None:
    class Padded(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(1, 2, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = functional.pad(x, (1, 0, 0, 1))
            return self.conv(x)

    (conv,) = capture(Padded(), torch.randn(2, 1, 5, 5)).network.graph
    line = Padded.forward.__code__.co_firstlineno
    assert conv.op_type == "Conv"
    assert locations_of(conv) == (Location(FILE, line + 2, "conv"), Location(FILE, line + 1))


def test_a_node_that_folding_makes_has_the_line_of_what_it_replaces() -> None:
    class Halves(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            left, right = cast(Any, x.relu()).split(3, 1)
            return left * right

    graph = capture(Halves(), torch.randn(2, 6)).network.graph
    line = Halves.forward.__code__.co_firstlineno + 1
    (split,) = [node for node in graph if node.op_type == "Split"]
    assert locations_of(split) == (Location(FILE, line),)
