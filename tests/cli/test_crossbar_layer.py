"""The torch layer of a crossbar: the products of the native kernels, and gradients straight on."""

from __future__ import annotations

import copy
from typing import Any, cast

import numpy as np
import pytest
import torch
from torch import nn

import mcc
from mcc.ir.hardware import InputForm
from mcc.runtime.devices import unit_siemens
from tests.crossbars import QUIET, noisy_crossbar, small_target, whole_vectors, whole_weights
from tests.programmed_arrays import ENCODINGS, IDEAL_CELLS

CUDA = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
DEVICES = ["cpu", pytest.param("cuda", marks=CUDA)]
manual_seed: Any = cast(Any, torch).manual_seed


def random_operands(rows: int = 19, cols: int = 37) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return (
        torch.randn(rows, cols, generator=generator),
        torch.randn(4, 25, cols, generator=generator, dtype=torch.float64),
    )


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("fidelity", ["exact", "converter", "device"])
@pytest.mark.parametrize(("encoding", "flip"), ENCODINGS)
@pytest.mark.parametrize("form", list(InputForm))
@pytest.mark.parametrize("unsigned", [False, True])
def test_it_agrees_with_the_native_product(
    device: str, fidelity: str, encoding: str, flip: bool, form: InputForm, unsigned: bool
) -> None:
    target = small_target(
        macro__encoding=encoding,
        macro__column_flip=flip,
        macro__input_form=form.value,
        macro__adc__bits=6,
        macro__dac_bits=2,
        cell__bits=2,
    ).with_values(QUIET)
    weights, x = random_operands()
    a = mcc.Crossbar(weights, target, fidelity, input_range=(0, 2) if unsigned else None)
    found, native = a.layer()(x.to(device)).cpu(), (a @ x.mT).mT
    assert found.dtype == torch.float64
    # A sum within float32 rounding of the middle between two codes may take the other one.
    same = torch.isclose(found, native, rtol=1e-12, atol=1e-12)
    assert (~same).double().mean() <= (2e-3 if fidelity == "device" else 0)
    assert (found - native).abs().mean() <= 1e-4 * native.abs().mean()


def test_results_have_the_type_of_the_input() -> None:
    weights, x = random_operands()
    layer = mcc.Crossbar(weights, small_target(), "exact").layer(bias=np.ones(19))
    wide = layer(x)
    for dtype in (torch.float32, torch.float16, torch.bfloat16):
        found = layer(x.to(dtype))
        assert found.dtype == dtype
        assert (found - wide).abs().max() < 64 * torch.finfo(dtype).eps * wide.abs().max()
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(layer(x), wide)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("encoding", ["differential", "offset"])
def test_noise_has_the_distribution_of_the_cells(device: str, encoding: str) -> None:
    reads, noise = 20_000, 0.1
    a = noisy_crossbar(6, 20, encoding, cell__read_noise=noise)
    x = whole_vectors(1, 20, 5)[0]
    found = a.layer()(torch.tensor(x).expand(reads, -1).to(device)).detach().cpu().numpy()
    per_cell = (x[:, None] * noise * a.conductances / unit_siemens(a.target.cell)) ** 2
    variance = per_cell.sum(axis=0).reshape(6, -1).sum(axis=1) + 1 / 12
    assert np.abs(found.mean(axis=0) - np.asarray(a) @ x).max() < 5 * np.sqrt(
        variance.max() / reads
    )
    assert np.abs(found.var(axis=0) / variance - 1).max() < 5 * np.sqrt(2 / reads) + 2**-8


@pytest.mark.parametrize(
    "changes",
    [
        {"macro__adc__noise": 3.0},
        {"macro__adc__noise": 3.0, "macro__accumulation": "analog"},
        {"macro__dac__noise": 0.1},
        {"macro__dac__noise": 0.1, "cell__current__sinh_per_volt": 6.0},
        {"cell__read_noise": 0.05, "cell__current__sinh_per_volt": 6.0},
        {"cell__read_noise": 0.05, "cell__current__square_0_ampere_per_volt2": 1e-5},
    ],
)
def test_noise_is_distributed_as_in_native_products(changes: dict[str, Any]) -> None:
    reads = 8_000
    a = noisy_crossbar(6, 20, "differential", **{"cell__read_noise": 0.0, **changes})
    x = np.tile(whole_vectors(1, 20, 5), (reads, 1))
    native = x @ a.T
    found = a.layer()(torch.tensor(x)).detach().numpy()
    bound = 5 * np.sqrt(2 * native.var(axis=0) / reads)
    assert (np.abs(found.mean(axis=0) - native.mean(axis=0)) < bound).all()
    assert np.abs(found.var(axis=0) / native.var(axis=0) - 1).max() < 5 * np.sqrt(4 / reads)


