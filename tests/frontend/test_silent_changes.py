"""A module is captured as it computes, or refused with its reason: never something in between."""

from __future__ import annotations

import random
from typing import Any, cast

import numpy as np
import pytest
import torch
from torch import nn

from mcc.frontend import Capture, capture
from mcc.ir.diagnostics import Diagnostic, MccError
from mcc.ir.network import ReferenceExecutor

manual_seed: Any = cast(Any, torch).manual_seed
X = torch.linspace(-1, 1, 8).reshape(2, 4)


def refusal(module: nn.Module, *args: Any) -> list[Diagnostic]:
    with pytest.raises(MccError) as caught:
        capture(module, args)
    return list(caught.value.diagnostics)


def same_in_two_calls(module: nn.Module, captured: Capture, x: torch.Tensor, key: str = "") -> None:
    executor = ReferenceExecutor(captured.network)
    name = captured.signature.input_leaves[0].name
    for _ in range(2):
        with torch.no_grad():
            eager = module(x)
        eager = eager[key] if key else eager
        for index, row in enumerate(x):
            found = next(iter(executor.run({name: row[None].numpy()}).values()))
            np.testing.assert_allclose(found[0], eager[index].numpy(), rtol=1e-4, atol=1e-5)


class Counter(nn.Module):
    count: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("count", torch.zeros(3, 4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.count[0].add_(1)
        return x + self.count[0]


def test_mutated_buffer_is_refused_with_its_name_and_line() -> None:
    module = Counter()
    (found,) = refusal(module, X)
    assert found.code == "mutated-state"
    assert "`count`" in found.message
    assert found.location.file == "test_silent_changes.py"
    assert found.location.line == Counter.forward.__code__.co_firstlineno + 1
    assert not module.count.any()


def test_mutated_tensor_that_is_no_buffer_is_refused() -> None:
    class Plain(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.kept = torch.zeros(4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.kept.add_(1)
            return x + self.kept

    module = Plain()
    (found,) = refusal(module, X)
    assert found.code == "mutated-state"
    assert "`kept`" in found.message
    assert not module.kept.any()


def test_mutated_parameter_is_refused_and_keeps_its_value() -> None:
    class Learner(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.ones(4))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            with torch.no_grad():
                self.weight.mul_(2)
            return x * self.weight

    module = Learner()
    (found,) = refusal(module, X)
    assert found.code == "mutated-state"
    assert "`weight`" in found.message
    assert torch.equal(module.weight, torch.ones(4))


def test_state_in_python_is_found_by_the_second_call() -> None:
    class Previous(nn.Module):
        last: torch.Tensor | None = None

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            result = x if self.last is None else x + self.last
            self.last = result
            return result

    module = Previous()
    (found,) = refusal(module, X)
    assert found.code == "capture-differs"
    assert module.last is None


def test_input_changed_in_place_is_refused() -> None:
    class Changer(nn.Module):
        def forward(self, image: torch.Tensor) -> torch.Tensor:
            image.add_(1)
            return image * 2

    x = X.clone()
    (found,) = refusal(Changer(), x)
    assert found.code == "mutated-input"
    assert "`image`" in found.message
    assert found.location.line
    assert torch.equal(x, X)


def test_module_left_in_training_mode_is_captured_in_evaluation_mode() -> None:
    manual_seed(0)
    module = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Dropout(0.5))
    module(torch.randn(8, 4))
    assert module.training
    before = {name: value.clone() for name, value in module.state_dict().items()}
    captured = capture(module, X)
    assert module.training
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
    assert "evaluation-mode" in [item.code for item in captured.findings]
    same_in_two_calls(module.eval(), captured, X)


def test_module_that_stays_in_training_mode_is_refused() -> None:
    class Stubborn(nn.Module):
        def train(self, mode: bool = True) -> Stubborn:
            return super().train(True)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x * 2

    (found,) = refusal(nn.Sequential(Stubborn()), X)
    assert found.code == "training-mode"
    assert "`0`" in found.message


def test_normalization_by_the_batch_is_refused() -> None:
    (found,) = refusal(nn.Sequential(nn.BatchNorm1d(4, track_running_stats=False)), X)
    assert found.code == "training-mode"
    assert found.location.module == "0"


def test_forced_dropout_is_refused() -> None:
    class Forced(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return nn.functional.dropout(x, 0.5, training=True)

    (found,) = refusal(Forced(), X)
    assert found.code == "random-operator"
    assert found.location.line == Forced.forward.__code__.co_firstlineno + 1


@pytest.mark.parametrize(
    "draw",
    ["randn_like", "rand_like", "bernoulli"],
)
def test_random_noise_is_refused(draw: str) -> None:
    class Noisy(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x + getattr(torch, draw)(x.sigmoid())

    (found,) = refusal(Noisy(), X)
    assert found.code == "random-operator"


def test_noise_drawn_outside_of_torch_is_found_by_the_second_call() -> None:
    class Hidden(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x * random.random()

    (found,) = refusal(Hidden(), X)
    assert found.code == "capture-differs"


def test_decision_on_values_is_refused_at_its_line() -> None:
    class Branch(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x if x.sum() > 0 else -x

    (found,) = refusal(Branch(), X)
    assert found.code == "capture-failed"
    assert found.location.line == Branch.forward.__code__.co_firstlineno + 1


def test_operator_without_translation_is_refused_by_name() -> None:
    class Inverse(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return cast(Any, torch.linalg).inv(x)

    (found,) = refusal(Inverse(), torch.eye(3)[None])
    assert found.code == "operator-untranslated"
    assert "aten.linalg_inv" in found.message
    assert found.location.line == Inverse.forward.__code__.co_firstlineno + 1


def test_tied_weights_stay_one_constant() -> None:
    manual_seed(0)

    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = nn.Linear(4, 4, bias=False)
            self.second = nn.Linear(4, 4, bias=False)
            self.second.weight = self.first.weight

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.second(self.first(x).relu())

    module = Tied().eval()
    captured = capture(module, X)
    assert len(captured.network.graph.initializers) == 1
    same_in_two_calls(module, captured, X)


def test_type_that_cannot_be_judged_is_refused() -> None:
    (found,) = refusal(nn.Linear(4, 4).bfloat16(), X.bfloat16())
    assert found.code == "dtype-unsupported"


def test_weights_without_values_are_refused() -> None:
    for module in (nn.Linear(4, 4, device="meta"), nn.LazyLinear(4)):
        (found,) = refusal(module, X)
        assert found.code == "module-empty"
        assert "weight, bias" in found.message


def test_weight_norm_of_the_older_kind_is_captured() -> None:
    with pytest.warns(FutureWarning):
        module = nn.utils.weight_norm(nn.Linear(4, 3)).eval()  # pyright: ignore[reportDeprecated]
    captured = capture(module, X)
    same_in_two_calls(module, captured, X)


def test_eager_code_that_tracing_does_not_see_is_refused() -> None:
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    module = nn.TransformerEncoder(layer, 1).eval()
    padding = torch.tensor([[False, False, True]] * 2)
    with pytest.raises(MccError) as caught:
        capture(module, (torch.randn(2, 3, 8),), kwargs={"src_key_padding_mask": padding})
    assert caught.value.diagnostics[0].code == "capture-differs"


def test_tied_scores_are_refused() -> None:
    class Best(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.topk((x > -9).float(), 3).indices

    (found,) = refusal(Best(), torch.randn(2, 20))
    assert found.code == "capture-differs"
    assert "top-k" in found.help


class Mixed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            y = self.linear(x)
        return y.float()


def test_half_precision_inside_is_refused_with_its_line() -> None:
    (found,) = refusal(Mixed().eval(), X)
    assert found.code == "dtype-unsupported"
    assert "`aten.linear` computes in bfloat16" in found.message
    assert found.location.line == Mixed.forward.__code__.co_firstlineno + 2


TOKENS = torch.arange(12).reshape(2, 6) % 7
TINY: dict[str, Any] = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}


def test_mixture_of_experts_runs_every_expert() -> None:
    transformers = pytest.importorskip("transformers")
    manual_seed(0)
    config = transformers.MixtralConfig(
        **TINY,
        vocab_size=16,
        intermediate_size=32,
        num_key_value_heads=1,
        num_local_experts=3,
        num_experts_per_tok=2,
    )
    module = transformers.MixtralForCausalLM(config).eval()
    captured = capture(module, TOKENS)
    assert "capture-patched" in [item.code for item in captured.findings]
    assert config._experts_implementation != "mcc_dense_experts"
    assert config.use_cache
    assert captured.samples
    names = set(captured.network.graph.initializers)
    assert "model.layers.0.mlp.experts.down_proj.2" in names
    same_in_two_calls(module, captured, TOKENS, "logits")


def test_multi_query_attention_goes_back_to_an_older_opset() -> None:
    transformers = pytest.importorskip("transformers")
    manual_seed(0)
    config = transformers.FalconConfig(**TINY, vocab_size=16, multi_query=True)
    module = transformers.FalconForCausalLM(config).eval()
    captured = capture(module, TOKENS)
    assert "opset-retry" in [item.code for item in captured.findings]
    assert captured.network.graph.opset_imports[""] == 20
    same_in_two_calls(module, captured, TOKENS, "logits")
