"""Noise of a crossbar: its mean and variance are those of its cells; seeds and resets repeat it."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import mcc
from mcc.runtime.devices import unit_siemens
from tests.crossbars import noisy_crossbar, small_target, whole_vectors, whole_weights

READS, NOISE = 20_000, 0.1
ROWS, COLS = 6, 20


def noisy(encoding: str) -> mcc.Crossbar:
    """Return a crossbar of one phase and one slice, whose sums are far larger than a code."""
    changes = {"cell__read_noise": NOISE, "cell__write_error": 0.2}
    return noisy_crossbar(ROWS, COLS, encoding, **changes)


@pytest.mark.parametrize("encoding", ["differential", "offset"])
def test_mean_and_variance_follow_from_the_cells(encoding: str) -> None:
    a = noisy(encoding)
    x = whole_vectors(1, COLS, 5)[0]
    reads = a @ np.tile(x[:, None], READS)
    per_cell = (x[:, None] * NOISE * a.conductances / unit_siemens(a.target.cell)) ** 2
    variance = per_cell.sum(axis=0).reshape(ROWS, -1).sum(axis=1) + 1 / 12
    assert np.abs(reads.mean(axis=1) - np.asarray(a) @ x).max() < 5 * np.sqrt(
        variance.max() / READS
    )
    assert np.abs(reads.var(axis=1) / variance - 1).max() < 5 * np.sqrt(2 / READS) + 2**-8


@pytest.mark.parametrize("encoding", ["differential", "offset"])
def test_transposed_reads_have_the_noise_of_the_same_cells(encoding: str) -> None:
    a = noisy(encoding)
    y = whole_vectors(1, ROWS, 5)[0]
    reads = np.tile(y, (READS, 1)) @ a
    columns = a.conductances.reshape(COLS, ROWS, -1)
    per_cell = (y[:, None] * NOISE * columns / unit_siemens(a.target.cell)) ** 2
    variance = per_cell.sum(axis=(1, 2)) + columns.shape[2] / 12
    assert np.abs(reads.mean(axis=0) - y @ np.asarray(a)).max() < 5 * np.sqrt(
        variance.max() / READS
    )
    assert np.abs(reads.var(axis=0) / variance - 1).max() < 5 * np.sqrt(2 / READS) + 2**-8


def test_seeds_and_resets_repeat_products() -> None:
    weights, x = whole_weights(9, 30), whole_vectors(2, 30).T
    a, b = (mcc.Crossbar(weights, small_target(), "device", seed=7, threads=n) for n in (1, 3))
    first, second = a @ x, a @ x
    assert not np.array_equal(first, second)
    assert np.array_equal(b @ x, first)
    assert np.array_equal(b @ x, second)
    assert np.array_equal(a.reset() @ x, first)
    turned = whole_vectors(2, 9) @ a.reset()
    assert np.array_equal(whole_vectors(2, 9) @ b.reset(), turned)
    other = mcc.Crossbar(weights, small_target(), "device", seed=8)
    assert not np.array_equal(np.asarray(other), np.asarray(a))


def test_the_noise_of_a_vector_does_not_depend_on_its_company() -> None:
    a = mcc.Crossbar(whole_weights(9, 30), small_target(), "device", seed=7)
    x = whole_vectors(4, 30).T
    assert np.array_equal(a.reset() @ x[:, :1], (a.reset() @ x)[:, :1])


def pickled(a: mcc.Crossbar) -> mcc.Crossbar:
    return pickle.loads(pickle.dumps(a))


@pytest.mark.parametrize("copied", [copy.deepcopy, pickled])
def test_copies_are_the_same_chip(copied: Callable[[Any], Any]) -> None:
    a = mcc.Crossbar(whole_weights(9, 30), small_target(), "device", seed=7)
    x, y = whole_vectors(2, 30).T, whole_vectors(2, 9)
    first = a @ x, y @ a
    assert first[0].shape == (9, 2)
    other = copied(a)
    assert np.array_equal(np.asarray(other), np.asarray(a))
    assert np.array_equal(other @ x, a @ x)
    assert np.array_equal(y @ other, y @ a)


def test_programming_writes_with_new_errors() -> None:
    weights, other = whole_weights(9, 30), whole_weights(9, 30, seed=4)
    a = mcc.Crossbar(weights, small_target(cell__read_noise=0.0), "device", seed=7)
    view, before = a.T, np.asarray(a)
    y = whole_vectors(2, 9)
    first = y @ a
    assert a.program() is a
    assert a.writes == 2
    assert not np.array_equal(np.asarray(a), before)
    assert not np.array_equal(y @ a, first)
    assert np.array_equal(np.asarray(view), np.asarray(a).T)
    again = mcc.Crossbar(weights, small_target(cell__read_noise=0.0), "device", seed=7).program()
    assert np.array_equal(np.asarray(again), np.asarray(a))
    a.reset()
    assert np.array_equal(np.asarray(again), np.asarray(a))
    exact = mcc.Crossbar(weights, small_target(), "exact")
    assert np.array_equal(np.asarray(exact.program(other)), other)
    assert np.array_equal(exact @ whole_vectors(2, 30).T, other @ whole_vectors(2, 30).T)
