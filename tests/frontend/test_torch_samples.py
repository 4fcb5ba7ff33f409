"""Axis 0 of a torch module counts samples only where they do not see each other."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pytest
import torch
from torch import nn

from mcc.frontend import capture, independent_on

manual_seed: Any = cast(Any, torch).manual_seed


@pytest.mark.parametrize("example", [torch.ones(6, 1, 16), torch.zeros(6, 2, 16)])
def test_a_sequence_first_encoder_has_no_samples_whatever_the_example(
    example: torch.Tensor,
) -> None:
    manual_seed(0)
    layer = nn.TransformerEncoderLayer(16, 2, 32, norm_first=True).eval()
    assert not capture(layer, example).samples


class Tokens(nn.Module):
    def __init__(self, batch_first: bool) -> None:
        super().__init__()
        self.table = nn.Embedding(9, 8)
        self.layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=batch_first)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return self.layer(self.table(tokens))


@pytest.mark.parametrize("batch_first", [True, False])
def test_tokens_that_are_all_alike_tell_the_axis_of_samples(batch_first: bool) -> None:
    manual_seed(0)
    captured = capture(Tokens(batch_first).eval(), torch.zeros(6, 1, dtype=torch.long))
    assert captured.samples is batch_first


class Rare(nn.Module):
    """Adds how often a token occurs over the samples, one that is in no example."""

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        rare = (tokens == 7).float()
        return tokens + rare.mean(0, keepdim=True)


def test_other_data_may_show_that_samples_see_each_other() -> None:
    captured = capture(Rare(), torch.zeros(2, 3, dtype=torch.long))
    assert captured.samples
    common, rare = np.full((1, 3), 3), np.full((1, 3), 7)
    assert independent_on(captured, [{"tokens": common}, {"tokens": common}])
    assert not independent_on(captured, [{"tokens": common}, {"tokens": rare}])
