"""A hand-made linear layer on two cores, against the numbers it must give."""

from __future__ import annotations

import numpy as np
import pytest

from mcc.ir.diagnostics import MccError
from mcc.ir.program import Stream
from mcc.ir.program.places import Place
from mcc.runtime.costs import costs_of
from mcc.runtime.energy import static_watts
from mcc.runtime.fidelity import Fidelity
from mcc.runtime.machine import Machine
from mcc.runtime.observation import Collector
from tests.linear_program import (
    COLS,
    ROWS,
    STRIP,
    U8,
    Array,
    expected,
    inputs,
    layer,
    places,
    program,
    small_target,
)


@pytest.mark.parametrize("fidelity", [Fidelity.EXACT, Fidelity.CONVERTER])
def test_every_number_is_the_layers(fidelity: Fidelity) -> None:
    values, feeds = layer(), inputs(6)
    collector = Collector(places(), 6)
    run = Machine(program(small_target(), values), fidelity).run(feeds, collector)
    wanted = expected(values, feeds["x"])
    found = collector.values()
    assert np.array_equal(found["codes"], wanted["codes"])
    assert np.array_equal(found["sums"], wanted["sums"])
    assert run.outputs["y"].dtype == np.float32
    assert np.array_equal(run.outputs["y"], wanted["y"])
    assert not collector.unplaced


def test_chip_instances_differ_and_repeat() -> None:
    code, feeds = program(small_target(), layer()), inputs(3)
    first, again, other = (
        Machine(code, Fidelity.DEVICE, seed).run(feeds).outputs["y"] for seed in (1, 1, 2)
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_samples_are_numbered_over_all_runs_of_a_machine() -> None:
    code, feeds = program(small_target(), layer()), inputs(4)
    together = Machine(code, Fidelity.DEVICE, seed=3).run(feeds).outputs["y"]
    machine = Machine(code, Fidelity.DEVICE, seed=3)
    parts = [machine.run({"x": feeds["x"][rows]}).outputs["y"] for rows in (slice(1), slice(1, 4))]
    assert np.array_equal(together, np.concatenate(parts))
    last = machine.run({"x": feeds["x"][3:]}, first_sample=3).outputs["y"]
    assert np.array_equal(together[3:], last)
    assert machine.run({"x": feeds["x"][:0]}).outputs["y"].shape == (0, 12, COLS)


def test_every_read_has_noise_of_its_own() -> None:
    machine = Machine(program(small_target(), layer()), Fidelity.DEVICE, seed=3)
    feeds = inputs(1)
    outputs = [machine.run(feeds).outputs["y"] for _ in range(8)]
    repeated = machine.run({"x": np.repeat(feeds["x"], 8, axis=0)}).outputs["y"]
    spreads = [np.std(np.concatenate(outputs), axis=0), np.std(repeated, axis=0)]
    assert min(spread.max() for spread in spreads) > 0


def test_costs_do_not_depend_on_the_data_and_add_up() -> None:
    target = small_target()
    machine = Machine(program(target, layer()))
    one, many = machine.run(inputs(1, 2)), machine.run(inputs(5, 3))
    assert one.cycles == one.cycles_per_sample == many.cycles_per_sample
    assert many.cycles == 5 * one.cycles
    assert many.seconds == pytest.approx(5 * one.cycles / target.chip.clock_hertz)
    assert many.joules == pytest.approx(sum(many.joules_by_component.values()))
    assert many.joules_by_component["static"] == pytest.approx(many.seconds * static_watts(target))


def test_costs_can_be_handed_on() -> None:
    code = program(small_target(), layer())
    costs = costs_of(code)
    machine = Machine(code, costs=costs)
    assert machine.costs is costs


def test_a_trace_is_of_one_sample() -> None:
    machine = Machine(program(small_target(), layer()))
    run = machine.run(inputs(2), trace=True)
    assert run.trace is not None
    assert run.trace.records[:, 3].max() <= run.cycles_per_sample
    assert machine.run(inputs(2)).trace is None


@pytest.mark.parametrize(
    ("feeds", "code"),
    [
        ({}, "input-missing"),
        ({"x": np.zeros((2, 12, 21), np.float32)}, "input-shape"),
        ({"x": np.zeros((), np.float32)}, "input-shape"),
        ({"x": np.zeros((2, 12, 20))}, "input-dtype"),
    ],
)
def test_inputs_of_another_form_are_refused(feeds: dict[str, Array], code: str) -> None:
    machine = Machine(program(small_target(), layer()))
    with pytest.raises(MccError) as caught:
        machine.run(feeds)
    assert caught.value.diagnostics[0].code == code


def test_a_wrong_observation_is_noticed() -> None:
    values, feeds = layer(), inputs(1)
    wrong = places() | {(0, 6): Place("codes", (12, ROWS), Stream.dense(U8, 0, (STRIP, ROWS)))}
    collector = Collector(wrong, 1)
    with pytest.raises(ValueError, match="two values"):
        Machine(program(small_target(), values)).run(feeds, collector)


def test_what_was_never_observed_is_noticed() -> None:
    feeds = inputs(1)
    more = places() | {(1, 0): Place("other", (1,), Stream.dense(U8, 0, (1,)))}
    collector = Collector(more, 1)
    Machine(program(small_target(), layer())).run(feeds, collector)
    with pytest.raises(ValueError, match="not every element of other"):
        collector.values()
    fewer = {at: place for at, place in places().items() if place.value == "sums"}
    collector = Collector(fewer, 1)
    Machine(program(small_target(), layer())).run(feeds, collector)
    assert collector.unplaced == {"layer"}
