"""What no cell can meet is refused; what its model does not reach warns with the range."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from mcc.ir.diagnostics import MccError, Severity
from mcc.ir.hardware.validity import conductance_warnings
from mcc.runtime.devices import Conditions
from mcc.runtime.devices.conditions import condition_warnings
from mcc.runtime.devices.current import currents, effective_siemens
from tests.runtime.devices.samples import cell_of


@pytest.mark.parametrize(
    "wrong",
    [
        {"seconds": -1.0},
        {"seconds": math.nan},
        {"seconds": math.inf},
        {"kelvin": 0.0},
        {"kelvin": -20.0},
        {"kelvin": math.nan},
        {"cycles": -1},
        {"cycles": 1.5},
    ],
)
def test_impossible_conditions_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(MccError) as caught:
        Conditions(**wrong)
    assert caught.value.diagnostics[0].code == "conditions"
    assert str(next(iter(wrong.values()))) in str(caught.value)


def test_conditions_outside_of_the_range_of_the_model_warn_with_it() -> None:
    cell = cell_of({}, "pcm_aihwkit")
    assert not condition_warnings(Conditions(), cell)
    assert not condition_warnings(Conditions(seconds=3600.0, kelvin=300.0), cell)
    for conditions, reach in (
        (Conditions(seconds=5.0), "5 s after programming is outside of 20 s to 3.1536e+07 s"),
        (Conditions(seconds=1e9), "1e+09 s after programming is outside of 20 s to 3.1536e+07 s"),
        (Conditions(kelvin=420.0), "420 K is outside of 300 K to 300 K"),
    ):
        [found] = condition_warnings(conditions, cell)
        assert (found.code, found.severity) == ("device-range", Severity.WARNING)
        assert reach in found.message


def test_states_outside_of_the_range_of_the_model_warn_with_it() -> None:
    assert not conductance_warnings(cell_of({}, "milo2021"))
    [found] = conductance_warnings(cell_of({"g_max_siemens": 3e-4}, "milo2021"))
    assert (found.code, found.severity) == ("device-range", Severity.WARNING)
    assert "5e-05 S to 0.0003 S are not all in 5e-05 S to 0.000225 S" in found.message


def test_hyperbolic_cells_conduct_more_at_higher_voltages() -> None:
    law = cell_of({"current.sinh_per_volt": 3.0}).current
    conductances = np.array([1e-6, 5e-5])
    found = currents(conductances, 0.2, law)
    assert np.allclose(found, conductances * math.sinh(0.6) / 3, rtol=1e-12)
    assert np.allclose(effective_siemens(conductances, 0.2, law), found / 0.2, rtol=1e-12)
    assert np.array_equal(currents(conductances, -0.2, law), -found)
    ohmic = cell_of().current
    assert np.array_equal(effective_siemens(conductances, 0.2, ohmic), conductances)


@pytest.mark.parametrize("volt", [0.51, -0.6, math.nan])
def test_voltages_that_the_law_does_not_reach_are_refused(volt: float) -> None:
    law = cell_of({}, "milo2021").current
    with pytest.raises(MccError, match=r"up to 0\.5 V") as caught:
        currents(np.array([8e-5]), volt, law)
    assert caught.value.diagnostics[0].code == "read-voltage"
    with pytest.raises(MccError, match="drives no current"):
        effective_siemens(np.array([8e-5]), 0.0, law)
