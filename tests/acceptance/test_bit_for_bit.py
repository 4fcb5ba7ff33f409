"""Every integer, output and cycle of whole networks against the independent judges."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, cast, final

import numpy as np
import pytest

from mcc.backends.crossbar import targets
from mcc.backends.crossbar.generate import Generation, generate
from mcc.frontend import capture
from mcc.ir.network import Feeds, Network, ReferenceExecutor, Unit, placement_of
from mcc.ir.program.encoding import decode, encode
from mcc.ir.program.hazards import check_hazards
from mcc.passes import DEFAULT_PIPELINE, PassContext, Step, parse_passes, run_pipeline
from mcc.runtime.clock import clock
from mcc.runtime.fidelity import Fidelity
from mcc.runtime.least import bound, work
from mcc.runtime.machine import Machine
from mcc.runtime.observation import Collector
from mcc.runtime.stepper import step_through
from tests.acceptance import networks
from tests.acceptance.networks import Source, build

TARGETS = ("rram40nm", "isaac")
SLOW = (networks.resnet32,)
MANY_CYCLES = (networks.resnet20, networks.resnet32)
"""Ten million and more to step through one by one."""
WIDE_BITS = 14
"""More than any sum of the rows of these targets needs."""
Make = Callable[[], Source]


def cases(slow: tuple[Make, ...] = SLOW) -> Any:
    """Every network on every target."""
    made = [
        pytest.param(make, target, id=f"{make.__name__}-{target}", marks=_marks(make in slow))
        for make in (*networks.SMALL, *networks.TRAINED)
        for target in TARGETS
    ]
    return pytest.mark.parametrize(("make", "target"), made)


def _marks(slow: bool) -> list[Any]:
    return [pytest.mark.slow] if slow else []


@final
@dataclass(frozen=True)
class Compiled:
    """A network through the whole compiler."""

    network: Network
    made: Generation
    feeds: dict[str, Any]
    """Two samples, on axis 0."""
    steps: tuple[Step, ...]


@cache
def captured(make: Make) -> tuple[Network, tuple[Feeds, ...]]:
    source = build(make)
    found = capture(source.module, source.args, kwargs=source.kwargs or None)
    assert found.certificate.passed
    return found.network, source.samples or found.examples


@cache
def compiled(make: Make, target: str, converter_bits: int | None = None) -> Compiled:
    network, examples = captured(make)
    chip = targets.load(target)
    if converter_bits is not None:
        chip = chip.with_values({"macro.adc.bits": converter_bits})
    context = PassContext(target=chip, calibration=examples[:2])
    outcome = run_pipeline(network, parse_passes(DEFAULT_PIPELINE), context)
    samples = examples[-2:]
    feeds = {name: np.stack([sample[name] for sample in samples]) for name in samples[0]}
    made = generate(outcome.network, chip)
    return Compiled(outcome.network, made, feeds, outcome.steps)


def assert_same_arrays(found: dict[str, Any], expected: dict[str, Any]) -> None:
    assert set(found) == set(expected)
    for name, array in found.items():
        assert array.dtype == expected[name].dtype, name
        np.testing.assert_array_equal(array, expected[name], err_msg=name)


def observed(made: Generation, feeds: dict[str, Any], fidelity: Fidelity) -> tuple[Any, Any]:
    """Run a program; return its outputs and all integers that its hardware made."""
    collector = Collector(made.places, len(next(iter(feeds.values()))))
    outputs = Machine(made.program, fidelity).run(feeds, collector).outputs
    integers = collector.values()
    assert not collector.unplaced
    return outputs, integers


def hardware_integers(network: Network) -> set[str]:
    """The sums of the crossbars, and the codes of the vector units."""
    makers = {
        Unit.CROSSBAR: ("IntegerLinear", "IntegerConv"),
        Unit.VECTOR: ("Quantize",),
    }
    places = [(node, placement_of(node)) for node in network.graph]
    found = {
        cast(str, node.outputs[0].name)
        for node, place in places
        if place is not None and node.op_type in makers.get(place.unit, ())
    }
    assert found
    return found


@cases()
def test_integers_and_outputs_are_those_of_the_reference(make: Make, target: str) -> None:
    it = compiled(make, target)
    count = len(next(iter(it.feeds.values())))
    outputs, integers = observed(it.made, it.feeds, Fidelity.EXACT)
    assert set(outputs) == {value.name for value in it.network.graph.outputs}
    assert set(integers) == hardware_integers(it.network)
    reference = ReferenceExecutor(it.network, values=tuple(dict.fromkeys([*outputs, *integers])))
    runs = [reference.run({k: v[i] for k, v in it.feeds.items()}) for i in range(count)]
    expected = {name: np.stack([run[name] for run in runs]) for name in runs[0]}
    assert_same_arrays(integers | outputs, expected)


@cases()
def test_a_converter_that_cannot_clip_changes_nothing(make: Make, target: str) -> None:
    it = compiled(make, target, WIDE_BITS)
    assert all(tile.shift == 0 for tile in it.made.program.tiles)
    exact, sums = observed(it.made, it.feeds, Fidelity.EXACT)
    converted, converted_sums = observed(it.made, it.feeds, Fidelity.CONVERTER)
    assert_same_arrays(converted, exact)
    assert_same_arrays(converted_sums, sums)


@cases()
def test_the_program_is_legal_and_survives_its_binary_form(make: Make, target: str) -> None:
    program = compiled(make, target).made.program
    check_hazards(program)
    data = encode(program)
    cells = [image.cells for image in program.images]
    again = decode(data, program.target, cells, program.host_graphs)
    assert encode(again) == data
    assert again.cores == program.cores


@cases()
def test_every_pass_carries_a_certificate(make: Make, target: str) -> None:
    steps = compiled(make, target).steps
    assert steps
    assert all(step.certificate.passed for step in steps)


@cases()
def test_no_program_is_faster_than_its_busiest_part(make: Make, target: str) -> None:
    program = compiled(make, target).made.program
    result = clock(program)
    needed = work(program)
    assert (result.unit_busy >= needed.units).all()
    np.testing.assert_array_equal(result.resource_busy, needed.resources)
    assert result.cycles >= bound(program).cycles > 0


@cases(slow=MANY_CYCLES)
def test_the_clock_is_the_stepper(make: Make, target: str) -> None:
    program = compiled(make, target).made.program
    fast, plain = clock(program, trace=True), step_through(program)
    assert fast.cycles == plain.cycles
    for name in ("unit_busy", "resource_busy", "records"):
        np.testing.assert_array_equal(getattr(fast, name), getattr(plain, name), err_msg=name)
