"""Samples worked on in chunks: what a sample gives depends on its number, not on its chunk."""

from __future__ import annotations

import copy

import numpy as np
import pytest

from mcc.runtime.arrays import ProgrammedArrays
from mcc.runtime.executor import MEMORY_LIMIT, Executor, bytes_per_sample
from mcc.runtime.fidelity import Fidelity
from mcc.runtime.host import HostGraphs
from tests.linear_program import Array, inputs, layer, program, small_target

CODE = program(small_target(), layer())
CHUNK = 3


def executor_of(chunk: int | None = None) -> Executor:
    """Return what runs a linear layer at `device`, `chunk` samples at once."""
    limit = MEMORY_LIMIT if chunk is None else chunk * bytes_per_sample(CODE)
    arrays = ProgrammedArrays(CODE, Fidelity.DEVICE, seed=3)
    return Executor(CODE, arrays, HostGraphs(CODE.host_graphs), limit)


def run(feeds: dict[str, Array], chunk: int | None, first_sample: int = 0) -> Array:
    executor, samples = executor_of(chunk), len(feeds["x"])
    assert executor.chunk(samples) == min(samples, chunk or samples)
    return executor.run(feeds, first_sample=first_sample)["y"]


@pytest.mark.parametrize("chunk", [1, 2, CHUNK, 5])
@pytest.mark.parametrize("first", [0, 2])
def test_chunks_change_no_bit(chunk: int, first: int) -> None:
    x = inputs(2 * CHUNK + 2)["x"]
    assert np.array_equal(run({"x": x[first:]}, chunk, first), run({"x": x}, None)[first:])


def test_equal_inputs_in_two_chunks_have_noise_of_their_own() -> None:
    once = inputs(CHUNK)["x"]
    found = run({"x": np.concatenate([once, once])}, CHUNK)
    for first, second in zip(found[:CHUNK], found[CHUNK:], strict=True):
        assert not np.array_equal(first, second)


def test_runs_after_each_other_do_not_mix() -> None:
    executor, x = executor_of(), inputs(8)["x"]
    whole = executor_of().run({"x": x})["y"]
    for samples in (slice(0, 8), slice(4, 8), slice(1, 5), slice(2, 3), slice(0, 8)):
        found = executor.run({"x": x[samples]}, first_sample=samples.start)["y"]
        assert np.array_equal(found, whole[samples])


def test_a_copy_runs_apart_from_its_original() -> None:
    executor, x = executor_of(), inputs(8)["x"]
    wanted = executor.run({"x": x})["y"]
    twin = copy.deepcopy(executor)
    executor.run({"x": 0 * x})
    assert np.array_equal(twin.run({"x": x})["y"], wanted)
