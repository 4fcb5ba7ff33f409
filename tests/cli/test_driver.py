"""What `mcc.compile` takes besides the network, in the forms that users have it."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import mcc
from mcc.passes import parse_passes

manual_seed: Any = cast(Any, torch).manual_seed
X = torch.linspace(-1, 1, 64).reshape(8, 8)
LABELS = torch.zeros(8)


class Sum(nn.Module):
    """Takes two inputs."""

    def __init__(self) -> None:
        super().__init__()
        self.left, self.right = nn.Linear(8, 4), nn.Linear(8, 4)

    def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return self.left(x) + self.right(y)


def compiled(**options: Any) -> mcc.Program:
    manual_seed(0)
    options.setdefault("calibration", X)
    return mcc.compile(nn.Linear(8, 4), X[:2], **options)


def same(*programs: mcc.Program) -> bool:
    first, *rest = (program.artifact.network for program in programs)
    return all(network == first for network in rest)


def test_calibration_may_come_in_many_forms() -> None:
    loader: Any = DataLoader(TensorDataset(X), batch_size=3)
    forms: list[Any] = [X.numpy(), (X,), [X[:3], X[3:]], {"input": X}, loader, iter(loader)]
    assert same(compiled(), *(compiled(calibration=form) for form in forms))


def test_a_tuple_of_arrays_is_one_batch_of_several_inputs() -> None:
    manual_seed(0)
    module = Sum()
    programs = [
        mcc.compile(module, (X[:2], X[:2]), calibration=form)
        for form in ((X, X), [(X, X)], {"x": X, "y": X}, ((X[:4], X[:4]), (X[4:], X[4:])))
    ]
    assert same(*programs)


class Nested(nn.Module):
    """Takes a dict, a tensor and a number."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(8, 4)

    def forward(
        self, data: dict[str, torch.Tensor], scale: torch.Tensor, factor: float = 1.0
    ) -> torch.Tensor:
        return self.layer(data["x"]) * scale * factor


def test_a_batch_names_arguments_or_tensors_and_may_leave_out_what_is_none() -> None:
    manual_seed(0)
    module, scale = Nested(), X[:, :1]
    example = ({"x": X[:2]}, scale[:2], 0.5)
    batches: list[Any] = [
        {"data": {"x": X}, "scale": scale},
        {"data.x": X, "scale": scale},
        ({"x": X}, scale, 0.5),
    ]
    programs = [mcc.compile(module, example, calibration=[batch]) for batch in batches]
    assert same(*programs)
    run = mcc.Machine(programs[0], "exact")
    assert np.array_equal(run({"x": X}, scale, 0.5), run({"x": X}, scale=scale, factor=0.5))
    with pytest.raises(mcc.MccError, match="input `factor` is not given"):
        run({"x": X}, scale)


class Threshold(nn.Module):
    """Does something else as soon as one sample is large."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(8, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.layer(x)
        return torch.where((x[:, :1] * 1000).round().long().max() == 1234, -y, y)


def test_samples_that_see_each_other_on_the_calibration_data_are_refused() -> None:
    manual_seed(0)
    data = X.clone()
    data[3, 0] = 1.234
    with pytest.raises(mcc.MccError, match="run together give other results") as caught:
        mcc.compile(Threshold(), X[:2], calibration=data)
    assert [item.code for item in caught.value.diagnostics] == ["samples-dependent"]


@pytest.mark.parametrize(
    ("calibration", "code", "words"),
    [
        (DataLoader(cast(Any, TensorDataset(X, LABELS))), "input-unknown", "without labels"),
        (16, "option-value", "calibration is int"),
        (X[0], "input-shape", r"input\[None\]"),
        ([], "calibration-empty", "no sample"),
    ],
)
def test_what_is_no_calibration(calibration: Any, code: str, words: str) -> None:
    with pytest.raises(mcc.MccError, match=words) as caught:
        compiled(calibration=calibration)
    assert [item.code for item in caught.value.diagnostics] == [code]


def test_passes_and_values_of_the_target_are_texts_or_objects() -> None:
    text = "canonicalize,quantize{weight_bits=4},place,tile"
    parts = ["canonicalize", *parse_passes("quantize{weight_bits=4}"), "place,tile"]
    assert same(*(compiled(passes=form) for form in (text, parse_passes(text), parts)))


@pytest.mark.parametrize("passes", [1, None, [1], ["canonicalize,quantize", 2], [type]])
def test_passes_that_are_none(passes: Any) -> None:
    with pytest.raises(mcc.MccError, match="neither a string nor a pass") as problem:
        compiled(passes=passes)
    assert problem.value.diagnostics[0].code == "option-value"
    texts, numbers = ({"macro.adc.bits": bits} for bits in ("6", 6))
    assert compiled(overrides=texts).target == compiled(overrides=numbers).target
