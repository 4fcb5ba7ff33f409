"""Samples worked on in chunks: what a sample gives depends on its number, not on its chunk."""

from __future__ import annotations

import copy

import numpy as np
import pytest

from mcc.ir.diagnostics import MccError, error
from mcc.runtime.arrays import Fidelity, ProgrammedArrays
from mcc.runtime.executor import MEMORY_LIMIT, Executor, bytes_per_sample
from mcc.runtime.host import HostGraphs
from tests.linear_program import Array, inputs, layer, program, small_target

CODE = program(small_target(), layer())
CHUNK = 3


def executor_of(chunk: int | None = None, threads: int = 1) -> Executor:
    """Return what runs a linear layer at `device`, `chunk` samples at once on each thread."""
    limit = MEMORY_LIMIT if chunk is None else chunk * threads * bytes_per_sample(CODE)
    arrays = ProgrammedArrays(CODE, Fidelity.DEVICE, seed=3, threads=threads)
    return Executor(CODE, arrays, HostGraphs(CODE.host_graphs), limit, threads)


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


@pytest.mark.parametrize("threads", [2, 3, 20])
@pytest.mark.parametrize("chunk", [None, 1, 2])
def test_threads_change_no_bit(threads: int, chunk: int | None) -> None:
    feeds = inputs(3 * CHUNK + 1)
    wanted = executor_of().run(feeds, first_sample=5)["y"]
    executor = executor_of(chunk, threads)
    assert np.array_equal(executor.run(feeds, first_sample=5)["y"], wanted)


def test_runs_after_each_other_do_not_mix() -> None:
    executor, x = executor_of(threads=2), inputs(8)["x"]
    whole = executor_of().run({"x": x})["y"]
    for samples in (slice(0, 8), slice(4, 8), slice(1, 5), slice(2, 3), slice(0, 8)):
        found = executor.run({"x": x[samples]}, first_sample=samples.start)["y"]
        assert np.array_equal(found, whole[samples])


def test_a_copy_runs_apart_from_its_original() -> None:
    executor, x = executor_of(threads=2), inputs(8)["x"]
    wanted = executor.run({"x": x})["y"]
    twin = copy.deepcopy(executor)
    executor.run({"x": 0 * x})
    assert np.array_equal(twin.run({"x": x})["y"], wanted)


def test_all_that_is_told_adds_up_and_grows() -> None:
    told: list[float] = []
    executor_of(1, threads=3).run(inputs(7), progress=told.append)
    assert told == sorted(told)
    assert told[-1] == 1.0


def test_an_observer_is_told_in_the_order_of_the_samples() -> None:
    seen: list[int] = []
    executor_of(1, threads=2).run(inputs(5), lambda it: seen.append(it.first_sample))
    assert seen == sorted(seen)
    assert set(seen) == {0, 2, 4}


def test_an_error_of_one_thread_ends_them_all(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = ProgrammedArrays.start

    def start(self: ProgrammedArrays, first_sample: int = 0) -> None:
        if first_sample == 4:
            raise error("host-failed", "sample 4")
        plain(self, first_sample)

    monkeypatch.setattr(ProgrammedArrays, "start", start)
    told: list[float] = []
    with pytest.raises(MccError, match="sample 4"):
        executor_of(1, threads=2).run(inputs(1000), progress=told.append)
    assert told[-1] < 0.9
