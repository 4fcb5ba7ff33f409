from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mcc.frontend.samples import close, common_count, is_per_sample
from mcc.ir.tensors import Array

X = np.linspace(-1, 1, 12, dtype=np.float32).reshape(3, 4)


def test_elementwise_is_per_sample() -> None:
    assert is_per_sample(lambda inputs: [inputs[0] * 2], [X])
    assert is_per_sample(lambda inputs: [inputs[0].sum(1)], [X[:1]])


def test_mixing_is_not_even_where_the_samples_are_alike() -> None:
    def mix(inputs: Sequence[Array]) -> list[Array]:
        return [inputs[0] - inputs[0].mean(0)]

    assert is_per_sample(mix, [X]) is False
    assert is_per_sample(mix, [np.ones((3, 4), np.float32)]) is False
    assert is_per_sample(mix, [np.zeros((1, 4), np.float32)]) is False


def test_an_output_without_samples() -> None:
    assert is_per_sample(lambda inputs: [np.ones(3)], [X]) is False


def test_a_network_for_one_sample_only() -> None:
    def one(inputs: Sequence[Array]) -> list[Array]:
        return [inputs[0].reshape(1, 4)]

    assert is_per_sample(one, [X[:1]]) is None
    assert is_per_sample(one, [X]) is None


def test_inputs_of_different_counts_have_no_samples() -> None:
    assert common_count([X, X[:1]]) is None
    assert common_count([np.array(1.0)]) is None
    assert is_per_sample(lambda inputs: list(inputs), [X, X[:1]]) is False


def test_closeness_is_relative_to_the_largest_value() -> None:
    assert close(X, X + np.float32(5e-5))
    assert not close(X, X + np.float32(5e-4))
    assert not close(X, X.astype(np.float64))
    assert not close(np.array([1, 2]), np.array([1, 3]))
    assert close(np.array([np.nan, 1]), np.array([np.nan, 1]))
    assert not close(np.array([np.inf, 1]), np.array([1, 1]))