@pytest.mark.parametrize("accumulation", ["digital", "analog"])
def test_sums_that_single_precision_does_not_hold_are_exact(accumulation: str) -> None:
    """Each analog sum is below 2**24, as targets must be; four of them together are beyond."""
    target = small_target(
        macro__rows=1000,
        macro__active_rows=500,
        macro__adc__bits=24,
        macro__dac_bits=8,
        macro__input_form="sign_magnitude",
        macro__accumulation=accumulation,
        cell__bits=7,
    ).with_values(IDEAL_CELLS)
    weights, x = np.full((3, 2000), 127.0), np.full((2, 2000), 127.0)
    weights[1, 7], weights[2], x[1, 1] = 126.0, -127.0, 126.0
    expected = x @ weights.T
    assert (np.abs(expected) > 2**24).all()
    for fidelity in ("exact", "converter", "device"):
        a = mcc.Crossbar(weights, target, fidelity)
        assert np.array_equal(a.layer()(torch.tensor(x)).detach(), x @ a.T)
    exact = mcc.Crossbar(weights, target, "exact").layer()
    assert np.array_equal(exact(torch.tensor(x)).detach(), expected)


def test_noise_repeats_by_seed_and_differs_between_calls() -> None:
    weights, x = random_operands()
    layers = [
        mcc.Crossbar(weights, small_target(), "device", seed=seed).layer() for seed in (7, 7, 8)
    ]
    first, again, other = (layer(x) for layer in layers)
    assert torch.equal(first, again)
    assert not torch.equal(first, layers[0](x))
    assert not torch.equal(first, other)


def test_copies_of_layers_are_layers_of_copied_cells() -> None:
    weights, x = random_operands()
    layer = mcc.Crossbar(weights, small_target().with_values(QUIET), "device").layer()
    before = layer(x)
    other = copy.deepcopy(layer)
    assert torch.equal(other(x), before)
    other.program()
    assert not torch.equal(other(x), before)
    assert torch.equal(layer(x), before)


