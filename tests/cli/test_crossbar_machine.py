"""A crossbar and a compiled program of the same weights are the same hardware, to the bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import mcc
from tests.crossbars import small_target, whole_vectors, whole_weights
from tests.programmed_arrays import MILO, SINH

HARDWARE: dict[str, dict[str, Any]] = {
    "as it is": {},
    "offset": {"macro.encoding": "offset", "macro.column_flip": True},
    "drivers and converters": {
        "macro.dac_bits": 3,
        "macro.dac.mismatch": 0.05,
        "macro.dac.noise": 0.1,
        "macro.adc.bits": 9,
        "macro.adc.kind": "sar",
        "macro.adc.mismatch": 0.05,
        "macro.adc.noise": 0.3,
    },
    "one law of current": SINH,
    "another": MILO,
    "gates": {"wires.feed": "source_line"},
}


@pytest.mark.parametrize("name", HARDWARE)
@pytest.mark.parametrize("fidelity", ["exact", "converter", "device", "wire"])
def test_products_are_those_of_programs(name: str, fidelity: str) -> None:
    """Whole weights and inputs that reach the largest code are their own codes in both."""
    target = small_target().with_values(HARDWARE[name])
    weights, x = whole_weights(5, 29), torch.tensor(whole_vectors(8, 29)).float()
    module = nn.Linear(29, 5, bias=False)
    module.weight.data = torch.tensor(weights).float()
    program = mcc.compile(module, (x[:1],), target=target, calibration=[(x,)])
    seed = 3 if fidelity in ("device", "wire") else None
    machine, a = mcc.Machine(program, fidelity, seed), mcc.Crossbar(weights, target, fidelity, seed)
    assert np.array_equal(machine(x).detach(), x.numpy() @ a.T)
