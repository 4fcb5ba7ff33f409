"""A programmed chip is called like the module it came from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np
import pytest
import torch
from torch import nn

import mcc

manual_seed: Any = cast(Any, torch).manual_seed


class Scaled(nn.Module):
    """Takes a number beside its rows, and gives one."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(8, 4)

    def forward(self, x: torch.Tensor, scale: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        y = self.linear(x) * scale
        return y, y.sum()


@pytest.mark.parametrize("given", [torch.Tensor.clone, torch.Tensor.numpy])
def test_numbers_go_in_and_come_out_as_numbers(given: Callable[[torch.Tensor], Any]) -> None:
    manual_seed(0)
    module = Scaled().eval()
    calls = [(torch.randn(2, 8), torch.tensor(0.5)) for _ in range(4)]
    program = mcc.compile(module, calls[0], calibration=calls)
    x, scale = calls[1]
    y, total = mcc.Machine(program)(given(x), given(scale))
    with torch.no_grad():
        expected, _ = module(x, scale)
    assert type(y) is type(total) is type(given(x))
    assert total.shape == ()
    np.testing.assert_allclose(y, expected, atol=0.02)
    np.testing.assert_allclose(total, y.sum(), rtol=1e-5)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"fidelity": "devise"}, "option-value"),
        ({"fidelity": "wires"}, "did you mean `wire`"),
        ({"threads": 0}, "option-value"),
        ({"threads": "all"}, "option-value"),
        ({"threads": 1.5}, "option-value"),
        ({"fidelity": "device", "seed": -1}, "seed-invalid"),
        ({"fidelity": "device", "seed": 1.5}, "seed-invalid"),
        ({"seed": "a"}, "seed-invalid"),
        ({"seed": True}, "seed-invalid"),
        ({"seed": 3}, "at fidelity exact all chips are the same: seed 3 has no effect"),
        ({"fidelity": "converter", "seed": 0}, "option-value"),
    ],
)
def test_machines_that_there_are_not(options: dict[str, Any], said: str) -> None:
    program = mcc.compile(nn.Linear(8, 4), torch.randn(2, 8), calibration=torch.randn(4, 8))
    with pytest.raises(mcc.MccError, match=said):
        mcc.Machine(program, **options)
