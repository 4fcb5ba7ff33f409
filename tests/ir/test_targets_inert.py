"""No field of a shipped target is inert: changing any of them moves something that is declared."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import pytest

import mcc
from mcc.backends.crossbar import targets
from mcc.ir.hardware import Target
from mcc.ir.hardware.fields import Leaf, Value, leaves
from mcc.ir.network import Network
from mcc.runtime.arrays import Fidelity
from tests.small_pipeline import PASSES, declared, found_in, residual, samples, wide

Context = tuple[tuple[str, Value], ...]

CONTEXTS: dict[str, Context] = {
    "macro.adc.range": (("macro.adc.bits", 5),),
    "macro.column_flip": (("macro.encoding", "offset"),),
    "macro.encoding": (("macro.column_flip", False),),
    "wires.idle_rows": (("wires.selector", "none"),),
    "wires.interleaved": (("macro.encoding", "differential"), ("macro.column_flip", False)),
    "wires.source_ohm": (("wires.feed", "source_line"),),
    "core.queue_depth": (
        ("chip.mesh_rows", 1),
        ("chip.mesh_cols", 1),
        ("core.macros", 2),
        ("macro.rows", 128),
    ),
}
"""What a field needs to matter: converters too coarse for every sum, columns that can flip, tiles
that wait for the same macro, rows that stay connected, pairs, lines that carry current."""

NETWORKS: dict[str, Callable[[], Network]] = {"core.queue_depth": wide}
"""Networks other than the residual one, for the same reason."""

CHANGES: dict[str, Value] = {
    "chip.buffer.port_bytes": 1,
    "chip.buffer.ports": 1,
    "chip.link_bytes_per_cycle": 1,
    "core.memory.ports": 1,
    "core.queue_depth": 1,
    "core.vector.cycles.multiply": 64,
    "host.operations_per_second": 1e3,
    "macro.active_rows": 20,
    "macro.adc.bits": 3,
    "macro.adc.columns_per_adc": 64,
}
"""Values that are worse by enough to become the bottleneck; elsewhere half as much again does."""

CASES = [(name, path) for name in targets.names() for path in leaves()]


@cache
def base(name: str, context: Context, make: Callable[[], Network]) -> tuple[Target, dict[str, Any]]:
    target = targets.load(name).with_values(dict(context))
    return target, declared(make(), target)


def changed(leaf: Leaf, value: Value) -> Value:
    """Return another value of a field."""
    if leaf.path in CHANGES:
        return CHANGES[leaf.path]
    if isinstance(value, bool):
        return not value
    if isinstance(value, str):
        return next(choice for choice in leaf.choices if choice != value)
    if leaf.plain is int:
        return 2 * value
    return 1.5 * value if value else 0.1


def moved(name: str, path: str) -> list[str]:
    """Return what changes with a field."""
    make = NETWORKS.get(path, residual)
    target, before = base(name, CONTEXTS.get(path, ()), make)
    old = target.values()[path]
    new = changed(leaves()[path], old)
    assert new != old
    after = declared(make(), target.with_values({path: new}))
    return [key for key in before | after if before.get(key) != after.get(key)]


@pytest.mark.parametrize(("name", "path"), CASES)
def test_field_moves_a_declared_output(name: str, path: str) -> None:
    assert moved(name, path)


@pytest.mark.parametrize("name", targets.names())
def test_nothing_moves_when_nothing_changes(name: str) -> None:
    target, before = base(name, (), residual)
    assert declared(residual(), target) == before


@pytest.mark.parametrize("name", targets.names())
def test_the_driver_declares_the_same(name: str) -> None:
    """The pipeline of these tests leaves out capture and proofs, which no field could move."""
    target, short = base(name, (), residual)
    calibration = samples(residual(), 4, seed=7)[:, 0]
    program = mcc.compile(residual(), target=target, calibration=calibration, passes=PASSES)
    found = found_in(program.report())
    for fidelity in Fidelity:
        seed = 5 if fidelity.real_cells else None
        outputs = mcc.Machine(program, fidelity, seed)(samples(residual(), 1, seed=8)[0])
        found[f"outputs.{fidelity}"] = {"y": outputs.tobytes()}
    named = ("report.operators", "report.sizes.host_graph_bytes")  # capture names the nodes
    assert {**found, **{key: short[key] for key in named}} == short


def test_fields_move_what_they_mean() -> None:
    """Some that would be bugs elsewhere: physics must not change time, nor prices the numbers."""
    for path in ("cell.read_noise", "cell.write_error", "cell.stuck_low_fraction"):
        assert moved("rram40nm", path) == ["outputs.device", "outputs.wire"]
    for path in ("macro.settle_cycles", "energy.adc_conversion_joules", "area.adc_metre2"):
        assert not any(key.startswith("outputs") for key in moved("isaac", path))
    assert moved("rram40nm", "macro.input_form") == ["outputs.device", "outputs.wire"]
    for path in ("wires.bit_ohm", "wires.switch_ohm"):
        assert moved("isaac", path) == ["outputs.wire"]
