"""Samples worked on in chunks: read noise is that of a sample's number, whatever its chunk."""

from __future__ import annotations

import numpy as np
import pytest

from mcc.runtime.arrays import Fidelity, ProgrammedArrays
from mcc.runtime.executor import MEMORY_LIMIT, Executor, bytes_per_sample
from mcc.runtime.host import HostGraphs
from tests.linear_program import Array, inputs, layer, program, small_target

CODE = program(small_target(), layer())
CHUNK = 3


def run(feeds: dict[str, Array], chunk: int | None, first_sample: int = 0) -> Array:
    """Run a linear layer at `device`, so many samples at once as `chunk` says."""
    limit = MEMORY_LIMIT if chunk is None else chunk * bytes_per_sample(CODE)
    arrays = ProgrammedArrays(CODE, Fidelity.DEVICE, seed=3)
    executor = Executor(CODE, arrays, HostGraphs(CODE.host_graphs), limit)
    samples = len(feeds["x"])
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
