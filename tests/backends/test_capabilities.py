"""What `mcc ops` says of a chip is what its programs do."""

from __future__ import annotations

from typing import Any

import pytest

from mcc.backends.crossbar.capabilities import (
    MoveRate,
    VectorRate,
    capability,
    macro_extent,
)
from mcc.backends.crossbar.generate import generate
from mcc.ir.network import Unit, from_text
from mcc.ir.program.instructions.vector import VectorInstruction
from mcc.passes.place_rules import operator_rows
from tests.mapped_networks import chip, placed

PRIMES = chip(
    core__vector__cycles__add=2,
    core__vector__cycles__multiply=3,
    core__vector__cycles__divide=5,
    core__vector__cycles__compare=7,
    core__vector__cycles__convert=11,
    core__vector__lanes=6,
)
"""A chip on which every operation takes a time of its own."""

SAME = "float[2,4] x", "float[2,4] y"
BODIES = {
    "Abs": (*SAME, "y = Abs(x)"),
    "Add": (*SAME, "y = Add(x, x)"),
    "Ceil": (*SAME, "y = Ceil(x)"),
    "Clip": (*SAME, "y = Clip(x, low, high)"),
    "Div": (*SAME, "y = Div(x, x)"),
    "Floor": (*SAME, "y = Floor(x)"),
    "LeakyRelu": (*SAME, "y = LeakyRelu<alpha = 0.1>(x)"),
    "Max": (*SAME, "y = Max(x, x)"),
    "MaxPool": (
        "float[1,2,9] x",
        "float[1,2,3] y",
        "y = MaxPool<kernel_shape=[3], strides=[3]>(x)",
    ),
    "Min": (*SAME, "y = Min(x, x)"),
    "Mul": (*SAME, "y = Mul(x, x)"),
    "Neg": (*SAME, "y = Neg(x)"),
    "ReduceMax": ("float[2,4] x", "float[2,1] y", "y = ReduceMax(x, axes)"),
    "Relu": (*SAME, "y = Relu(x)"),
    "Sqrt": (*SAME, "y = Sqrt(x)"),
    "Sub": (*SAME, "y = Sub(x, x)"),
    "mcc.Dequantize": ("int32[2,4] x", "float[2,4] y", "y = mcc.Dequantize(x, scale, bias)"),
    "mcc.Mean": ("float[2,4] x", "float[2] y", "y = mcc.Mean<factor = 0.25>(x)"),
    "mcc.Quantize": (
        "float[2,4] x",
        "int8[2,4] y",
        "y = mcc.Quantize<zero_point = 0, low = -128, high = 127, to = 3>(x, scale)",
    ),
}
COPIED = {"Concat", "Pad", "Resize"}
VIEWS = {"Expand", "Slice", "Split", "Transpose"}


@pytest.mark.parametrize("name", BODIES)
def test_cycles_are_those_of_the_instructions(name: str) -> None:
    given, result, body = BODIES[name]
    constants = "float low = {-1}, float high = {1}, float scale = {2}, float bias = {3}"
    network = from_text(
        f"""<ir_version: 10, opset_import: ["" : 20, "mcc" : 1]>
        g ({given}) => ({result}) <{constants}, int64[1] axes = {{-1}}> {{ {body} }}"""
    )
    program = generate(placed(network), PRIMES).program
    found = [item for core in program.cores for item in core if isinstance(item, VectorInstruction)]
    first = found[0].classes()
    domain, _, op_type = name.rpartition(".")
    rate = capability(domain, op_type, Unit.VECTOR, PRIMES)
    assert isinstance(rate, VectorRate)
    assert rate.elements == 6
    assert rate.cycles == sum(getattr(PRIMES.core.vector.cycles, item) for item in first)


def test_every_operator_of_the_table_is_computed_copied_or_viewed() -> None:
    rows = [row for row in operator_rows() if row.unit is Unit.VECTOR]
    kinds = {
        f"{row.domain}.{row.op_type}".lstrip("."): capability(
            row.domain, row.op_type, row.unit, PRIMES
        )
        for row in rows
    }
    assert {name for name, found in kinds.items() if isinstance(found, VectorRate)} == set(BODIES)
    assert {name for name, found in kinds.items() if isinstance(found, MoveRate)} == COPIED
    assert {name for name, found in kinds.items() if found is None} == VIEWS


@pytest.mark.parametrize(
    ("name", "changes", "columns", "widest"),
    [
        ("rram40nm", {}, 512 // (2 * 7), 8),
        ("isaac", {}, 128 // (8 // 2), 8),
        ("rram40nm", {"cell__bits": 4}, 512 // (2 * 2), 8),
        ("rram40nm", {"macro__cols": 8, "macro__adc__columns_per_adc": 4}, 0, 5),
    ],
)
def test_a_macro_holds_as_many_weights_as_its_columns_and_cells_allow(
    name: str, changes: dict[str, int], columns: int, widest: int
) -> None:
    found = macro_extent(chip(name, **changes))
    assert (found.columns, found.widest_weight_bits) == (columns, widest)


def test_the_narrowest_of_link_and_ports_bounds_what_is_copied() -> None:
    for field in ("chip__link_bytes_per_cycle", "core__memory__port_bytes"):
        changes: dict[str, Any] = {field: 8}
        found = capability("", "Pad", Unit.VECTOR, chip(**changes))
        assert found == MoveRate(bytes_per_cycle=8)
