"""Laws against measured cells (`akashlevy/RRAM-Relaxation-Master-Model`), where the data are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from mcc.backends.crossbar import targets
from mcc.runtime.devices import Cells, Conditions
from mcc.runtime.devices.drift import shift_moments
from mcc.runtime.random import MacroPlace

FOLDER = Path(__file__).parents[4] / "shared/data/rram"
pytestmark = pytest.mark.skipif(not FOLDER.exists(), reason="the shared data are not here")


def changes(name: str) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Return times (times,), changes since the first read (cells, times) in uS, and levels."""
    with np.load(FOLDER / f"{name}_relaxation.npz") as data:
        siemens: NDArray[np.float64] = data["g_uS"].astype(np.float64)
        seconds: NDArray[np.float64] = data["time_s"].astype(np.float64)
        levels: NDArray[np.int16] = data["level"]
    return np.round(seconds[1:], 6), siemens[:, 1:] - siemens[:, :1], levels


def test_the_card_of_technology_c_describes_its_relaxation() -> None:
    seconds, moved, _ = changes("techC")
    card = targets.load("isaac", device="foundry_c").cell
    columns: list[NDArray[np.float64]] = list(moved.T)
    for time, column in zip(seconds, columns, strict=True):
        mean, spread = shift_moments(card.relaxation, time / card.start_seconds)
        assert abs(spread / 1e-6 / float(np.nanstd(column)) - 1) < 0.03
        assert abs(mean / 1e-6 - float(np.nanmean(column))) < 0.2


@pytest.mark.parametrize(("first", "second"), [(0.01, 1.0), (0.01, 1e5), (1.0, 1e5), (4.0, 1e5)])
def test_cells_of_technology_c_change_as_much_between_two_times(
    first: float, second: float
) -> None:
    """Within a fifth; to theirs adds the noise of single reads, which the card has not."""
    seconds, moved, _ = changes("techC")
    before, after = (moved[:, list(seconds).index(time)] for time in (first, second))
    card = targets.load("isaac", device="foundry_c").cell
    states = np.full((128, 128), 2**card.bits - 1, np.uint8)
    cells = Cells(states, card, MacroPlace(0, 0, 0))
    now, later = (cells.read(Conditions(seconds=time)).siemens for time in (first, second))
    ratio = float(np.std(later - now)) / 1e-6 / float(np.nanstd(after - before))
    assert 0.8 < ratio < 1


def test_no_law_that_is_linear_in_the_logarithm_describes_it() -> None:
    seconds, moved, _ = changes("techC")
    logs = np.log(seconds / 0.01)
    spreads: NDArray[np.float64] = np.nanstd(moved, axis=0)
    fit: NDArray[Any] = np.polyval(np.polyfit(logs, spreads, 1), logs)
    assert float(np.abs(fit / spreads - 1).max()) > 0.2


def test_the_relaxation_of_technology_c_is_alike_for_all_but_the_lowest_levels() -> None:
    _, moved, levels = changes("techC")
    spreads = [float(np.nanstd(moved[levels == level, -1])) for level in range(4, 32)]
    assert max(spreads) / min(spreads) < 1.5


def test_the_relaxation_of_technology_b_depends_on_the_level() -> None:
    seconds, moved, levels = changes("techB")
    column = moved[:, int(np.argmax(seconds == 1000))]
    middle, high = (levels >= 12) & (levels <= 14), (levels >= 26) & (levels <= 31)
    assert np.nanstd(column[middle]) > 5 * np.nanstd(column[high])


def test_the_read_noise_of_technology_a_grows_faster_than_flicker_noise() -> None:
    """The variance of 1/f noise in windows grows with the logarithm of their length."""
    with np.load(FOLDER / "techA_read_noise.npz") as data:
        reads = data["g_uS"].astype(float)
    variances = [
        reads.reshape(len(reads), -1, length).var(axis=2).mean(axis=1)
        for length in (10, 100, 1000, 10_000)
    ]
    steps = np.diff(variances, axis=0)
    assert (steps > 0).all()
    assert (steps[2] > 2 * steps[0]).sum() >= 3
