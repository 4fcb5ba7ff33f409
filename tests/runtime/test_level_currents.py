"""Cells that are no resistors, in products: sums of the currents of all cells, one by one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from mcc.backends.crossbar import targets
from mcc.ir.diagnostics import MccError
from mcc.ir.hardware import Target
from mcc.ir.hardware.phases import steps
from mcc.runtime.analog import AnalogTile, analog_tile
from mcc.runtime.arrays import ProgrammedArrays
from mcc.runtime.converters.drivers import driver_levels
from mcc.runtime.converters.periphery import periphery_of
from mcc.runtime.devices import Read
from mcc.runtime.devices.current import currents, slopes_by_volt
from mcc.runtime.fidelity import Fidelity
from mcc.runtime.general import GeneralTile
from mcc.runtime.wires.trimmed import read_alone
from tests.programmed_arrays import MILO, SINH, programmed, random_codes, random_weights
from tests.runtime.test_general import PLACE, READS, layer_of

LAWS = [MILO, SINH, {**MILO, **SINH}]


def target_of(law: dict[str, Any], **changes: Any) -> Target:
    """Return a macro of 48 x 64 cells without read noise whose converters never clip."""
    values: dict[str, Any] = {"macro.rows": 48, "macro.cols": 64, "macro.active_rows": 16}
    values |= {"macro.adc.columns_per_adc": 8, "macro.adc.bits": 14, "cell.read_noise": 0.0}
    named = {key.replace("__", "."): value for key, value in changes.items()}
    return targets.load("rram40nm").with_values(values | law | named)


def summed(codes: NDArray[Any], cells: Read, target: Target, bits: int) -> NDArray[np.float64]:
    """Return the sums of the currents of pairs of cells, of all phases, rounded by converters."""
    cell, volt, top = target.cell, target.wires.read_volt, 2**target.macro.dac_bits - 1
    pulses = target.macro.input_coding == "pulse_width"
    low, high = currents(np.array([cell.g_min_siemens, cell.g_max_siemens]), volt, cell.current)
    unit = (high - low) / top / (2**cell.bits - 1)
    if pulses:
        unit *= top
    total = np.zeros((len(codes), cells.shape[1] // 2))
    for step in steps(target.macro, bits, True):
        (phase,) = step.phases
        digits = phase.drive(codes).astype(np.float64)
        volts = np.sign(digits) * volt if pulses else digits / top * volt
        counts = np.abs(digits) if pulses else np.ones_like(digits)
        amperes = currents(cells.siemens[None], volts[:, :, None], cell.current)
        amperes = amperes * counts[:, :, None]
        for first in range(0, codes.shape[1], 16):
            column = amperes[:, first : first + 16].sum(axis=1)
            total += step.worth * np.rint((column[:, 0::2] - column[:, 1::2]) / unit)
    return total


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("coding", ["level", "pulse_width"])
@pytest.mark.parametrize("form", ["twos_complement", "sign_magnitude"])
@pytest.mark.parametrize("dac_bits", [1, 3])
def test_products_are_sums_of_the_currents_of_cells(
    law: dict[str, Any], coding: str, form: str, dac_bits: int
) -> None:
    target = target_of(
        law, macro__input_coding=coding, macro__input_form=form, macro__dac_bits=dac_bits
    )
    tile, cells = layer_of(target, input_bits=4)
    codes = (random_codes_of(40) >> 4).astype(np.int8)
    made = analog_tile(tile, target, cells, periphery_of(target.macro, PLACE))
    found = made.multiply(codes, READS)
    sums = summed(codes, cells, target, 4).reshape(40, 3, -1)
    expected = sums @ 2.0 ** (target.cell.bits * np.arange(sums.shape[2]))
    assert np.mean(found != expected) < (0.01 if type(made) is GeneralTile else 0.1)
    assert np.abs(found - expected).max() <= 2**10


def random_codes_of(count: int) -> NDArray[np.int8]:
    return np.random.default_rng(4).integers(-128, 128, (count, 37)).astype(np.int8)


def test_reads_of_one_voltage_stay_in_the_kernel() -> None:
    for changes, kind in (
        ({}, AnalogTile),
        ({"macro__dac_bits": 2}, GeneralTile),
        ({"macro__dac_bits": 2, "macro__input_coding": "pulse_width"}, AnalogTile),
    ):
        target = target_of(SINH, **changes)
        tile, cells = layer_of(target)
        assert type(analog_tile(tile, target, cells, periphery_of(target.macro, PLACE))) is kind


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("dac_bits", [1, 2])
def test_noise_of_reads_follows_the_slope_of_the_current(
    law: dict[str, Any], dac_bits: int
) -> None:
    """20000 reads know a variance to 1 %: the bound is five of these."""
    target = target_of(
        law, macro__dac_bits=dac_bits, cell__read_noise=1.0, macro__input_form="sign_magnitude"
    )
    tile, cells = layer_of(target, input_bits=dac_bits + 1)
    periphery = periphery_of(target.macro, PLACE)
    reads = np.full((20_000, 37), 1, np.int8)
    found = analog_tile(tile, target, cells, periphery).multiply(reads, READS)
    assert cells.sigma is not None
    cell, volt, top = target.cell, target.wires.read_volt, 2**dac_bits - 1
    low, high = currents(np.array([cell.g_min_siemens, cell.g_max_siemens]), volt, cell.current)
    unit = (high - low) / top / (2**cell.bits - 1)
    more, less = (currents(cells.siemens * s, volt / top, cell.current) for s in (1.001, 0.999))
    spread = np.square(cells.sigma * (more - less) / (0.002 * cells.siemens) / unit)
    sums = (spread[:, 0::2] + spread[:, 1::2]).sum(axis=0).reshape(3, -1)
    powers = np.array([4.0, 4.0, 4.0]) ** np.array([0, 1, 2])
    expected = sums @ powers + 3 / 12 * powers.sum()
    assert np.abs(found.var(axis=0) / expected - 1).max() < 0.05


def test_drivers_that_err_drive_other_currents() -> None:
    """The mean is that of the levels that are driven; noise spreads by the slope there."""
    target = target_of(
        SINH,
        macro__dac_bits=2,
        macro__dac__mismatch=0.1,
        macro__dac__noise=0.05,
        macro__input_form="sign_magnitude",
        cell__bits=4,
    )
    tile, cells = layer_of(target, input_bits=3, weight_bits=5)
    levels = driver_levels(target.macro, PLACE)
    assert levels is not None
    read_volt, law = target.wires.read_volt, target.cell.current
    volts = levels[2 : 2 + 37, 2, None] / 3 * read_volt
    low, high = currents(np.array([1e-6, 2e-6]), read_volt, law)
    digits = np.array([target.cell.g_min_siemens, target.cell.g_max_siemens]).dot([-1, 1]) / 15
    unit = digits * (high - low) / 1e-6 / 3
    amperes = currents(cells.siemens, volts, law) / unit
    slopes = slopes_by_volt(cells.siemens, volts, law) * read_volt / 3 / unit
    periphery = periphery_of(target.macro, PLACE)
    found = analog_tile(tile, target, cells, periphery).multiply(
        np.full((20_000, 37), 2, np.int8), replace(READS, positions=20_000)
    )
    mean = (amperes[:, 0::2] - amperes[:, 1::2]).sum(axis=0)
    variance = np.square(0.05 * (slopes[:, 0::2] - slopes[:, 1::2])).sum(axis=0) + 3 / 12
    bound = 5 * np.sqrt(variance / 20_000) + 0.02
    assert (np.abs(found.mean(axis=0) - mean) < bound).all()
    assert np.abs(found.var(axis=0) / variance - 1).max() < 0.1


@pytest.mark.parametrize("law", LAWS)
def test_cells_and_switches_carry_the_same_current(law: dict[str, Any]) -> None:
    target = target_of(law)
    wires, cells = target.wires, np.geomspace(1e-7, 2e-4, 9)
    seen, slopes = read_alone(cells, target, switches=True)
    over = wires.gate_volt - wires.threshold_volt
    amperes = seen * wires.read_volt
    switch = over - np.sqrt(over**2 - 2 * amperes * wires.switch_ohm * over)
    expected = currents(cells, wires.read_volt - switch, target.cell.current)
    np.testing.assert_allclose(amperes, expected, rtol=1e-9)
    ahead, behind = (read_alone(cells * (1 + s), target, switches=True)[0] for s in (1e-5, -1e-5))
    np.testing.assert_allclose(slopes, (ahead - behind) / (2e-5 * cells), rtol=1e-5)


@pytest.mark.parametrize("changes", [{}, {"wires.feed": "source_line"}])
def test_wired_cells_are_trimmed_at_the_read_voltage(changes: dict[str, Any]) -> None:
    """Lines without resistance leave what `device` gives; sinh cells then are resistors."""
    names = ("word_ohm", "bit_ohm", "source_ohm", "driver_ohm", "sense_ohm", "switch_ohm")
    ohms = {f"wires.{name}": 0.0 for name in names}
    target = target_of(MILO).with_values({**changes, **ohms})
    program, codes = programmed(target, random_weights()), random_codes()
    wire, device = (
        ProgrammedArrays(program, fidelity, 3).multiply(0, codes)
        for fidelity in (Fidelity.WIRE, Fidelity.DEVICE)
    )
    assert (wire == device).mean() > 0.9


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({**SINH, "macro.dac_bits": 2}, "read-levels"),
        ({**MILO, "macro.input_form": "sign_magnitude"}, "read-levels"),
        ({**MILO, "wires.interleaved": True}, "read-levels"),
        ({**SINH, "macro.dac.noise": 0.1}, "read-levels"),
        ({"cell.current.limit_volt": 0.1}, "read-voltage"),
        ({**MILO, "cell.current.cube_1_ampere_per_volt3": -1.0}, "read-voltage"),
    ],
)
def test_what_cannot_be_computed_is_refused(changes: dict[str, Any], code: str) -> None:
    program = programmed(target_of(changes), random_weights())
    with pytest.raises(MccError) as caught:
        ProgrammedArrays(program, Fidelity.WIRE, 3).multiply(0, random_codes())
    assert caught.value.diagnostics[0].code == code
