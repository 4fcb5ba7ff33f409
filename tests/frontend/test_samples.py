from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

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


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("value", [0, 1])
@pytest.mark.parametrize("dtype", ["float32", "int64", "bool"])
def test_mixing_is_seen_through_a_normalization(dtype: str, value: int, count: int) -> None:
    def mix(inputs: Sequence[Array]) -> list[Array]:
        x = inputs[0].astype(np.float32)
        normal = (x - x.mean(1, keepdims=True)) / (x.std(1, keepdims=True) + np.float32(1e-3))
        return [x + normal.mean(0)]

    assert is_per_sample(mix, [np.full((count, 4), value, dtype)]) is False


def test_mixing_of_table_entries_is_seen() -> None:
    table = X.reshape(4, 3)

    def mix(inputs: Sequence[Array]) -> list[Array]:
        entries = table[inputs[0]].sum(1)
        return [entries - entries.mean(0)]

    for ids in (np.zeros((2, 3), np.int64), np.full((1, 3), 3), np.array([[1, 2, 3]])):
        assert is_per_sample(mix, [ids]) is False
        assert is_per_sample(lambda inputs: [table[inputs[0]]], [ids])


@pytest.mark.parametrize("limit", [100, -100])
def test_a_condition_on_all_samples_is_seen(limit: int) -> None:
    def jump(inputs: Sequence[Array]) -> list[Array]:
        x = inputs[0]
        beyond = x.max() > limit if limit > 0 else x.min() < limit
        return [-x if beyond else x]

    assert is_per_sample(jump, [X]) is False
    assert is_per_sample(lambda inputs: [np.where(inputs[0] > limit, -1, 1)], [X])


def test_an_input_that_has_one_legal_value_only_hides_nothing_of_the_others() -> None:
    def typed(inputs: Sequence[Array]) -> list[Array]:
        if inputs[1].any():
            raise IndexError("there is one type")
        return [inputs[0] * 2]

    assert is_per_sample(typed, [X[:1], np.zeros((1, 4), np.int64)])


def test_samples_that_cannot_be_told_apart_are_none() -> None:
    def constant(inputs: Sequence[Array]) -> list[Array]:
        if inputs[0].any():
            raise IndexError("there is one entry")
        return [inputs[0]]

    assert is_per_sample(constant, [np.zeros((2, 3), np.int64)]) is False


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