@pytest.mark.parametrize("clipped", [False, True])
def test_gradients_go_straight_through(clipped: bool) -> None:
    weights, x = random_operands()
    a = mcc.Crossbar(weights, small_target(), "device", input_range=(-1, 1) if clipped else None)
    layer = a.layer(bias=np.zeros(19))
    x.requires_grad_()
    y = layer(x)
    generator = torch.Generator().manual_seed(2)
    upstream = torch.randn(y.shape, generator=generator, dtype=torch.float64)
    y.backward(upstream)
    written = torch.tensor(np.asarray(a), dtype=torch.float64)
    inside = (x.abs() <= 1) if clipped else torch.ones_like(x, dtype=torch.bool)
    assert x.grad is not None
    assert layer.weight.grad is not None
    assert layer.bias is not None
    assert layer.bias.grad is not None
    torch.testing.assert_close(x.grad, upstream @ written * inside, rtol=1e-5, atol=1e-5)
    ideal = torch.einsum("abm,abn->mn", upstream, x.detach())
    torch.testing.assert_close(layer.weight.grad, ideal.float(), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(layer.bias.grad, upstream.sum(dim=(0, 1)).float())


def test_gradients_of_ideal_cells_are_those_of_the_linear_layer() -> None:
    """Finite differences over many codes see the slope that the gradient claims."""
    weights = torch.tensor(whole_weights(5, 12))
    layer = mcc.Crossbar(weights, small_target(), "exact", input_range=(-127, 127)).layer()
    x = torch.tensor(np.round(whole_vectors(3, 12) / 4), requires_grad=True)
    step = torch.tensor(np.random.default_rng(1).integers(-20, 21, (3, 12)).astype(np.float64))
    (gradient,) = torch.autograd.grad(layer(x).square().sum() / 2, x)
    change = (layer(x + step).square().sum() - layer(x - step).square().sum()) / 4
    assert torch.isclose((gradient * step).sum(), change, rtol=1e-12)


def test_cells_follow_the_weights_when_they_are_programmed() -> None:
    weights, x = random_operands()
    a = mcc.Crossbar(weights, small_target(), "exact")
    layer = a.layer()
    before = layer(x)
    with torch.no_grad():
        layer.weight.mul_(-1)
    assert torch.equal(layer(x), before)
    layer.program()
    assert a.writes == 2
    assert torch.allclose(layer(x), -before)
    a.program(weights)
    assert torch.allclose(layer(x), before)
    a.calibrate(x.reshape(-1, 37).mT[:, :10])
    assert torch.allclose(layer(x), (a @ x.mT).mT)


def test_parameters_are_those_of_a_linear_layer() -> None:
    weights, _ = random_operands()
    a = mcc.Crossbar(weights, small_target(), "device")
    bias = torch.arange(19.0)
    layer = a.layer(bias)
    assert {name: value.shape for name, value in layer.state_dict().items()} == {
        "weight": (19, 37),
        "bias": (19,),
    }
    exact = np.asarray(mcc.Crossbar(weights, small_target(), "exact"))
    np.testing.assert_allclose(layer.weight.detach(), exact, rtol=1e-6)
    assert "37, 19, bias=True, device" in repr(layer)
    assert layer.bias is not None
    layer.bias.data.zero_()
    assert bias.sum() > 0


@pytest.mark.parametrize(
    ("x", "said"),
    [
        (torch.ones(3, 12), r"takes real numbers \(\.\.\., 37\)"),
        (torch.ones(37, dtype=torch.int64), "int64"),
        (torch.full((37,), torch.nan), "not a number"),
    ],
)
def test_inputs_that_there_are_not(x: torch.Tensor, said: str) -> None:
    layer = mcc.Crossbar(random_operands()[0], small_target()).layer()
    with pytest.raises(mcc.MccError, match=said) as caught:
        layer(x)
    assert caught.value.diagnostics[0].code == "crossbar-input"


@pytest.mark.parametrize(
    ("part", "bias", "code"),
    [(slice(1, None), None, "crossbar-view"), (slice(None), [1.0], "crossbar-weights")],
)
def test_layers_that_there_are_not(part: slice, bias: Any, code: str) -> None:
    a = mcc.Crossbar(random_operands()[0], small_target())
    with pytest.raises(mcc.MccError, match=code):
        a[part].layer(bias)
    with pytest.raises(mcc.MccError, match=r"w\.real"):
        mcc.Crossbar(np.ones((2, 2)) * 1j).layer()


def two_moons(count: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return points of two interleaved half circles, and which of them each is on."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, 2, count)
    angles = random.uniform(0, np.pi, count)
    points = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    points = np.where(labels[:, None], [1, 0.5] - points, points)
    points += random.normal(0, 0.1, points.shape)
    return torch.tensor(points - [0.5, 0.25], dtype=torch.float32), torch.tensor(labels)


class Network(nn.Module):
    """Points, 24 hidden units, two classes; its linear layers may be crossbars."""

    def __init__(self) -> None:
        super().__init__()
        self.first: nn.Module = nn.Linear(2, 24)
        self.second: nn.Module = nn.Linear(24, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.second(torch.relu(self.first(x)))

    def on_crossbars(self, **options: Any) -> Network:
        """Return the network with its weights in cells."""
        other = Network()
        for name in ("first", "second"):
            linear = cast(nn.Linear, getattr(self, name))
            a = mcc.Crossbar(linear.weight, small_target(), "device", **options)
            setattr(other, name, a.layer(linear.bias))
        return other

    def program(self) -> None:
        """Write the cells of both layers."""
        for layer in (self.first, self.second):
            cast(Any, layer).program()


def train(network: Network, steps: int, rewritten: bool) -> None:
    x, labels = two_moons(256, seed=1)
    optimizer = torch.optim.Adam(network.parameters(), 0.01)
    for _ in range(steps):
        if rewritten:
            network.program()
        loss = nn.functional.cross_entropy(network(x), labels)
        optimizer.zero_grad()
        cast(Any, loss).backward()
        cast(Any, optimizer).step()


def accuracy(network: Network, writes: int = 10) -> float:
    """Return the accuracy on other points, mean of some writes."""
    x, labels = two_moons(500, seed=2)
    found: list[float] = []
    for _ in range(writes):
        network.program()
        with torch.no_grad():
            found.append(float((network(x).argmax(dim=1) == labels).float().mean()))
    return float(np.mean(found))


def test_training_on_a_chip_recovers_what_its_cells_cost() -> None:
    manual_seed(4)
    ideal = Network()
    train(ideal, 300, rewritten=False)
    x, labels = two_moons(500, seed=2)
    assert (ideal(x).argmax(dim=1) == labels).float().mean() > 0.98
    chip = ideal.on_crossbars(seed=4, cell__stuck_high_fraction=0.2, cell__write_error=0.1)
    assert accuracy(chip) < 0.9
    train(chip, 60, rewritten=True)
    assert accuracy(chip) > 0.98
