"""The cards say what was published: tables of sigma and mean, every formula written out again."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mcc.backends.crossbar import targets
from mcc.ir.hardware import Cell
from mcc.runtime.devices.current import currents, polynomials
from mcc.runtime.devices.drift import exponent_moments, shift_moments
from mcc.runtime.devices.flicker import flicker_sigma, gathered
from mcc.runtime.devices.write import write_sigma

FITS = Path(__file__).parents[4] / "shared/data/rram/device_fits.json"
US = 1e-6


def cell_of(device: str) -> Cell:
    return targets.load("isaac", device=device).cell


def wan(a: float, b: float, c: float, d: float, e: float) -> Callable[[float], float]:
    return lambda g: a + b * (g / 40) + c * (g / 40) ** 2 + d * (g / 40) ** 3 + e * (g / 40) ** 4


WRITE: dict[str, Callable[[float], float]] = {
    "linear": lambda g: 0,
    "ideal": lambda g: 0,
    "rram40nm_binary": lambda g: 0.15 * g,
    "rram180nm_analog": lambda g: 0.0436 * g,
    "wan2022_aihwkit_1s": wan(0.348, 16.030, -43.853, 45.393, -16.815),
    "wan2022_aihwkit_1day": wan(0.701, 22.086, -50.773, 47.095, -16.458),
    "wan2022_aihwkit_2days": wan(0.782, 20.274, -43.507, 37.062, -11.934),
    "wan2022_crosssim": lambda g: 1.536e-4 * g**3 - 1.167e-2 * g**2 + 0.2374 * g + 1.053,
    "cmo_hfox": lambda g: 0.00081107 + 0.00106879 * g,
    "cmo_hfox_2percent": lambda g: 0.0112185391 + 0.01129027418 * g,
    "milo2021": lambda g: max(4.782321 - 0.009107 * g, 0),
    "pcm_aihwkit": lambda g: 0.26348 + 1.9650 * (g / 25) - 1.1731 * (g / 25) ** 2,
    "pcm_joshi": lambda g: -0.00178767 * g**2 + 0.07585724 * g + 0.28638599,
    "pcm_hermes_1": lambda g: (
        0.15781817
        + 2.32443916 * (g / 10.35)
        - 2.16310839 * (g / 10.35) ** 2
        + 0.68841818 * (g / 10.35) ** 3
    ),
    "pcm_hermes_2": lambda g: (
        0.16603222
        + 4.71806468 * (g / 20.7)
        - 8.48101252 * (g / 20.7) ** 2
        + 4.68961419 * (g / 20.7) ** 3
    ),
    "foundry_c": lambda g: 0.35,
}
"""Standard deviation of a written conductance; both in microsiemens."""


@pytest.mark.parametrize("name", [card.partition("/")[2] for card in targets.cards()])
def test_write_error_is_the_published_formula(name: str) -> None:
    cell = cell_of(name)
    for conductance in np.linspace(0, cell.g_max_siemens / US, 50):
        [found] = write_sigma(np.array([conductance * US]), cell) / US
        assert math.isclose(found, WRITE[name](conductance), rel_tol=1e-6, abs_tol=1e-9)


def test_write_error_is_never_below_zero() -> None:
    assert write_sigma(np.array([600 * US]), cell_of("milo2021")) == 0


@pytest.mark.parametrize(
    ("name", "seconds"),
    [("pcm_joshi", 27.36), ("pcm_aihwkit", 20), ("pcm_hermes_1", 200), ("pcm_hermes_2", 300)],
)
def test_cells_are_known_from_their_first_read_on(name: str, seconds: float) -> None:
    cell = cell_of(name)
    assert cell.start_seconds == seconds <= cell.valid.latest_seconds


GRID = (0, 5, 10, 15, 20, 30, 40)
EVALUATED = {
    "wan2022_aihwkit_1s": (0.35, 1.75, 2.26, 2.25, 2.02, 1.53, 1.10),
    "wan2022_aihwkit_1day": (0.70, 2.76, 3.72, 4.00, 3.91, 3.37, 2.65),
    "wan2022_crosssim": (1.05, 1.97, 2.41, 2.51, 2.36, 1.82, 1.71),
}
"""As evaluated elsewhere, to two digits, at the conductances of `GRID` in microsiemens."""


@pytest.mark.parametrize("name", EVALUATED)
def test_wan_tables(name: str) -> None:
    found = write_sigma(np.array(GRID) * US, cell_of(name)) / US
    assert np.abs(found - EVALUATED[name]).max() <= 0.0051


def test_the_readme_of_the_cards_has_the_table_of_the_fits_of_wan() -> None:
    text = (targets.FOLDER / "devices/README.md").read_text()
    for name in [card for card in WRITE if card.startswith("wan2022")]:
        found = write_sigma(np.array(GRID) * US, cell_of(name)) / US
        assert f"| `{name}` | {' | '.join(f'{value:.2f}' for value in found)} |" in text


@pytest.mark.skipif(not FITS.exists(), reason="the shared data are not here")
@pytest.mark.parametrize(
    ("name", "fit", "key"),
    [
        ("wan2022_aihwkit_1s", "NeuRRAM HfOx RRAM, Wan et al. Nature 2022", "1 s"),
        ("wan2022_aihwkit_1day", "NeuRRAM HfOx RRAM, Wan et al. Nature 2022", "1 day"),
        ("wan2022_aihwkit_2days", "NeuRRAM HfOx RRAM, Wan et al. Nature 2022", "2 days"),
        ("pcm_aihwkit", "PCM, Joshi et al. Nat. Commun. 2020 (normalised)", "c"),
    ],
)
def test_coefficients_are_those_of_the_data_file(name: str, fit: str, key: str) -> None:
    law = cell_of(name).write
    expected = json.loads(FITS.read_text())["programming_error_polynomials"][fit][key]
    factors = (
        law.constant_siemens,
        law.linear_siemens,
        law.quadratic_siemens,
        law.cubic_siemens,
        law.quartic_siemens,
    )
    assert np.allclose(np.array(factors[: len(expected)]) / US, expected, rtol=1e-12)


def test_drift_exponents_of_pcm() -> None:
    cell = cell_of("pcm_aihwkit")
    shares = np.array([0.001, 0.01, 0.05, 0.1, 0.2, 0.5, 1.0])
    means, spreads = exponent_moments(shares * 25e-6, cell.drift)
    for share, mean, spread in zip(shares, means, spreads, strict=True):
        log = math.log(share)
        assert math.isclose(mean, min(max(-0.0155 * log + 0.0244, 0.049), 0.1), rel_tol=1e-6)
        assert math.isclose(spread, min(max(-0.0125 * log - 0.0059, 0.008), 0.045), rel_tol=1e-6)


def test_flicker_noise_of_pcm() -> None:
    cell = cell_of("pcm_aihwkit")
    written, now = (
        np.array([0.0001, 0.1, 1, 10, 25]) * US,
        np.array([0.0001, 0.08, 0.9, 9, 24]) * US,
    )
    found = flicker_sigma(now, written, 3600.0, cell)
    assert found is not None
    growth = math.sqrt(math.log((3600 + 250e-9) / (2 * 250e-9)))
    for sigma, before, after in zip(found, written, now, strict=True):
        relative = min(0.0088 * (before / 25e-6) ** -0.65, 0.2)
        assert math.isclose(sigma, after * relative * growth, rel_tol=1e-6)


def test_shift_and_flicker_noise_of_cmo() -> None:
    cell = cell_of("cmo_hfox")
    for seconds in (1.0, 60.0, 3600.0, 1e6):
        mean, spread = shift_moments(cell.relaxation, seconds)
        assert math.isclose(mean / US, -0.08900206 * math.log(seconds), rel_tol=1e-6)
        expected = 0.04201137 * math.log(seconds) + 0.41183342
        assert math.isclose(spread / US, expected, rel_tol=1e-6)
        for conductance in (9.0, 40.0, 88.2):
            now = np.array([conductance * US])
            sigma = flicker_sigma(now, now, seconds, cell)
            assert sigma is not None
            growth = math.sqrt(math.log((seconds + 1e-6) / 2e-6))
            expected = 0.0277316483 * math.log10(conductance) * growth
            assert math.isclose(float(sigma[0]) / US, expected, rel_tol=1e-6)


def test_current_of_milo() -> None:
    law = cell_of("milo2021").current
    for conductance in (62.5e-6, 80e-6, 110e-6):
        log = math.log10(conductance)
        square = 0.0001388 * log**3 + 0.001541 * log**2 + 0.005711 * log + 0.007063
        cube = 8.871e-05 * log**2 + 0.00067919 * log + 0.0012968
        found = polynomials(np.array([conductance]), law)
        assert math.isclose(found[0][0], square, rel_tol=1e-6, abs_tol=1e-12)
        assert math.isclose(found[1][0], cube, rel_tol=1e-6, abs_tol=1e-12)
        for volt in (-0.5, 0.1, 0.5):
            [ampere] = currents(np.array([conductance]), volt, law)
            expected = conductance * volt + square * volt**2 + cube * volt**3
            assert math.isclose(ampere, expected, rel_tol=1e-6)


def test_beyond_the_fit_the_current_is_in_proportion_to_the_conductance() -> None:
    law = cell_of("milo2021").current
    edges, beyond = np.array([62.5e-6, 110e-6]), np.array([6.25e-6, 220e-6])
    assert np.allclose(currents(beyond, 0.4, law), currents(edges, 0.4, law) * [0.1, 2])
    assert currents(np.array([0.0]), 0.4, law) == 0


def test_flicker_noise_gathers_from_the_first_read_on() -> None:
    assert math.isclose(gathered(3e-6, 1e-6), math.sqrt(math.log(2)), rel_tol=1e-12)
    assert gathered(1e-6, 1e-6) == gathered(1e-7, 1e-6) == 0
