"""Laws of the analog sums of one tile: exact sums on the grid, noise of the derived variance."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from mcc.backends.crossbar import targets
from mcc.ir.hardware import Target
from mcc.ir.program import Tile
from mcc.runtime.analog import AnalogTile, on_grid
from mcc.runtime.devices import unit_siemens

ROWS, COLS, READS = 24, 2, 20_000


@pytest.mark.parametrize(("drive", "group"), [(1, 64), (3, 128), (15, 16), (255, 512)])
def test_sums_on_the_grid_are_exact(drive: int, group: int) -> None:
    random = np.random.default_rng(drive)
    numbers = random.normal(1, 0.3, (512, 30))
    grid = on_grid(numbers, drive, group)
    inputs = random.integers(-drive, drive + 1, (40, group)).astype(grid.values.dtype)
    exact = inputs.astype(np.int64) @ grid.values[:group].astype(np.int64)
    assert np.array_equal(inputs @ grid.values[:group], exact)
    assert np.abs(grid.values / grid.unit - numbers).max() <= 0.5 / grid.unit
    assert grid.unit * np.abs(numbers).max() >= 2**12


def tile_of(target: Target, signed: bool) -> Tile:
    return Tile(
        core=0,
        macro=0,
        row=0,
        col=0,
        rows=ROWS,
        cols=COLS,
        weight_bits=3,
        input_bits=8,
        input_signed=signed,
        shift=0,
        flips=b"",
        image=0,
        node="layer",
        block=(0, 0),
    )


def analog(
    encoding: str, dac_bits: int, read_noise: float
) -> tuple[Target, AnalogTile, NDArray[np.float64]]:
    target = targets.load("rram40nm").with_values(
        {
            "macro.encoding": encoding,
            "macro.dac_bits": dac_bits,
            "macro.input_form": "sign_magnitude",
            "macro.active_rows": ROWS,
            "cell.bits": 2,
        }
    )
    low, high = target.cell.g_min_siemens, target.cell.g_max_siemens
    conductances = np.random.default_rng(5).uniform(low, high, (ROWS, 2 * COLS))
    return target, AnalogTile(tile_of(target, True), target, conductances, read_noise), conductances


@pytest.mark.parametrize("encoding", ["differential", "offset"])
@pytest.mark.parametrize("dac_bits", [1, 3])
def test_noise_of_a_sum_equals_noise_drawn_cell_by_cell(encoding: str, dac_bits: int) -> None:
    noise = 0.1
    target, tile, conductances = analog(encoding, dac_bits, noise)
    random = np.random.default_rng(11)
    drive = random.integers(-(2**dac_bits) + 1, 2**dac_bits, ROWS).astype(np.int16)
    reads = tile.read(np.tile(drive, (READS, 1)), slice(0, ROWS), READS, [random])

    background = 0 if encoding == "differential" else target.cell.g_min_siemens
    fold = [1, -1] if encoding == "differential" else [1]
    drawn = np.empty_like(reads, dtype=np.float64)
    for index in range(READS):
        noisy = conductances * (1 + noise * random.standard_normal(conductances.shape))
        currents = (drive @ (noisy - background)).reshape(-1, len(fold)) @ fold
        drawn[index] = currents / unit_siemens(target.cell)

    per_cell = (drive[:, None] * noise * conductances / unit_siemens(target.cell)) ** 2
    variance = per_cell.sum(axis=0).reshape(-1, len(fold)).sum(axis=1)
    mean = (drive @ (conductances - background)).reshape(-1, len(fold)) @ fold
    mean = mean / unit_siemens(target.cell)
    for found in (reads, drawn):
        assert np.abs(found.mean(axis=0) - mean).max() < 5 * np.sqrt(variance.max() / READS)
        assert np.abs(found.var(axis=0) / variance - 1).max() < 5 * np.sqrt(2 / READS)


def test_noise_is_independent_between_sums() -> None:
    _, tile, _ = analog("offset", 1, 0.1)
    drive = np.ones((READS, ROWS), np.int16)
    reads = tile.read(drive, slice(0, ROWS), READS, [np.random.default_rng(3)])
    correlations = np.corrcoef(reads.T) - np.eye(reads.shape[1])
    assert np.abs(correlations).max() < 5 / np.sqrt(READS)


def test_undriven_rows_add_neither_current_nor_noise() -> None:
    _, tile, _ = analog("differential", 1, 0.1)
    drive = np.zeros((50, ROWS), np.int16)
    assert not tile.read(drive, slice(0, ROWS), 50, [np.random.default_rng(3)]).any()
