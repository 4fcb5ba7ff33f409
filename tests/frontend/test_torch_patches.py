"""Constructs that torch cannot export as they are, captured as they compute."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pytest
import torch
from torch import nn

from mcc.frontend import capture
from mcc.ir.network import ReferenceExecutor

manual_seed: Any = cast(Any, torch).manual_seed


class Translator(nn.Module):
    """An encoder and a decoder whose mask is made on the spot, as in torch's own tutorials."""

    def __init__(self) -> None:
        super().__init__()
        self.transformer = nn.Transformer(8, 2, 1, 1, 16, batch_first=True)

    def forward(self, source: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        mask = nn.Transformer.generate_square_subsequent_mask(target.shape[1])
        return self.transformer(source, target, tgt_mask=mask)


@pytest.mark.parametrize("fused", [False, True])
def test_a_module_trained_for_quantization_keeps_its_scales(fused: bool) -> None:
    quantization: Any = pytest.importorskip("torch.ao.quantization")
    manual_seed(0)
    kind = quantization.FusedMovingAvgObsFakeQuantize if fused else quantization.FakeQuantize
    codes = kind(
        quantization.MovingAverageMinMaxObserver,
        quant_min=-127,
        quant_max=127,
        dtype=torch.qint8,
        qscheme=torch.per_tensor_symmetric,
    )
    module = nn.Sequential(codes, nn.Linear(4, 3))
    module(torch.randn(8, 4))
    module.apply(quantization.disable_observer).eval()
    x = torch.randn(1, 4)
    captured = capture(module, x)
    assert "DequantizeLinear" in [node.op_type for node in captured.network.graph]
    found = ReferenceExecutor(captured.network).run({"input": x.numpy()})
    with torch.no_grad():
        np.testing.assert_allclose(found["output"], module(x).numpy(), rtol=1e-5, atol=1e-6)


def test_a_transformer_is_captured_with_its_causal_mask() -> None:
    manual_seed(0)
    module = Translator().eval()
    source, target = torch.randn(2, 5, 8), torch.randn(2, 4, 8)
    detect = cast(Any, nn.modules.transformer)._detect_is_causal_mask
    captured = capture(module, (source, target))
    assert cast(Any, nn.modules.transformer)._detect_is_causal_mask is detect
    assert not captured.findings
    executor = ReferenceExecutor(captured.network)
    with torch.no_grad():
        eager = module(source, target).numpy()
    for index in range(2):
        inputs = {"source": source[index : index + 1], "target": target[index : index + 1]}
        found = executor.run({name: tensor.numpy() for name, tensor in inputs.items()})
        np.testing.assert_allclose(found["output"][0], eager[index], rtol=1e-4, atol=1e-5)
