"""Cells of a macro: every law alone moves them as it says, by address, and stuck cells stay."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from mcc.ir.diagnostics import MccError
from mcc.runtime.devices import Cells, Conditions, target_siemens, unit_siemens
from mcc.runtime.devices.endurance import failed_cells
from mcc.runtime.devices.temperature import BOLTZMANN
from mcc.runtime.devices.variation import correlated_field
from mcc.runtime.random import MacroPlace, Purpose, normal_numbers
from tests.runtime.devices.samples import PLACE, SIDE, STATES, cell_of, uniform

COUNT = SIDE * SIDE


def has_moments(found: NDArray[np.float64], mean: float, deviation: float) -> bool:
    """Whether Gaussian samples agree with moments within five times their error of estimation."""
    error = abs(found.mean() - mean) / (deviation / math.sqrt(found.size))
    spread = abs(found.var() / deviation**2 - 1) / math.sqrt(2 / found.size)
    return bool(error < 5 and spread < 5)


def test_states_are_evenly_spaced_and_ideal_cells_keep_them() -> None:
    cell = cell_of()
    targets = target_siemens(np.arange(4, dtype=np.uint8), cell)
    assert math.isclose(targets[0], cell.g_min_siemens)
    assert math.isclose(targets[-1], cell.g_max_siemens)
    assert np.allclose(np.diff(targets), unit_siemens(cell))
    for conditions in (Conditions(), Conditions(seconds=1e8, kelvin=400.0, cycles=10**6)):
        found = Cells(STATES, cell, PLACE).read(conditions)
        assert np.array_equal(found.siemens, targets[STATES])
        assert found.sigma is None


def test_written_cells_have_the_spread_of_their_state() -> None:
    cell = cell_of({"write_error": 0.02, "write.constant_siemens": 5e-7, "g_min_siemens": 5e-6})
    written, targets = Cells(STATES, cell, PLACE).written, target_siemens(STATES, cell)
    for state in range(4):
        part, target = written[STATES == state], float(targets[STATES == state][0])
        assert has_moments(part, target, 0.02 * target + 5e-7)
    scaled = (written - targets) / (0.02 * targets + 5e-7)
    assert abs((scaled**4).mean() - 3) < 5 * math.sqrt(96 / COUNT)


def test_conductance_is_never_negative() -> None:
    found = Cells(STATES, cell_of({"write_error": 1.0}), PLACE).written
    assert found.min() == 0
    below = 0.5 * math.erfc(1 / math.sqrt(2))
    assert abs((found == 0).mean() - below) < 5 * math.sqrt(below * (1 - below) / COUNT)


def test_wan_cells_keep_their_quantile_at_all_three_times() -> None:
    cells = [cell_of({}, f"wan2022_aihwkit_{time}") for time in ("1s", "1day", "2days")]
    quantiles = list[NDArray[np.float64]]()
    for cell in cells:
        written = Cells(uniform(2), cell, PLACE).written
        x = target_siemens(uniform(2), cell)[0, 0] / 40e-6
        law = cell.write
        factors = [law.constant_siemens, law.linear_siemens, law.quadratic_siemens]
        factors += [law.cubic_siemens, law.quartic_siemens]
        sigma = sum(factor * x**power for power, factor in enumerate(factors))
        quantiles.append((written - 40e-6 * x) / sigma)
    assert np.allclose(quantiles[0], quantiles[1])
    assert np.allclose(quantiles[0], quantiles[2])


def test_variation_is_fixed_for_a_chip() -> None:
    cell = cell_of({"variation.fraction": 0.1})
    first, again = Cells(uniform(3), cell, PLACE), Cells(uniform(3), cell, PLACE, earlier=5)
    assert np.array_equal(first.written, again.written)
    assert has_moments(first.written / cell.g_max_siemens, 1, 0.1)
    lower = Cells(uniform(1), cell, PLACE).written / target_siemens(uniform(1), cell)
    assert np.allclose(lower, first.written / cell.g_max_siemens)
    other = Cells(uniform(3), cell, dataclasses.replace(PLACE, seed=8))
    assert not np.array_equal(first.written, other.written)


@pytest.mark.parametrize("length", [0.0, 1.5, 4.0])
def test_variation_is_correlated_over_its_length(length: float) -> None:
    fields = [correlated_field((SIDE, SIDE), length, MacroPlace(seed, 0, 0)) for seed in range(4)]
    area = max(1.0, math.pi * length**2)  # cells that vary together, of the squared field too
    independent = 4 * COUNT / area
    power = np.mean([np.square(field).mean() for field in fields])
    assert abs(power - 1) < 5 * math.sqrt(2 / independent)
    edge = np.mean([np.square(field[0]).mean() for field in fields])
    assert abs(edge - 1) < 5 * math.sqrt(2 * max(1.0, 2 * length) / (4 * SIDE))
    for rows, cols in ((1, 0), (0, 2), (3, 3), (6, 0)):
        pairs = [field[rows:, cols:] * field[: SIDE - rows, : SIDE - cols] for field in fields]
        expected = math.exp(-(rows**2 + cols**2) / length**2) if length else 0.0
        assert abs(np.mean([pair.mean() for pair in pairs]) - expected) < 5 * math.sqrt(
            2 / independent
        )


def test_power_law_drift_follows_its_curve() -> None:
    bounds = {"exponent_lowest": 0.06, "exponent_highest": 0.06}
    spreads = {"spread_lowest": 0.01, "spread_highest": 0.01}
    changes = {f"drift.{key}": value for key, value in (bounds | spreads).items()}
    cells = Cells(uniform(3), cell_of({**changes, "start_seconds": 20.0}), PLACE)
    exponents = list[NDArray[np.float64]]()
    for seconds in (1e3, 1e6):
        found = cells.read(Conditions(seconds=seconds)).siemens
        exponents.append(-np.log(found / cells.written) / math.log(seconds / 20))
        assert has_moments(exponents[-1], 0.06, 0.01)
    assert np.allclose(exponents[0], exponents[1])
    for seconds in (0.0, 5.0, 20.0):
        assert np.array_equal(cells.read(Conditions(seconds=seconds)).siemens, cells.written)


RELAXATION = {"mean": -1e-7, "start_spread": 2e-7, "spread": 3e-8, "diffusion": 4e-7}
RELAXING: dict[str, Any] = {
    **{f"relaxation.{key}_siemens": value for key, value in RELAXATION.items()},
    "start_seconds": 0.01,
}


def relaxed_variance(seconds: float) -> float:
    log = math.log(seconds / 0.01)
    return (2e-7 + 3e-8 * log) ** 2 + 4e-7**2 * log


@pytest.mark.parametrize("seconds", [0.01, 0.0101, 0.012, 0.02, 0.01 * math.e, 1.0, 1e5])
def test_relaxation_spreads_and_shifts_as_time_goes(seconds: float) -> None:
    cells = Cells(uniform(2), cell_of(RELAXING), PLACE)
    shift = cells.read(Conditions(seconds=seconds)).siemens - cells.written
    mean = -1e-7 * math.log(seconds / 0.01)
    assert has_moments(shift, mean, math.sqrt(relaxed_variance(seconds)))
    again = Cells(uniform(2), cell_of(RELAXING), PLACE, earlier=1)
    other = again.read(Conditions(seconds=seconds)).siemens - again.written
    assert abs(np.corrcoef(shift.ravel(), other.ravel())[0, 1]) < 5 / SIDE


@pytest.mark.parametrize(
    ("first", "second"), [(0.01, 1.0), (0.02, 0.05), (1.0, 1.2), (1.0, 1e5), (1e3, 1e5)]
)
def test_relaxation_is_a_random_walk(first: float, second: float) -> None:
    """Increments have the difference of the variances, whatever was before."""
    cells = Cells(uniform(2), cell_of(RELAXING), PLACE)
    before, after = (
        cells.read(Conditions(seconds=seconds)).siemens - cells.written
        for seconds in (first, second)
    )
    gained = relaxed_variance(second) - relaxed_variance(first)
    mean = -1e-7 * math.log(second / first)
    assert has_moments(after - before, mean, math.sqrt(gained))
    expected = math.sqrt(relaxed_variance(first) / relaxed_variance(second))
    found = np.corrcoef(before.ravel(), after.ravel())[0, 1]
    assert abs(found - expected) < 5 * (1 - expected**2) / SIDE


def test_relaxation_at_a_time_does_not_depend_on_other_reads() -> None:
    cells, alone = (Cells(uniform(2), cell_of(RELAXING), PLACE) for _ in range(2))
    for seconds in (1e5, 0.3, 1e3):
        cells.read(Conditions(seconds=seconds))
    late = Conditions(seconds=7.7)
    assert np.array_equal(cells.read(late).siemens, alone.read(late).siemens)


def test_gathered_noise_is_the_same_at_the_same_time_and_new_at_another() -> None:
    law = {"fraction": 0.05, "limit": 0.3, "exponent": 0.5, "read_seconds": 1e-6}
    changes: dict[str, Any] = {f"flicker.{key}": value for key, value in law.items()}
    cell = cell_of({**changes, "flicker.reference_siemens": 1e-6, "read_noise": 0.01})
    cells, siemens = Cells(uniform(2), cell, PLACE), target_siemens(uniform(2), cell)[0, 0]

    def noise(cells: Cells, seconds: float) -> NDArray[np.float64]:
        found = cells.read(Conditions(seconds=seconds))
        assert found.spread == 0.01, "what differs from read to read"
        return found.siemens - siemens

    for seconds in (1.0, 1e4):
        relative = min(0.05 * (siemens / 1e-6) ** -0.5, 0.3)
        deviation = siemens * relative * math.sqrt(math.log((seconds + 1e-6) / 2e-6))
        assert has_moments(noise(cells, seconds), 0, deviation)
    late, again = noise(cells, 1e4), Cells(uniform(2), cell, PLACE)
    assert np.array_equal(late, noise(again, 1e4)), "whatever was read before"
    for other in (noise(cells, 1.1e4), noise(Cells(uniform(2), cell, PLACE, earlier=1), 1e4)):
        assert abs(np.corrcoef(late.ravel(), other.ravel())[0, 1]) < 5 / SIDE


def test_gathered_noise_neither_turns_conductances_negative_nor_moves_stuck_cells() -> None:
    changes: dict[str, Any] = {"flicker.fraction": 1.0, "flicker.limit": 1.0}
    cell = cell_of({**changes, "stuck_high_fraction": 0.1})
    cells = Cells(uniform(2), cell, PLACE)
    found = cells.read(Conditions(seconds=1e4)).siemens
    assert found.min() == 0
    assert (found[cells.stuck == 2] == cell.g_max_siemens).all()


def test_temperature_changes_conductances_and_the_speed_of_ageing() -> None:
    warm = cell_of({"temperature.coefficient_per_kelvin": 2e-3})
    found = Cells(STATES, warm, PLACE).read(Conditions(kelvin=350.0)).siemens
    assert np.allclose(found, target_siemens(STATES, warm) * 1.1)
    frozen = cell_of({"temperature.coefficient_per_kelvin": 1e-2})
    assert not Cells(STATES, frozen, PLACE).read(Conditions(kelvin=100.0)).siemens.any()

    energy = 1.1 * 1.602176634e-19
    changes = {"drift.exponent_lowest": 0.05, "drift.exponent_highest": 0.05}
    cell = cell_of({**changes, "temperature.activation_joules": energy, "start_seconds": 1.0})
    factor = math.exp(energy / BOLTZMANN * (1 / 300 - 1 / 330))
    cells = Cells(STATES, cell, PLACE)
    hot = cells.read(Conditions(seconds=100.0, kelvin=330.0)).siemens
    assert np.allclose(hot, cells.read(Conditions(seconds=100.0 * factor)).siemens, rtol=1e-12)
    assert np.allclose(hot, cells.written * (100 * factor) ** -0.05, rtol=1e-12)
    cold = cells.read(Conditions(seconds=100.0, kelvin=250.0)).siemens
    assert np.array_equal(cold, cells.written)
    assert np.array_equal(cells.read(Conditions(kelvin=400.0)).siemens, cells.written)


def test_stuck_cells_stay_whatever_is_written_and_however_old() -> None:
    changes: dict[str, Any] = {"stuck_low_fraction": 0.02, "stuck_high_fraction": 0.05}
    changes |= {"write_error": 0.1, "relaxation.spread_siemens": 1e-6, "variation.fraction": 0.1}
    cell = cell_of(changes)
    for image in range(2):
        cells = Cells(STATES, cell, PLACE, image=image)
        for entry, fraction in ((1, 0.02), (2, 0.05)):
            share = (cells.stuck == entry).mean()
            assert abs(share - fraction) < 5 * math.sqrt(fraction * (1 - fraction) / COUNT)
        aged = cells.read(Conditions(seconds=1e6)).siemens
        assert (aged[cells.stuck == 1] == cell.g_min_siemens).all()
        assert (aged[cells.stuck == 2] == cell.g_max_siemens).all()


def test_a_measured_map_replaces_the_drawn_one() -> None:
    table = np.random.default_rng(3).choice(3, (SIDE, SIDE), p=[0.8, 0.1, 0.1]).astype(np.uint8)
    cell = cell_of({"stuck_low_fraction": 0.5, "write_error": 0.1})
    cells = Cells(STATES, cell, PLACE, stuck=table)
    assert np.array_equal(cells.stuck, table)
    assert (cells.written[table == 1] == cell.g_min_siemens).all()
    assert (cells.written[table == 2] == cell.g_max_siemens).all()
    free = Cells(STATES, cell_of({"write_error": 0.1}), PLACE).written
    assert np.array_equal(cells.written[table == 0], free[table == 0])


@pytest.mark.parametrize(
    "table",
    [
        np.zeros((SIDE, 3), np.uint8),
        np.zeros((SIDE, SIDE), np.int64),
        np.full((SIDE, SIDE), 3, np.uint8),
    ],
)
def test_maps_that_do_not_fit_are_refused(table: NDArray[Any]) -> None:
    with pytest.raises(MccError) as caught:
        Cells(STATES, cell_of(), PLACE, stuck=table)
    assert caught.value.diagnostics[0].code == "stuck-map"


def test_cells_fail_as_weibull_says_and_stay_failed() -> None:
    cell = cell_of({"endurance_shape": 2.0})
    before = np.zeros((SIDE, SIDE), np.bool_)
    for writes in (0, 100, 500, 1000, 3000):
        failed = failed_cells((SIDE, SIDE), writes, cell, PLACE)
        assert failed[before].all()
        fraction = 1 - math.exp(-((writes / 1000) ** 2))
        spread = math.sqrt(fraction * (1 - fraction) / COUNT)
        assert abs(failed.mean() - fraction) <= 5 * spread
        before = failed
    worn = Cells(uniform(3), cell, PLACE, cycles=999)
    assert np.array_equal(worn.stuck == 1, failed_cells((SIDE, SIDE), 1000, cell, PLACE))
    assert (worn.written[worn.stuck == 1] == cell.g_min_siemens).all()
    assert not failed_cells((SIDE, SIDE), 10**9, cell_of(), PLACE).any()


def test_stuck_cells_do_not_fail() -> None:
    table = np.random.default_rng(3).integers(0, 3, (SIDE, SIDE)).astype(np.uint8)
    cell = cell_of({"endurance_shape": 2.0})
    worn = Cells(uniform(2), cell, PLACE, cycles=10**6, stuck=table)
    assert np.array_equal(worn.stuck, np.where(table == 2, 2, 1)), "all free cells failed"


def test_every_address_has_its_own_numbers() -> None:
    cell = cell_of({"write_error": 0.1})

    def written(place: MacroPlace = PLACE, image: int = 0, earlier: int = 0) -> NDArray[np.float64]:
        return Cells(STATES, cell, place, image=image, earlier=earlier).written

    base = written()
    assert np.array_equal(base, written())
    others = [
        written(dataclasses.replace(PLACE, seed=8)),
        written(dataclasses.replace(PLACE, core=2)),
        written(dataclasses.replace(PLACE, macro=3)),
        written(image=1),
        written(earlier=1),
    ]
    for other in others:
        assert np.count_nonzero(base == other) < 10


def test_purposes_and_macros_do_not_share_numbers() -> None:
    places = [PLACE, MacroPlace(7, 1, 3), MacroPlace(7, 2, 2), MacroPlace(8, 1, 2)]
    drawn = [
        normal_numbers(place, purpose, (100, 100)).tobytes()
        for place in places
        for purpose in Purpose
    ]
    assert len(set(drawn)) == len(drawn)


def test_a_few_cells_can_be_drawn_alone() -> None:
    whole = normal_numbers(PLACE, Purpose.WRITE, (10, 7), item=3, event=1)
    assert np.array_equal(normal_numbers(PLACE, Purpose.WRITE, (3, 7), item=3, event=1), whole[:3])
