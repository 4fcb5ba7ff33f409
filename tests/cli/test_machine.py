"""A programmed chip is called like the module it came from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np
import pytest
import torch
from torch import nn

import mcc
from mcc.backends.crossbar import targets

manual_seed: Any = cast(Any, torch).manual_seed
FREE = np.zeros((512, 512), np.uint8)


class Scaled(nn.Module):
    """Takes a number beside its rows, and gives one."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(8, 4)

    def forward(self, x: torch.Tensor, scale: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        y = self.linear(x) * scale
        return y, y.sum()


@pytest.mark.parametrize("given", [torch.Tensor.clone, torch.Tensor.numpy])
def test_numbers_go_in_and_come_out_as_numbers(given: Callable[[torch.Tensor], Any]) -> None:
    manual_seed(0)
    module = Scaled().eval()
    calls = [(torch.randn(2, 8), torch.tensor(0.5)) for _ in range(4)]
    program = mcc.compile(module, calls[0], calibration=calls)
    x, scale = calls[1]
    y, total = mcc.Machine(program)(given(x), given(scale))
    with torch.no_grad():
        expected, _ = module(x, scale)
    assert type(y) is type(total) is type(given(x))
    assert total.shape == ()
    np.testing.assert_allclose(y, expected, atol=0.02)
    np.testing.assert_allclose(total, y.sum(), rtol=1e-5)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"fidelity": "devise"}, "option-value"),
        ({"fidelity": "wires"}, "did you mean `wire`"),
        ({"threads": 0}, "option-value"),
        ({"threads": "all"}, "option-value"),
        ({"threads": 1.5}, "option-value"),
        ({"fidelity": "device", "seed": -1}, "seed-invalid"),
        ({"fidelity": "device", "seed": 1.5}, "seed-invalid"),
        ({"seed": "a"}, "seed-invalid"),
        ({"seed": True}, "seed-invalid"),
        ({"seed": 3}, "at fidelity exact all chips are the same: seed 3 has no effect"),
        ({"fidelity": "converter", "seed": 0}, "option-value"),
        ({"seconds": 10.0}, "at fidelity exact cells are ideal"),
        ({"fidelity": "converter", "kelvin": 350.0}, "have no effect"),
        ({"fidelity": "device", "seconds": -1.0}, "-1.0 s is no time after programming"),
        ({"fidelity": "device", "kelvin": float("nan")}, "nan K is no temperature"),
        ({"fidelity": "device", "stuck": {(63, 15): FREE}}, "core 63, macro 15: nothing is there"),
        ({"fidelity": "device", "stuck": {0: FREE}}, "is for 0, which is no place"),
        ({"fidelity": "device", "stuck": {("a", 0): FREE}}, "stuck-map"),
        ({"fidelity": "device", "stuck": {(0, 0, 0): FREE}}, "stuck-map"),
        ({"fidelity": "device", "stuck": {(0.0, 0): FREE}}, "stuck-map"),
        ({"fidelity": "device", "stuck": {(0, 0): [[0], [0, 1]]}}, "stuck-map.* no array"),
        ({"fidelity": "device", "stuck": [FREE]}, "given as list, not as a mapping"),
        ({"fidelity": "device", "stuck": 3}, "given as int, not as a mapping"),
        ({"fidelity": "device", "stuck": {(64, 0): np.zeros((512, 512), np.uint8)}}, "stuck-map"),
        ({"fidelity": "device", "stuck": {(0, 0): np.zeros((4, 4), np.uint8)}}, "stuck-map"),
    ],
)
def test_machines_that_there_are_not(options: dict[str, Any], said: str) -> None:
    program = mcc.compile(nn.Linear(8, 4), torch.randn(2, 8), calibration=torch.randn(4, 8))
    with pytest.raises(mcc.MccError, match=said):
        mcc.Machine(program, **options)


def test_machines_are_read_when_and_how_warm_the_user_says() -> None:
    manual_seed(0)
    data = torch.randn(8, 8)
    program = mcc.compile(nn.Linear(8, 4), data[:1], device="pcm_aihwkit", calibration=data)
    assert program.target.name == "rram40nm+pcm_aihwkit"
    fresh = mcc.Machine(program, "device")(data)
    aged = mcc.Machine(program, "device", seconds=1e6)(data)
    assert not torch.equal(fresh, aged)
    with pytest.warns(mcc.MccWarning, match="380 K is outside of 300 K to 300 K"):
        warm = mcc.Machine(program, "device", seconds=1e6, kelvin=380.0)
    assert [item.code for item in warm.findings] == ["device-range"]


def test_measured_maps_of_stuck_cells_are_read_back() -> None:
    manual_seed(0)
    data = torch.randn(8, 8)
    program = mcc.compile(nn.Linear(8, 4), data[:1], calibration=data)
    image = program.artifact.program.images[0]
    table = np.random.default_rng(0).choice(3, image.cells.shape).astype(np.uint8)
    machine = mcc.Machine(program, "device", stuck={(image.core, image.macro): table})
    assert np.array_equal(machine.stuck_map(image.core, image.macro), table)
    assert not torch.equal(machine(data), mcc.Machine(program, "device")(data))
    with pytest.raises(mcc.MccError, match="nothing is programmed into macro 15 of core 63"):
        machine.stuck_map(63, 15)


@pytest.mark.parametrize("fidelity", ["device", "wire"])
def test_cells_of_an_output_without_weights_add_nothing_to_it(fidelity: str) -> None:
    """An offset encoding holds zeros as cells in between, which err like all others."""
    manual_seed(0)
    layer, data = nn.Linear(128, 6), torch.rand(16, 128)
    layer.weight.data[2] = 0
    target = targets.load("rram40nm").with_values({"macro.encoding": "offset"})
    program = mcc.compile(layer, data[:1], target=target, calibration=data)
    found = mcc.Machine(program, fidelity)(data)
    assert torch.allclose(found[:, 2], layer.bias[2].detach().expand(16), atol=1e-5)


def test_what_lies_beyond_the_device_model_warns_with_its_range() -> None:
    manual_seed(0)
    data = torch.randn(8, 8)
    program = mcc.compile(nn.Linear(8, 4), data[:1], calibration=data)
    with pytest.warns(mcc.MccWarning, match="1000000000000 writes are outside of 0 to"):
        mcc.Machine(program, "device", cycles=10**12)
    wide = targets.load("rram40nm", device="pcm_joshi").with_values({"cell.g_max_siemens": 1e-4})
    program = mcc.compile(nn.Linear(8, 4), data[:1], target=wide, calibration=data)
    with pytest.warns(mcc.MccWarning, match="range of the device model"):
        assert mcc.Machine(program, "device").findings


@pytest.mark.parametrize("program", ["model.mcc", 3, nn.Linear(2, 2)])
def test_only_programs_are_run(program: Any) -> None:
    with pytest.raises(mcc.MccError, match="runs a compiled program"):
        mcc.Machine(program)
