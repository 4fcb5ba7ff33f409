"""Traces: every executed instruction, as trace viewers read them."""

from __future__ import annotations

import json

from mcc.runtime.costs import costs_of
from mcc.runtime.trace import trace_text
from tests.linear_program import STRIPS, layer, program, small_target


def test_a_trace_shows_every_executed_instruction_on_its_unit() -> None:
    code = program(small_target(), layer())
    costs = costs_of(code, trace=True)
    events = json.loads("".join(trace_text(code, costs.timing)))["traceEvents"]
    work = [event for event in events if event["ph"] == "X"]
    assert len(work) == len(costs.timing.records)
    assert {event["name"] for event in work} == {"layer"}
    products = [event for event in work if event["cat"] == "mvm"]
    assert len(products) == 2 * STRIPS
    assert {(event["pid"], event["tid"]) for event in products} == {(0, 3), (1, 4)}
    last = max(event["args"]["start_cycle"] + event["args"]["cycles"] for event in work)
    assert last <= costs.cycles
    end = max(event["ts"] + event["dur"] for event in work)
    assert abs(end * 1e-6 - last / code.target.chip.clock_hertz) < 1e-12
    names = {event["args"]["name"] for event in events if event["ph"] == "M"}
    assert names == {"core 0", "core 1", "v", "m", "a0", "a1"}


def test_a_trace_without_records_is_empty() -> None:
    code = program(small_target(), layer())
    assert json.loads("".join(trace_text(code, costs_of(code).timing)))["traceEvents"] == []
