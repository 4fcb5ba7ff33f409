"""Arguments that are no tensors: part of the network, so that a call may not change them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from mcc.frontend import capture
from mcc.ir.diagnostics import MccError
from mcc.ir.signature import Signature

X = torch.arange(8.0).reshape(2, 4)


class Scaled(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 3)

    def forward(
        self, x: torch.Tensor, factor: float = 1.0, mask: torch.Tensor | None = None
    ) -> torch.Tensor:
        y = self.layer(x) * factor
        return y if mask is None else y * mask


def signature_of(*args: Any, **kwargs: Any) -> Signature:
    return capture(Scaled().eval(), args, **kwargs).signature


def refusal(signature: Signature, *args: Any, **kwargs: Any) -> str:
    with pytest.raises(MccError) as caught:
        signature.flatten_inputs(args, kwargs)
    (found,) = caught.value.diagnostics
    return f"{found.code}: {found.message}"


def test_what_was_left_out_may_be_given_as_the_module_would_take_it() -> None:
    signature = signature_of(X)
    for args, kwargs in (((X,), {}), ((X, 1.0), {}), ((X, 1.0, None), {}), ((X,), {"mask": None})):
        (found,) = signature.flatten_inputs(args, kwargs).values()
        assert np.array_equal(found, X.numpy())


def test_another_value_is_refused() -> None:
    signature = signature_of(X)
    assert "`factor` was 1.0 at capture and is 2.0 now" in refusal(signature, X, 2.0)
    assert "`mask` was None at capture and is Tensor now" in refusal(signature, X, mask=X)


def test_a_value_that_is_not_the_modules_own_must_be_given_again() -> None:
    """A call without it means another network: the module would take its default."""
    signature = signature_of(X, 0.5)
    assert list(signature.flatten_inputs((X, 0.5), {})) == ["x"]
    assert refusal(signature, X).startswith("input-missing")
