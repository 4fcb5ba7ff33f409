"""Targets in code: changes, rules, and what follows from a target alone."""

from __future__ import annotations

import dataclasses
import math

import pytest
from pydantic import ValidationError

from mcc.backends.crossbar import targets
from mcc.ir.diagnostics import MccError
from mcc.ir.hardware.derived import (
    area_metre2,
    conversions,
    conversions_in_sequence,
    converters,
    lifetime_runs,
    programming_joules,
    programming_seconds,
)
from mcc.ir.hardware.rules import RULES
from mcc.ir.hardware.units import UNITS, natural_unit


def test_changed_values_keep_the_rest_and_say_their_origin() -> None:
    target = targets.load("isaac")
    changed = target.with_values({"macro.adc.bits": 6, "macro.column_flip": False})
    assert (changed.macro.adc.bits, changed.macro.column_flip) == (6, False)
    assert changed.with_values({"macro.adc.bits": 8, "macro.column_flip": True}) == target
    assert changed.provenance["macro.adc.bits"].source == "given in code"
    assert changed.provenance["macro.rows"] == target.provenance["macro.rows"]


def test_rules_hold_also_for_targets_made_in_code() -> None:
    target = targets.load("isaac")
    macro = dataclasses.replace(target.macro, active_rows=129)
    with pytest.raises(MccError, match="129 of 128"):
        dataclasses.replace(target, macro=macro)
    with pytest.raises(ValidationError):
        dataclasses.replace(target.macro, rows=0)


def test_every_rule_has_a_sentence_and_known_fields() -> None:
    values = targets.load("isaac").values()
    for rule in RULES:
        assert set(rule.paths) <= set(values)
        assert rule.sentence("x").endswith("; here x")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"cell.flicker.fraction": 0.05}, "needs a limit above 0"),
        ({"cell.drift.exponent_intercept": 0.05}, "needs different bounds"),
        ({"cell.drift.spread_slope": -0.01}, "needs different bounds"),
        ({"cell.variation.correlation_cells": 1.0}, "at least 1.5 cells"),
        ({"wires.feed": "source_line", "macro.dac.mismatch": 0.1}, "no level that could err"),
        ({"wires.feed": "source_line", "macro.dac.noise": 0.1}, "no level that could err"),
    ],
)
def test_what_would_do_nothing_or_something_else_is_refused(
    changes: dict[str, float | str], said: str
) -> None:
    target = targets.load("rram40nm", device="ideal").with_values({"wires.selector": "switch"})
    with pytest.raises(MccError, match=said):
        target.with_values(changes)


def test_laws_that_act_are_allowed() -> None:
    target = targets.load("rram40nm", device="ideal")
    target.with_values({"cell.flicker.fraction": 0.05, "cell.flicker.limit": 0.1})
    target.with_values({"cell.drift.exponent_intercept": 0.05, "cell.drift.exponent_highest": 0.1})
    target.with_values({"cell.variation.correlation_cells": 1.5})


def test_the_first_unit_is_the_natural_one() -> None:
    for dimension, units in UNITS.items():
        assert units[natural_unit(dimension)] == 1


def test_isaac_has_the_published_area() -> None:
    area = area_metre2(targets.load("isaac"))
    assert math.isclose(sum(area.values()), 85.4e-6, rel_tol=2e-3)
    assert math.isclose(sum(area.values()) - area["other"], 62.5e-6, rel_tol=2e-3)


def test_isaac_converts_all_columns_in_one_array_cycle() -> None:
    target = targets.load("isaac")
    assert converters(target.macro) == 1
    assert conversions_in_sequence(target.macro, 0, 128) == target.macro.settle_cycles == 128
    assert conversions_in_sequence(target.macro, 96, 32) == 32


def test_differential_pairs_take_one_conversion() -> None:
    macro = targets.load("rram40nm").macro
    assert converters(macro) == 32
    assert conversions(macro, 14) == 7
    assert conversions_in_sequence(macro, 0, 512) == 8
    assert conversions_in_sequence(macro, 14, 14) == 6
    assert conversions_in_sequence(macro, 0, 0) == 0


def test_programming_costs_energy_and_life() -> None:
    target = targets.load("rram40nm")
    assert math.isclose(programming_joules(target, 1000), 1000 * 8 * 10e-12)
    assert math.isclose(programming_seconds(target), 512 * 8 * 1e-6)
    assert lifetime_runs(target, 0) == math.inf
    assert lifetime_runs(target, 2) == 500_000
