"""The report: plain data, every number with unit and origin."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from typing import Any, cast

import onnx_ir as ir
import pytest

from mcc.ir.network.placement import Placement, Unit, place
from mcc.ir.program import Image, Program
from mcc.ir.program.instructions import EndLoop, Loop, ProgramMacro
from mcc.runtime.costs import costs_of
from mcc.runtime.energy import dynamic_joules
from mcc.runtime.report import Origin, make_report
from mcc.runtime.utilisation import occupancy
from tests.linear_program import COLS, ROWS, layer, program, small_target


def numbers(data: object) -> Iterator[dict[str, Any]]:
    """Yield every number of a report."""
    if isinstance(data, dict):
        items = cast("dict[str, Any]", data)
        if "origin" in items:
            yield items
        for value in items.values():
            yield from numbers(value)
    elif isinstance(data, list):
        for value in cast("list[Any]", data):
            yield from numbers(value)


def network() -> ir.Model:
    x = ir.val("x", ir.DataType.FLOAT, [1])
    node = ir.node("Relu", [x], name="layer")
    place(node, Placement(Unit.CROSSBAR, "static weight", "20x5"))
    graph = ir.Graph([x], node.outputs, nodes=[node], opset_imports={"": 20}, name="g")
    return ir.Model(graph, ir_version=10)


def reprogramming(code: Program) -> Program:
    """Return the program with a macro that is written six times in every run."""
    first = code.images[0]
    again = Image(first.core, first.macro, first.cells)
    body = (Loop(6), ProgramMacro(first.macro, len(code.images)), EndLoop(), *code.cores[0])
    nodes = (("swap",) * len(body), code.source_map[1])
    cores, images = (body, code.cores[1]), (*code.images, again)
    return dataclasses.replace(code, cores=cores, images=images, source_map=nodes)


def test_every_number_says_what_it_is() -> None:
    code = program(small_target(), layer())
    report = make_report(code, costs_of(code, trace=True), network())
    assert json.loads(json.dumps(report, allow_nan=False)) == report
    found = list(numbers(report))
    assert len(found) > 30
    assert {item["origin"] for item in found} <= {str(origin) for origin in Origin}
    assert all(item["unit"] for item in found)


def test_times_and_energies_are_those_of_the_run() -> None:
    code = program(small_target(), layer())
    costs = costs_of(code)
    report = make_report(code, costs)
    time, energy = report["time"], report["energy"]
    assert time["cycles"] == {"value": costs.cycles, "unit": "cycle", "origin": "simulated"}
    assert 1 <= time["above_bound"]["value"] == costs.cycles / time["bound"]["value"]
    parts = energy["components"]
    assert energy["total"]["value"] == pytest.approx(sum(it["value"] for it in parts.values()))
    assert energy["total"]["origin"] == "simulated"
    assert parts["host"]["origin"] == "estimate"


def test_use_counts_what_holds_weights() -> None:
    code = program(small_target(), layer())
    found = occupancy(code)
    assert found["cores"] == (2, 2)
    assert found["macros"] == (2, 4)
    assert found["cells"] == (ROWS * COLS * 14, 4 * 16 * 128)
    busy = make_report(code, costs_of(code))["use"]["busy"]
    assert busy["macros"]["parts"] == 2
    assert busy["macros"]["busiest"] in ("core0.a0", "core1.a1")
    for kind in busy.values():
        assert 0 < kind["mean"]["value"] <= kind["most"]["value"] <= 1


def test_operators_say_where_they_went_and_what_they_cost() -> None:
    code = program(small_target(), layer())
    costs = costs_of(code, trace=True)
    (row,) = make_report(code, costs, network())["operators"]
    assert (row["unit"], row["rule"], row["measured"]) == ("crossbar", "static weight", "20x5")
    dynamic = dynamic_joules(costs.events, code.target).total
    assert row["joules"]["value"] == pytest.approx(dynamic)
    assert row["busy_cycles"]["value"] == costs.timing.unit_busy.sum()
    (row,) = make_report(code, costs_of(code), network())["operators"]
    assert "busy_cycles" not in row


def test_a_chip_that_is_never_written_again_has_no_end_of_life() -> None:
    code = program(small_target(), layer())
    found = make_report(code, costs_of(code))["programming"]
    assert found["lifetime_runs"]["value"] is None
    assert found["cells"]["value"] == 2 * 16 * 128


def test_reprogramming_shortens_the_life() -> None:
    target = small_target(**{"cell.endurance_cycles": 600})
    code = reprogramming(program(target, layer()))
    costs = costs_of(code)
    found = make_report(code, costs)["programming"]
    assert found["per_run"]["value"] == 6 * 16 * 128 * target.cell.write_pulses
    assert found["lifetime_runs"]["value"] == 100
    assert found["lifetime_seconds"]["value"] == pytest.approx(100 * costs.seconds)
    assert costs.joules.by_component["reprogramming"] > 0
