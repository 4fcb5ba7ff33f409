"""Structure, samples, names and locations of captured torch modules."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, cast

import numpy as np
import pytest
import torch
from torch import fx, nn

from mcc.frontend import Capture, InputSpec, capture
from mcc.ir.diagnostics import MccError
from mcc.ir.network import ReferenceExecutor, Stage, location_of, stage_of, static_shape

manual_seed: Any = cast(Any, torch).manual_seed
export: Any = cast(Any, torch.export).export


def call(captured: Capture, *args: Any, **kwargs: Any) -> Any:
    """Run a captured network as the module would be called, one sample after another."""
    signature = captured.signature
    feeds = signature.flatten_inputs(args, kwargs)
    executor = ReferenceExecutor(captured.network)
    if not signature.samples:
        return signature.unflatten_outputs(executor.run(feeds))
    count = len(next(iter(feeds.values())))
    runs = [executor.run({k: v[i : i + 1] for k, v in feeds.items()}) for i in range(count)]
    joined = {name: np.concatenate([run[name] for run in runs]) for name in runs[0]}
    return signature.unflatten_outputs(joined)


class Pair(NamedTuple):
    left: torch.Tensor
    right: torch.Tensor


@dataclass
class Parts:
    total: torch.Tensor
    extra: Any


class Nested(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 3)

    def forward(
        self, x: dict[str, torch.Tensor], pair: list[torch.Tensor], *, scale: float, **more: Any
    ) -> dict[str, Any]:
        hidden = self.linear(x["image"]) * scale
        return {
            "pair": Pair(hidden, pair[0]),
            "list": [hidden.sum(1), None, 3],
            "parts": Parts(hidden + pair[1], (more["shift"] + 1,)),
        }


def test_nested_structures_come_back_as_the_module_has_them() -> None:
    manual_seed(0)
    module = Nested().eval()
    args = ({"image": torch.randn(3, 4)}, [torch.randn(3, 3), torch.randn(3, 3)])
    kwargs = {"scale": 2.0, "shift": torch.randn(3, 2)}
    captured = capture(module, args, kwargs=kwargs)
    names = [leaf.name for leaf in captured.signature.input_leaves]
    assert names == ["x.image", "pair.0", "pair.1", "shift"]
    assert captured.samples
    with torch.no_grad():
        eager = module(*args, **kwargs)
    found = call(captured, *args, **kwargs)
    assert list(found) == ["pair", "list", "parts"]
    np.testing.assert_allclose(found["pair"].left, eager["pair"].left.numpy(), rtol=1e-5)
    np.testing.assert_array_equal(found["pair"].right, args[1][0].numpy())
    np.testing.assert_allclose(found["list"][0], eager["list"][0].numpy(), rtol=1e-5)
    assert found["list"][1:] == [None, 3]
    np.testing.assert_allclose(found["parts"].total, eager["parts"].total.numpy(), rtol=1e-5)
    assert isinstance(found["parts"].extra, tuple)


def test_shapes_are_static_and_for_one_sample() -> None:
    captured = capture(nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten()), torch.randn(3, 1, 6, 6))
    assert stage_of(captured.network) is Stage.CAPTURED
    assert [value.shape for value in captured.network.graph.inputs] == [(1, 1, 6, 6)]
    assert all(static_shape(v) for node in captured.network.graph for v in node.outputs)
    assert len(captured.examples) == 3
    assert captured.certificate.passed
    assert captured.certificate.subject == "capture"


def test_one_example_is_enough_to_find_samples() -> None:
    assert capture(nn.Linear(4, 3), torch.randn(1, 4)).samples


class Mixing(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x - x.mean(0, keepdim=True)


@pytest.mark.parametrize("count", [1, 3])
def test_samples_that_see_each_other_are_one_input(count: int) -> None:
    captured = capture(Mixing(), torch.randn(count, 4))
    assert not captured.samples
    assert captured.signature.input_leaves[0].shape == (count, 4)


def test_recurrence_over_axis_0_is_no_batch() -> None:
    captured = capture(nn.LSTM(3, 4), torch.randn(5, 2, 3))
    assert not captured.samples


def test_an_input_without_samples_makes_one_input_of_all() -> None:
    class Two(nn.Module):
        def forward(self, x: torch.Tensor, gain: torch.Tensor) -> torch.Tensor:
            return x * gain

    captured = capture(Two(), (torch.randn(3, 4), torch.tensor(2.0)))
    assert not captured.samples
    assert captured.signature.input_leaves[1].shape == ()


def test_module_that_only_takes_one_sample() -> None:
    class One(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.view(1, 4) * 2

    assert not capture(One(), torch.randn(1, 4)).samples


def test_inputs_and_parameters_may_be_outputs() -> None:
    class Echo(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table = nn.Parameter(torch.arange(3.0))

        def forward(self, x: torch.Tensor) -> Any:
            return x, self.table, x, x + 1

    x = torch.randn(2, 3)
    first, table, again, more = call(capture(Echo(), x), x)
    np.testing.assert_array_equal(first, x.numpy())
    np.testing.assert_array_equal(table, np.arange(3.0))
    np.testing.assert_array_equal(again, x.numpy())
    np.testing.assert_array_equal(more, x.numpy() + 1)


def test_unused_inputs_stay_inputs() -> None:
    class Ignoring(nn.Module):
        def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
            return x * 2

    captured = capture(Ignoring(), (torch.randn(2, 3), torch.ones(2, 3)))
    assert [value.name for value in captured.network.graph.inputs] == ["x", "mask"]


def test_names_and_locations_are_the_users() -> None:
    class Small(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head = nn.Linear(4, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.head(x).relu()

    captured = capture(Small(), torch.randn(2, 5, 4))
    graph = captured.network.graph
    assert {"head.weight", "head.bias"} <= set(graph.initializers)
    line = Small.forward.__code__.co_firstlineno + 1
    for node in graph:
        assert location_of(node).file == "test_torch_capture.py"
        assert location_of(node).line == line
    assert location_of(graph[0]).module == "head"
    text = str(captured.network) + str([dict(node.metadata_props) for node in graph])
    assert "site-packages" not in text
    assert str(captured.provenance).find("/") < 0


def test_examples_by_name_and_by_shape() -> None:
    module = nn.Bilinear(3, 4, 2)
    by_name = capture(module, {"input1": np.ones((2, 3), "f"), "input2": torch.ones(2, 4)})
    by_shape = capture(
        module, input_shapes={"input1": (1, 3), "input2": InputSpec((1, 4), "float32")}
    )
    assert by_name.signature == by_shape.signature


def test_integer_examples_are_small() -> None:
    spec = InputSpec((1, 6), "int64")
    captured = capture(nn.Embedding(2, 4), input_shapes={"input": spec})
    assert captured.signature.input_leaves[0].dtype == "int64"


@pytest.mark.parametrize(
    ("inputs", "code"),
    [
        (None, "example-inputs"),
        ((), "example-inputs"),
        ((torch.ones(2, 4), torch.ones(2, 4)), "example-inputs"),
        ((torch.ones(2, 5),), "example-inputs"),
        ((torch.ones(0, 4),), "input-shape"),
        ((torch.full((1, 4), torch.nan),), "input-not-finite"),
        ((torch.ones(1, 4).bfloat16(),), "dtype-unsupported"),
        ((object(),), "input-unsupported"),
    ],
)
def test_bad_examples_are_refused(inputs: Any, code: str) -> None:
    with pytest.raises(MccError) as caught:
        capture(nn.Linear(4, 3), inputs)
    assert [item.code for item in caught.value.diagnostics] == [code]


def test_a_wrong_input_name_offers_the_nearest() -> None:
    with pytest.raises(MccError, match="did you mean `input`"):
        capture(nn.Linear(4, 3), input_shapes={"imput": (1, 4)})


def test_output_of_another_kind_is_refused() -> None:
    class Odd(nn.Module):
        def forward(self, x: torch.Tensor) -> Any:
            return {"x": x, "set": {1, 2}}

    with pytest.raises(MccError, match="output-unsupported"):
        capture(Odd(), torch.ones(1, 2))


def test_something_else_is_refused() -> None:
    with pytest.raises(MccError, match="source-unsupported"):
        capture(cast(Any, 3))


class Keyword(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 3)

    def forward(self, x: torch.Tensor, *, y: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        return {"sum": self.linear(x).relu() + y["z"]}


@pytest.mark.parametrize("dynamic", [False, True])
def test_exported_program(dynamic: bool) -> None:
    module = Keyword().eval()
    count = 3 if dynamic else 1
    x, y = torch.randn(count, 4), {"z": torch.randn(count, 3)}
    size = {0: torch.export.Dim.DYNAMIC}
    shapes = {"x": size, "y": {"z": size}} if dynamic else None
    program = export(module, (x,), {"y": y}, dynamic_shapes=shapes)
    captured = capture(program)
    assert captured.samples
    repeated = "samples-repeated" in [item.code for item in captured.findings]
    assert repeated != dynamic
    assert location_of(captured.network.graph[0]).file == "test_torch_capture.py"
    assert "linear.weight" in captured.network.graph.initializers
    x, y = torch.randn(4, 4), {"z": torch.randn(4, 3)}
    with torch.no_grad():
        eager = module(x, y=y)["sum"]
    np.testing.assert_allclose(call(captured, x, y=y)["sum"], eager.numpy(), rtol=1e-4, atol=1e-6)


def test_graph_module() -> None:
    module = nn.Sequential(nn.Linear(4, 3), nn.ReLU()).eval()
    captured = capture(fx.symbolic_trace(module), torch.randn(2, 4))
    assert captured.samples
    assert location_of(captured.network.graph[0]).module == "0"


def test_the_result_of_transformers_is_a_dict() -> None:
    transformers = pytest.importorskip("transformers")
    config = transformers.BertConfig(
        vocab_size=16,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
    )
    module = transformers.BertModel(config).eval()
    ids = torch.arange(10).reshape(2, 5)
    captured = capture(module, kwargs={"input_ids": ids, "attention_mask": torch.ones_like(ids)})
    found = call(captured, input_ids=ids, attention_mask=torch.ones_like(ids))
    assert set(found) == {"last_hidden_state", "pooler_output"}
    file = location_of(captured.network.graph[-1]).file
    assert file.startswith("transformers/models/bert/")


class Keys(nn.Module):
    """Takes and gives dicts in which two ways lead to one path."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 3)

    def forward(self, x: dict[str, Any]) -> dict[str, Any]:
        return {"a.b": self.linear(x["a.b"]), "a": {"b": -self.linear(x["a"]["b"])}}


def test_tensors_of_one_path_are_kept_apart() -> None:
    manual_seed(0)
    module = Keys().eval()
    x = {"a.b": torch.randn(2, 4), "a": {"b": torch.randn(2, 4)}}
    captured = capture(module, (x,))
    assert [leaf.name for leaf in captured.signature.input_leaves] == ["x.a.b", "x.a.b_2"]
    with torch.no_grad():
        eager = module(x)
    found = call(captured, x)
    np.testing.assert_allclose(found["a.b"], eager["a.b"].numpy(), rtol=1e-5)
    np.testing.assert_allclose(found["a"]["b"], eager["a"]["b"].numpy(), rtol=1e-5)
