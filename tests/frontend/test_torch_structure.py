"""What a module takes and returns keeps its structure, its names, and a reason where it may not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import pytest
import torch
from torch import nn

from mcc.frontend import Capture, capture
from mcc.ir.diagnostics import MccError, Severity
from mcc.ir.network import ReferenceExecutor


def call(captured: Capture, *args: Any) -> Any:
    """Run a captured network on one sample."""
    feeds = captured.signature.flatten_inputs(args, {})
    found = ReferenceExecutor(captured.network).run(feeds)
    return captured.signature.unflatten_outputs(found)


@dataclass
class Image:
    image: torch.Tensor


cast(Any, torch.export).register_dataclass(Image)


class OfImage(nn.Module):
    def forward(self, given: Image) -> Any:
        best = torch.topk(given.image, 2)
        return {"best": best, "doubled": Image(given.image * 2)}


X = torch.tensor([[3.0, 1.0, 2.0, 0.0]])


def test_dataclasses_and_the_results_of_operators_keep_their_names() -> None:
    captured = capture(OfImage(), (Image(X),))
    assert [leaf.name for leaf in captured.signature.input_leaves] == ["given.image"]
    found = call(captured, Image(X))
    np.testing.assert_array_equal(found["best"].values, [[3, 2]])
    np.testing.assert_array_equal(found["best"].indices, [[0, 2]])
    values, _ = found["best"]
    assert values is found["best"].values
    np.testing.assert_array_equal(found["doubled"].image, 2 * X.numpy())


def test_the_result_of_transformers_is_read_as_there() -> None:
    transformers = pytest.importorskip("transformers")
    config = transformers.DistilBertConfig(
        vocab_size=16, dim=8, n_layers=1, n_heads=2, hidden_dim=16
    )
    module = transformers.DistilBertForSequenceClassification(config).eval()
    ids = torch.arange(5)[None]
    found = call(capture(module, ids), ids)
    with torch.no_grad():
        logits = module(ids).logits.numpy()
    np.testing.assert_allclose(found.logits, logits, rtol=1e-4, atol=1e-6)
    assert found[0] is found["logits"] is found.logits


class Returning(nn.Module):
    def __init__(self, kind: torch.dtype) -> None:
        super().__init__()
        self.kind = kind

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.to(self.kind)


@pytest.mark.parametrize(
    ("kind", "help"), [(torch.float16, "float32"), (torch.complex64, "view_as_real")]
)
def test_a_result_of_a_type_that_is_none_of_ours(kind: torch.dtype, help: str) -> None:
    with pytest.raises(MccError, match="the result of the module is") as caught:
        capture(Returning(kind), X)
    (found,) = caught.value.diagnostics
    assert found.code == "dtype-unsupported"
    assert help in found.help


def test_an_input_without_features_names_its_axis() -> None:
    with pytest.raises(MccError, match="its axis 1 has no elements"):
        capture(nn.ReLU(), torch.ones(2, 0))


def test_double_precision_is_warned_of() -> None:
    captured = capture(nn.Linear(4, 3).double().eval(), X.double())
    (found,) = captured.findings
    assert (found.code, found.severity) == ("double-precision", Severity.WARNING)


class Apart(nn.Module):
    def forward(self, x: torch.Tensor, gain: torch.Tensor) -> Any:
        return x * gain, (x * gain).mean(0, keepdim=True)


@pytest.mark.parametrize(
    ("args", "reason"),
    [
        ((X.repeat(3, 1), torch.tensor(2.0)), "`gain` is a scalar"),
        ((X.repeat(3, 1), torch.ones(4)), "`x` 3, `gain` 4"),
        ((X.repeat(3, 1), torch.ones(3, 1)), "`output.1` is 1x4, and axis 0"),
    ],
)
def test_what_fixes_the_shapes_is_named(args: Any, reason: str) -> None:
    captured = capture(Apart().eval(), args)
    assert not captured.samples
    (found,) = captured.findings
    assert (found.code, found.severity) == ("samples-fixed", Severity.NOTE)
    assert reason in found.message
