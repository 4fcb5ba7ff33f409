"""No field of a shipped target is inert: changing any of them moves something that is declared."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache

import pytest

import mcc
from mcc.backends.crossbar import targets
from mcc.ir.hardware import Target
from mcc.ir.hardware.fields import Leaf, Value, leaves
from mcc.ir.network import Network
from mcc.runtime.fidelity import Fidelity
from tests.small_pipeline import (
    PASSES,
    Declarations,
    found_in,
    residual,
    samples,
    warnings_of,
    wide,
)

Context = tuple[tuple[str, Value], ...]

FLICKER: Context = (
    ("cell.flicker.fraction", 0.1),
    ("cell.flicker.exponent", 0.5),
    ("cell.flicker.limit", 0.3),
    ("cell.flicker.reference_siemens", 2e-5),
)
DRIFT: Context = (
    ("cell.drift.reference_siemens", 2e-5),
    ("cell.drift.exponent_slope", -0.02),
    ("cell.drift.exponent_intercept", 0.05),
    ("cell.drift.exponent_lowest", 0.04),
    ("cell.drift.exponent_highest", 0.07),
    ("cell.drift.spread_slope", -0.02),
    ("cell.drift.spread_intercept", 0.04),
    ("cell.drift.spread_lowest", 0.025),
    ("cell.drift.spread_highest", 0.05),
)
COLD: Context = (("cell.valid.coldest_kelvin", 200.0), ("cell.valid.hottest_kelvin", 320.0))
WARM: Context = (("cell.valid.coldest_kelvin", 340.0), ("cell.valid.hottest_kelvin", 600.0))
CUBE: Context = (("cell.current.cube_0_ampere_per_volt3", 1e-4),)
DEVICE_CONTEXTS: dict[str, Context] = {
    "start_seconds": (*DRIFT, ("cell.valid.latest_seconds", 1e9)),
    "write.reference_siemens": (("cell.write.linear_siemens", 1e-6),),
    **{
        f"flicker.{name}": FLICKER
        for name in ("fraction", "exponent", "limit", "reference_siemens")
    },
    "flicker.read_seconds": FLICKER,
    **{path.removeprefix("cell."): DRIFT for path, _ in DRIFT},
    "variation.correlation_cells": (("cell.variation.fraction", 0.2),),
    "temperature.reference_kelvin": (("cell.temperature.coefficient_per_kelvin", 1e-3),),
    "temperature.activation_joules": DRIFT,
    "current.sinh_per_volt": (("macro.dac_bits", 2), ("cell.current.sinh_per_volt", 5.0)),
    "current.low_siemens": (*CUBE, ("cell.current.low_siemens", 1e-6)),
    "current.high_siemens": (*CUBE, ("cell.current.high_siemens", 1e-5)),
    "current.limit_volt": (("cell.current.limit_volt", 0.1),),
    "valid.low_siemens": (("cell.valid.low_siemens", 1e-3),),
    "valid.high_siemens": (("cell.valid.high_siemens", 1e-6),),
    "valid.coldest_kelvin": WARM,
    "valid.hottest_kelvin": COLD,
    "valid.latest_seconds": (("cell.valid.latest_seconds", 1e4),),
}
"""The laws of cells, each with what it needs: a factor that is not 0, and conditions beyond the
range that it warns of."""

SMALL: Context = (("macro.rows", 128), ("macro.cols", 128))
WIRES: dict[str, Context] = {
    "wires.feed": SMALL,
    "wires.idle_rows": (*SMALL, ("wires.selector", "none")),
    "wires.interleaved": (*SMALL, ("macro.encoding", "differential"), ("macro.column_flip", False)),
    "wires.solver": (*SMALL, ("cell.current.sinh_per_volt", 5.0)),
    "wires.source_ohm": (*SMALL, ("wires.feed", "source_line")),
}
"""Lines are solved sooner in small macros."""

CONTEXTS: dict[str, Context] = {
    **WIRES,
    "macro.adc.kind": (("macro.adc.kind", "sar"), ("macro.adc.mismatch", 0.1)),
    "macro.adc.mismatch": (("macro.adc.kind", "sar"),),
    **{f"cell.{path}": context for path, context in DEVICE_CONTEXTS.items()},
    "macro.adc.range": (("macro.adc.bits", 5),),
    "macro.column_flip": (("macro.encoding", "offset"),),
    "macro.differential": (("macro.column_flip", False), ("macro.encoding", "differential")),
    "macro.encoding": (("macro.column_flip", False),),
    "macro.input_coding": (("macro.dac_bits", 2),),
    "macro.reference": (("macro.column_flip", False), ("macro.encoding", "offset")),
    "macro.slice_overlap": (("cell.bits", 2),),
    "macro.subtraction": (("macro.column_flip", False), ("macro.encoding", "differential")),
    "core.queue_depth": (
        ("chip.mesh_rows", 1),
        ("chip.mesh_cols", 1),
        ("core.macros", 2),
        ("macro.rows", 128),
    ),
}
"""What a field needs to matter: pairs of columns, digits of several bits, converters with elements
that differ, converters too coarse for every sum, columns that can flip, tiles that wait for the
same macro, rows that stay connected, lines that carry current."""

NETWORKS: dict[str, Callable[[], Network]] = {"core.queue_depth": wide, "wires.solver": wide}
"""Networks other than the residual one, for the same reason, or since inputs are solved slowly."""

CHANGES: dict[str, Value] = {
    "cell.variation.correlation_cells": 2.0,
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
    "macro.adc.kind": "flash",
    "macro.guard_slices": 1,
    "macro.slice_overlap": 1,
}
"""Values that are worse by enough to become the bottleneck, or that a rule allows; elsewhere half
as much again does."""

CASES = [(name, path) for name in targets.names() for path in leaves()]


@cache
def base(name: str, context: Context, make: Callable[[], Network]) -> tuple[Target, Declarations]:
    target = targets.load(name).with_values(dict(context))
    return target, Declarations(make(), target)


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


def moves(name: str, path: str) -> Iterator[str]:
    """Yield what changes with a field."""
    make = NETWORKS.get(path, residual)
    target, before = base(name, CONTEXTS.get(path, ()), make)
    old = target.values()[path]
    new = changed(leaves()[path], old)
    assert new != old
    after = Declarations(make(), target.with_values({path: new}))
    for part in Declarations.PARTS:
        was, now = before.part(part), after.part(part)
        yield from (key for key in was | now if was.get(key) != now.get(key))


@pytest.mark.parametrize(("name", "path"), CASES)
def test_field_moves_a_declared_output(name: str, path: str) -> None:
    assert any(moves(name, path))


@pytest.mark.parametrize("name", targets.names())
def test_nothing_moves_when_nothing_changes(name: str) -> None:
    target, before = base(name, (), residual)
    assert Declarations(residual(), target).all() == before.all()


@pytest.mark.parametrize("name", targets.names())
def test_the_driver_declares_the_same(name: str) -> None:
    """The pipeline of these tests leaves out capture and proofs, which no field could move."""
    target, short = base(name, (), residual)
    whole = short.all()
    calibration = samples(residual(), 4, seed=7)[:, 0]
    program = mcc.compile(residual(), target=target, calibration=calibration, passes=PASSES)
    found = found_in(program.report())
    for fidelity in Fidelity:
        seed = 5 if fidelity.real_cells else None
        outputs = mcc.Machine(program, fidelity, seed)(samples(residual(), 1, seed=8)[0])
        found[f"outputs.{fidelity}"] = {"y": outputs.tobytes()}
    with pytest.warns(mcc.MccWarning, match="outside of"):
        aged = mcc.Machine(program, "device", 5, seconds=1e6, kelvin=330.0, cycles=10)
    found["outputs.aged"] = {"y": aged(samples(residual(), 1, seed=8)[0]).tobytes()}
    found["warnings"] = warnings_of(target)
    named = ("report.operators", "report.sizes.host_graph_bytes")  # capture names the nodes
    assert {**found, **{key: whole[key] for key in named}} == whole


def test_fields_move_what_they_mean() -> None:
    """Some that would be bugs elsewhere: physics must not change time, nor prices the numbers."""
    physics = ("cell.read_noise", "cell.write_error", "cell.stuck_low_fraction")
    converters = ("kind", "offset", "gain_error", "nonlinearity", "mismatch", "noise")
    drivers = ("macro.dac.mismatch", "macro.dac.noise")
    for path in (*physics, *(f"macro.adc.{name}" for name in converters), *drivers):
        assert list(moves("rram40nm", path)) == ["outputs.device", "outputs.aged", "outputs.wire"]
    for path in ("macro.settle_cycles", "energy.adc_conversion_joules", "area.adc_metre2"):
        assert not any(key.startswith("outputs") for key in moves("isaac", path))
    shown = ["outputs.device", "outputs.aged", "outputs.wire"]
    assert list(moves("rram40nm", "macro.input_form")) == shown
    for path in ("wires.bit_ohm", "wires.switch_ohm"):
        assert list(moves("isaac", path)) == ["outputs.wire"]
    shown = ["outputs.device", "outputs.aged"]
    assert list(moves("rram40nm", "cell.current.sinh_per_volt")) == shown
    assert list(moves("rram40nm", "cell.relaxation.diffusion_siemens")) == ["outputs.aged"]
