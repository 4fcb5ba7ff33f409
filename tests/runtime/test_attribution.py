"""What the nodes of a network cost: every joule and every busy cycle, each once."""

from __future__ import annotations

from typing import Any

import pytest

from mcc.backends.crossbar.generate import generate
from mcc.ir.network import Network
from mcc.ir.program import count_events
from mcc.ir.program.instructions import CallHost, Load
from mcc.runtime.costs import costs_of
from mcc.runtime.energy import dynamic_joules
from mcc.runtime.report import make_report
from tests.canonical_networks import constant, model
from tests.mapped_networks import chip, mapped

Row = dict[str, Any]
TARGETS = pytest.mark.parametrize("name", ["rram40nm", "isaac"])


def network() -> Network:
    """Two layers; between them a call of the host for two nodes, on the copy of a transpose."""
    return model(
        "float[6,20] x",
        "float[16,5] y",
        f"{constant('w', 20, 16)}, {constant('v', 6, 5, seed=1)}",
        "a = MatMul(x, w) t = Transpose(a) s = Softmax(t) e = Erf(s) b = MatMul(e, v) y = Erf(b)",
    )


def compiled(name: str) -> tuple[Any, Any, list[Row]]:
    """Return a program, what it costs, and the rows of its report."""
    target = chip(name)
    made = mapped(network(), target)
    program = generate(made, target).program
    costs = costs_of(program, trace=True)
    return program, costs, make_report(program, costs, made)["operators"]


@TARGETS
def test_the_nodes_share_all_energy_and_all_busy_cycles(name: str) -> None:
    program, costs, rows = compiled(name)
    dynamic = dynamic_joules(count_events(program), program.target).total
    assert sum(row["joules"]["value"] for row in rows) == pytest.approx(dynamic, rel=1e-9)
    busy = costs.timing.unit_busy.sum()
    assert sum(row["busy_cycles"]["value"] for row in rows) == busy


@TARGETS
def test_nodes_of_the_host_share_the_estimate_of_their_call(name: str) -> None:
    program, _, rows = compiled(name)
    host = [row for row in rows if row["unit"] == "host"]
    assert [(row["operator"], row["host_graph"]) for row in host] == [
        ("Softmax", 0),
        ("Erf", 0),
        ("Erf", 1),
    ]
    for row in host:
        assert row["joules"]["origin"] == row["busy_cycles"]["origin"] == "estimate"
    for number in range(2):
        call, context = CallHost(number), program.context(0)
        joules = dynamic_joules(call.events(context), program.target).total
        members = [row for row in host if row["host_graph"] == number]
        parts = [row["joules"]["value"] for row in members]
        assert min(parts) > 0
        assert sum(parts) == pytest.approx(joules)
        cycles = [row["busy_cycles"]["value"] for row in members]
        assert min(cycles) > 0
        assert sum(cycles) >= call.timing(context).stages[0].cycles
    assert all("host_graph" not in row for row in rows if row["unit"] != "host")
    assert {row["joules"]["origin"] for row in rows if row["unit"] != "host"} == {"simulated"}


@TARGETS
def test_a_copy_is_charged_to_the_node_that_made_it_necessary(name: str) -> None:
    program, _, rows = compiled(name)
    (row,) = [row for row in rows if row["operator"] == "Transpose"]
    loads = [
        it
        for core, code in enumerate(program.cores)
        for index, it in enumerate(code)
        if isinstance(it, Load) and program.node(core, index) == row["node"]
    ]
    assert sum(it.result.elements for it in loads) == 6 * 16
    assert row["joules"]["value"] > 0
