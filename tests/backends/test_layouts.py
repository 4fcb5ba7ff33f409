"""Compiled networks on slices of any ratio, and against reference columns."""

from __future__ import annotations

import numpy as np
import pytest

from mcc.backends.crossbar import targets
from mcc.runtime.fidelity import Fidelity
from mcc.runtime.machine import Machine
from mcc.runtime.utilisation import occupancy
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


@pytest.mark.parametrize("subtraction", ["before", "after"])
def test_a_network_against_reference_columns_is_the_network(subtraction: str) -> None:
    """And takes the cells of one more column of weights in each of the tiles."""
    x = {"x": samples(wide(), 5, seed=8)}
    plain = targets.load("rram40nm").with_values(IDEAL | {"macro.encoding": "offset"})
    changes = {"macro.reference": "column", "macro.subtraction": subtraction}
    without, program = (program_for(wide(), it) for it in (plain, plain.with_values(changes)))
    right = Machine(without, Fidelity.EXACT).run(x).outputs["y"]
    for fidelity in Fidelity:
        np.testing.assert_array_equal(Machine(program, fidelity).run(x).outputs["y"], right)
    rows = sum(tile.rows for tile in program.tiles)
    (cells, _), (before, _) = (occupancy(it)["cells"] for it in (program, without))
    assert cells - before == 8 * rows
