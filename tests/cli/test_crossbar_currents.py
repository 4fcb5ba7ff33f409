"""Crossbars of cells that are no resistors, or whose inputs open switches."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import mcc
from mcc.ir.hardware.phases import phases
from mcc.runtime.converters.drivers import driver_levels
from mcc.runtime.devices.current import currents
from mcc.runtime.random import MacroPlace
from tests.crossbars import (
    QUIET,
    from_codes,
    from_currents,
    small_target,
    whole_vectors,
    whole_weights,
)
from tests.programmed_arrays import IDEAL_CELLS, IDEAL_LINES, MILO, SINH

GATED: dict[str, Any] = {"wires.feed": "source_line"}
ONE_PHASE: dict[str, Any] = {
    "macro.input_form": "sign_magnitude",
    "macro.dac_bits": 7,
    "macro.adc.bits": 24,
    "cell.bits": 4,
}


def crossbar(fidelity: str = "device", /, **changes: Any) -> mcc.Crossbar:
    values = {"macro.adc.bits": 24, **QUIET, **changes}
    return mcc.Crossbar(whole_weights(7, 29), small_target().with_values(values), fidelity, seed=3)


@pytest.mark.parametrize("law", [SINH, MILO, {**MILO, **SINH}])
@pytest.mark.parametrize("coding", ["level", "pulse_width"])
@pytest.mark.parametrize("form", ["twos_complement", "sign_magnitude"])
@pytest.mark.parametrize("mismatch", [0.0, 0.1])
def test_bit_lines_carry_the_currents_of_their_cells(
    law: dict[str, Any], coding: str, form: str, mismatch: float
) -> None:
    changes = {
        "macro.input_coding": coding,
        "macro.input_form": form,
        "macro.dac_bits": 3,
        "macro.dac.mismatch": mismatch,
    }
    a = crossbar(**law, **changes)
    macro, volt = a.target.macro, a.target.wires.read_volt
    x = whole_vectors(1, 24)[0]
    found = a[:, :24].currents(x)
    drawn = driver_levels(macro, MacroPlace(3, 0, 0))
    levels = np.tile(np.arange(8.0), (24, 1)) if drawn is None else drawn
    for index, phase in enumerate(phases(macro, 8, True)):
        digits = phase.drive(x.astype(np.int8))
        sizes = levels[np.arange(24), np.abs(digits)]
        volts = np.sign(digits) * (volt if coding == "pulse_width" else sizes / 7 * volt)
        counts = sizes if coding == "pulse_width" else np.ones(24)
        cells = a.conductances[:24, :56]  # the first macro holds four of the seven outputs
        amperes = counts[:, None] * currents(cells, volts[:, None], a.target.cell.current)
        expected = amperes.reshape(3, 8, -1).sum(axis=1)
        np.testing.assert_allclose(found[:3, index, :56], expected, rtol=1e-9, atol=1e-18)


def test_voltages_beyond_the_law_are_refused() -> None:
    changes = {"cell.current.limit_volt": 0.2, "macro.dac.mismatch": 0.1, "macro.dac_bits": 3}
    with pytest.raises(mcc.MccError, match="is not known"):
        crossbar(**SINH, **changes).currents(np.ones(29))


@pytest.mark.parametrize("law", [SINH, MILO])
def test_the_matrix_is_the_secant_at_full_drive(law: dict[str, Any]) -> None:
    """Vectors of the highest digit see it, others the curve below: sinh carries less, pro rata."""
    a, x = crossbar(**law, **ONE_PHASE), np.where(whole_vectors(20, 29) > 0, 127.0, 0.0)
    matrix = np.asarray(a)
    rounding = 0.5 * 17 * 5 + 1e-3
    assert np.abs((a @ x.T).T - x @ matrix.T).max() < rounding
    x[:, 0] = 127.0
    low = np.concatenate([x[:, :1], x[:, 1:] / 4], axis=1).round()
    curved = np.abs((a @ low.T).T - low @ matrix.T).max()
    assert curved > 3 * rounding


def test_a_law_without_bend_is_that_of_resistors() -> None:
    """To first order in the bend, products differ from those of resistors by its square."""
    x = whole_vectors(5, 29).T
    ohmic = crossbar(**ONE_PHASE) @ x
    faint = crossbar(**ONE_PHASE, **{"cell.current.sinh_per_volt": 1e-3}) @ x
    assert np.abs(faint - ohmic).max() <= 17 * 5
    assert not np.array_equal(crossbar(**ONE_PHASE, **SINH) @ x, ohmic)


def test_gated_cells_multiply_and_show_their_currents() -> None:
    ideal = crossbar("wire", **GATED, **IDEAL_CELLS, **IDEAL_LINES)
    x = whole_vectors(3, 29)
    assert np.array_equal((ideal @ x.T).T, x @ whole_weights(7, 29).T)
    real = crossbar("wire", **GATED)
    assert np.array_equal(from_codes(real, x), (real @ x.T).T)
    assert real.clipping(x.T) == 0
    device = crossbar("device", **GATED).currents(x.T)
    lossless = crossbar("wire", **GATED, **IDEAL_LINES).currents(x.T)
    np.testing.assert_allclose(lossless, device, rtol=1e-9)
    lossy = real.currents(x.T)
    assert (lossy <= device * (1 + 1e-12)).all()
    assert (lossy < 0.999 * device).any()


def test_the_matrix_of_gated_cells_is_that_of_open_groups() -> None:
    """The code 127 opens every row in seven phases and none in the last; -128 cannot occur."""
    lines = {"wires.switch_ohm": 0.0, "wires.source_ohm": 20.0}
    a, device = (crossbar(it, **GATED, **lines) for it in ("wire", "device"))
    full, alone = np.full((1, 29), 127.0), np.zeros((1, 29))
    alone[0, 12] = 127.0
    np.testing.assert_allclose(from_currents(a, full)[0], np.asarray(a) @ full[0], rtol=1e-5)
    assert not np.allclose(from_currents(a, alone)[0], np.asarray(a) @ alone[0], rtol=1e-3)
    assert not np.allclose(np.asarray(a), np.asarray(device), rtol=1e-3)


def test_a_layer_of_gated_cells_is_refused() -> None:
    with pytest.raises(mcc.MccError, match="depends on all inputs together") as caught:
        crossbar("wire", **GATED).layer()
    assert caught.value.diagnostics[0].code == "crossbar-model"
