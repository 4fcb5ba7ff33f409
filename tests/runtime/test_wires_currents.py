"""Arrays with source lines, in every form of array and with every converter."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mcc.runtime.arrays import ProgrammedArrays
from mcc.runtime.fidelity import Fidelity
from tests.runtime.test_arrays import programmed, random_codes, random_weights, small_target

NO_LINES = {
    f"wires.{name}": 0.0
    for name in ("word_ohm", "bit_ohm", "source_ohm", "driver_ohm", "sense_ohm", "switch_ohm")
}
FORMS: dict[str, dict[str, Any]] = {
    "after": {"macro.encoding": "differential", "macro.subtraction": "after"},
    "two_sided": {"macro.encoding": "differential", "macro.differential": "two_sided"},
    "reference": {"macro.encoding": "offset", "macro.reference": "column"},
    "reference_after": {
        "macro.encoding": "offset",
        "macro.reference": "column",
        "macro.subtraction": "after",
    },
    "overlap": {"cell.bits": 2, "macro.slice_overlap": 1},
    "flipped": {"macro.encoding": "offset", "macro.column_flip": True},
    "summed": {"macro.accumulation": "analog", "macro.adc.bits": 20},
    "converters": {"macro.adc.kind": "sar", "macro.adc.mismatch": 0.02, "macro.adc.bits": 8},
    "noise": {"macro.adc.noise": 1.0, "macro.adc.offset": 0.5, "macro.adc.bits": 14},
}


@pytest.mark.parametrize("form", FORMS)
def test_without_resistance_the_feed_does_not_matter(form: str) -> None:
    """Nor for the noise of reads; the rounding of the kernel moves a sum now and then."""
    target = small_target(macro__column_flip=False).with_values({**NO_LINES, **FORMS[form]})
    found = [
        ProgrammedArrays(
            programmed(target.with_values({"wires.feed": feed}), random_weights()),
            Fidelity.WIRE,
            seed=3,
        ).multiply(0, random_codes())
        for feed in ("source_line", "word_line")
    ]
    assert np.mean(found[0] == found[1]) > 0.8
    assert np.abs(found[0] - found[1]).max() < 0.05 * np.abs(found[0]).max()


@pytest.mark.parametrize("form", FORMS)
def test_lines_take_something_away(form: str) -> None:
    target = small_target(macro__column_flip=False).with_values(FORMS[form])
    target = target.with_values({"cell.read_noise": 0.0, "wires.feed": "source_line"})
    found = [
        ProgrammedArrays(programmed(it, random_weights()), Fidelity.WIRE, 3).multiply(
            0, random_codes()
        )
        for it in (target, target.with_values({"wires.bit_ohm": 50.0}))
    ]
    assert (found[0] != found[1]).any()
