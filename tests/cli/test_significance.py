"""Compiled networks on slices of any ratio: `exact` is the network, guard slices come near it."""

from __future__ import annotations

import numpy as np

from mcc.backends.crossbar import targets
from mcc.runtime.arrays import Fidelity
from mcc.runtime.machine import Machine
from tests.programmed_arrays import IDEAL
from tests.small_pipeline import program_for, samples, wide


def test_a_network_comes_nearer_with_every_guard_slice() -> None:
    x = {"x": samples(wide(), 5, seed=8)}
    plain = targets.load("rram40nm").with_values(IDEAL)
    right = Machine(program_for(wide(), plain), Fidelity.EXACT).run(x).outputs["y"]
    errors: list[float] = []
    for guards in (1, 5, 9):
        changes = {"macro.slice_overlap": 0.5, "macro.guard_slices": guards}
        program = program_for(wide(), plain.with_values(changes))
        found = {it: Machine(program, it).run(x).outputs["y"] for it in Fidelity}
        assert np.array_equal(found[Fidelity.EXACT], right)
        for fidelity in (Fidelity.DEVICE, Fidelity.WIRE):
            np.testing.assert_array_equal(found[fidelity], found[Fidelity.CONVERTER])
        errors.append(float(np.abs(found[Fidelity.CONVERTER] - right).std()))
    assert errors[0] > 3 * errors[1] > 9 * errors[2] > 0
