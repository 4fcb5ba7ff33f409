"""Joules follow from events, seconds and the target, and from nothing else."""

from __future__ import annotations

import dataclasses

import pytest

from mcc.backends.crossbar import targets
from mcc.ir.hardware.schema import Energy
from mcc.ir.program import Events, count_events
from mcc.ir.program.events import FIELDS
from mcc.runtime.costs import costs_of
from mcc.runtime.energy import (
    COMPONENTS,
    dynamic_joules,
    joules_of_event,
    joules_of_run,
    static_watts,
)
from tests.linear_program import COLS, ROWS, STRIP, STRIPS, layer, program, small_target


def test_every_event_has_a_price_and_a_component() -> None:
    target = targets.load("rram40nm")
    prices = {f"{name.removesuffix('s')}_joules" for name in FIELDS}
    powers = {"core_static_watts", "chip_static_watts"}
    assert prices | powers == {field.name for field in dataclasses.fields(Energy)}
    assert set(COMPONENTS) == set(FIELDS)
    for name in FIELDS:
        found = dynamic_joules(Events(**{name: 3}), target).by_component
        assert found[COMPONENTS[name]] == pytest.approx(3 * joules_of_event(name, target))
        assert sum(value > 0 for value in found.values()) == 1


@pytest.mark.parametrize("path", [f"energy.{field.name}" for field in dataclasses.fields(Energy)])
def test_every_price_moves_the_energy(path: str) -> None:
    target = targets.load("rram40nm")
    values = target.values()
    dearer = target.with_values({path: 2 * float(values[path]) + 1e-12})
    events = Events(**dict.fromkeys(FIELDS, 7))
    assert joules_of_run(events, 1e-3, dearer).total > joules_of_run(events, 1e-3, target).total


def test_static_power_is_that_of_all_cores_and_the_chip() -> None:
    target = small_target(**{"energy.core_static_watts": 0.5, "energy.chip_static_watts": 0.25})
    assert static_watts(target) == 2 * 0.5 + 0.25
    assert joules_of_run(Events(), 4.0, target).by_component["static"] == pytest.approx(5.0)


def test_events_of_a_layer_are_those_of_its_size() -> None:
    code = program(small_target(), layer())
    found = count_events(code)
    phases, positions, slices = 8, STRIPS * STRIP, 7
    assert found.dac_drives == positions * ROWS * phases
    assert found.cell_reads == found.dac_drives * COLS * 2 * slices
    groups = 3
    assert found.adc_conversions == positions * phases * groups * COLS * slices
    assert found.cell_writes == found.host_operations == 0


def test_costs_are_counted_once_per_iteration() -> None:
    code = program(small_target(), layer())
    assert costs_of(code).events == count_events(code)
    assert costs_of(code).joules.times(2).total == pytest.approx(2 * costs_of(code).joules.total)
