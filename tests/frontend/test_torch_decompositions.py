"""Forms of operators that torch does not translate to ONNX are captured as they compute."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, cast

import numpy as np
import pytest
import torch
from torch import nn

from mcc.frontend import capture
from mcc.ir.network import ReferenceExecutor, location_of

manual_seed: Any = cast(Any, torch).manual_seed
attention: Any = nn.functional.scaled_dot_product_attention


class Applied(nn.Module):
    def __init__(self, function: Callable[..., torch.Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, *tensors: torch.Tensor) -> torch.Tensor:
        return self.function(*tensors)


def both(function: Callable[..., torch.Tensor], *tensors: torch.Tensor) -> tuple[Any, Any]:
    """Return the result for one sample, captured and eager."""
    captured = capture(Applied(function).eval(), tensors)
    names = [leaf.name for leaf in captured.signature.input_leaves]
    one = tensors if not captured.samples else tuple(tensor[:1] for tensor in tensors)
    feeds = {name: tensor.numpy() for name, tensor in zip(names, one, strict=True)}
    found = ReferenceExecutor(captured.network).run(feeds)["output"]
    return found, function(*one).numpy()


@pytest.mark.parametrize(
    ("shape", "options"),
    [((5, 8), {}), ((2, 5, 8), {"is_causal": True}), ((2, 3, 2, 5, 8), {"scale": 0.3})],
)
def test_attention_over_any_number_of_axes(shape: tuple[int, ...], options: Any) -> None:
    manual_seed(0)
    tensors = [torch.randn(shape) for _ in range(3)]
    found, eager = both(partial(attention, **options), *tensors)
    np.testing.assert_allclose(found, eager, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", [torch.bool, torch.float32])
def test_attention_with_a_mask_for_each_sample(kind: torch.dtype) -> None:
    manual_seed(0)
    tensors = [torch.randn(2, 5, 8) for _ in range(3)]
    mask = (torch.rand(2, 5, 5) > 0.3).logical_or(torch.eye(5, dtype=torch.bool)).to(kind)
    found, eager = both(attention, *tensors, mask)
    np.testing.assert_allclose(found, eager, rtol=1e-5, atol=1e-6)


def grid(scale: float) -> torch.Tensor:
    """Make values at and around every tie of a code, and beyond the range."""
    ties = (torch.arange(-700, 700) / 2) * scale
    up, down = ties.nextafter(torch.tensor(9e9)), ties.nextafter(torch.tensor(-9e9))
    return torch.cat([ties, up, down])[None]


RANGES = [(-127, 127, 0), (-8, 7, 0), (-7, 7, 0), (0, 15, 8), (-127, 127, 5), (-2048, 2047, 3)]


@pytest.mark.parametrize(("low", "high", "zero"), RANGES)
def test_codes_of_any_range_are_those_of_torch(low: int, high: int, zero: int) -> None:
    def quantize(x: torch.Tensor) -> torch.Tensor:
        return torch.fake_quantize_per_tensor_affine(x, 0.25, zero, low, high)

    found, eager = both(quantize, grid(0.25))
    np.testing.assert_array_equal(found, eager)


def test_a_scale_may_be_a_tensor() -> None:
    def quantize(x: torch.Tensor) -> torch.Tensor:
        scale, zero = torch.tensor([0.03]), torch.tensor([2], dtype=torch.int32)
        return torch.fake_quantize_per_tensor_affine(x, scale, zero, -127, 127)

    found, eager = both(quantize, grid(0.03))
    np.testing.assert_array_equal(found, eager)


class FourBits(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(5, 64))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        scale, zero = self.weight.abs().amax(1) / 7, torch.zeros(5, dtype=torch.int32)
        weight = torch.fake_quantize_per_channel_affine(self.weight, scale, zero, 0, -7, 7)
        return nn.functional.linear(x, weight)


def test_a_weight_with_a_scale_for_each_channel_keeps_its_scales() -> None:
    manual_seed(0)
    module = FourBits().eval()
    x = torch.eye(64)
    captured = capture(module, x)
    nodes = {node.op_type: node for node in captured.network.graph}
    assert location_of(nodes["DequantizeLinear"]).file == "test_torch_decompositions.py"
    executor = ReferenceExecutor(captured.network)
    found = [executor.run({"x": row[None].numpy()})["output"][0] for row in x]
    with torch.no_grad():
        np.testing.assert_array_equal(np.stack(found), module(x).numpy())


def test_an_lstm_with_a_projection_is_unrolled() -> None:
    manual_seed(0)
    module = nn.LSTM(4, 6, num_layers=2, bidirectional=True, proj_size=3, batch_first=True).eval()

    def unrolled(x: torch.Tensor) -> torch.Tensor:
        return module(x)[0].detach()

    found, eager = both(unrolled, torch.randn(2, 5, 4))
    np.testing.assert_allclose(found, eager, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("function", [torch.amax, torch.amin, nn.functional.rrelu])
def test_forms_with_fewer_arguments(function: Callable[..., torch.Tensor]) -> None:
    found, eager = both(function, torch.tensor([[3.0, -2.0, 7.0, -8.0]]))
    assert np.array_equal(found, eager)
