"""The hardware language of one memristor: its laws as flat numbers.

Every law is a dataclass of factors; 0 is "no such effect". What the numbers do is in
`runtime/devices`, one file a law. `x` is a conductance over the law's `reference_siemens`.
"""

from __future__ import annotations

from typing import final

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from mcc.ir.hardware.quantities import (
    AmperePerVolt2,
    AmperePerVolt3,
    Cells,
    Coefficient,
    Exponent,
    Fraction,
    Joules,
    Kelvin,
    PerKelvin,
    PerVolt,
    PositiveSeconds,
    PositiveSiemens,
    Seconds,
    Siemens,
    SignedSiemens,
    Volt,
)

STRICT = ConfigDict(strict=True, extra="forbid")


@final
@dataclass(frozen=True, kw_only=True, config=STRICT)
class WriteSpread:
    """Standard deviation of a written conductance, a polynomial of `x`; never below 0.

    `x` is the conductance that is to be written, relative to `reference_siemens`.
    """

    reference_siemens: PositiveSiemens
    """Conductance at which `x` is 1. Matters only where a factor of `x` is not 0."""
    constant_siemens: SignedSiemens
    """The spread at conductance 0."""
    linear_siemens: SignedSiemens
    """Factor of `x`."""
    quadratic_siemens: SignedSiemens
    """Factor of `x**2`."""
    cubic_siemens: SignedSiemens
    """Factor of `x**3`."""
    quartic_siemens: SignedSiemens
    """Factor of `x**4`."""


@final
@dataclass(frozen=True, kw_only=True, config=STRICT)
class Flicker:
    """1/f noise gathered after programming: deviation `factor sqrt(ln((t + t_read) / (2 t_read)))`.

    The factor is `G min(fraction x**-exponent, limit)`, with `x` as written; above 1 uS there is
    independent noise of the factor `logarithmic_siemens log10(G / 1 uS)`. All reads at a time find
    the same deviations, those at another time others.
    """

    fraction: Fraction
    """Relative noise at `x` = 1; needs a `limit`."""
    exponent: Exponent
    """How fast the relative noise falls with `x`. Matters only with `fraction`."""
    limit: Fraction
    """Largest relative noise. Matters only with `fraction`."""
    reference_siemens: PositiveSiemens
    """Conductance at which `x` is 1. Matters only with `fraction` and `exponent`."""
    logarithmic_siemens: Siemens
    """Noise of a cell of 10 uS."""
    read_seconds: PositiveSeconds
    """Duration of a read, `t_read`. Matters only where there is such noise."""


@final
@dataclass(frozen=True, kw_only=True, config=STRICT)
class Drift:
    """Power law `G (t / start)**-nu`; every cell has an exponent `nu` of its own, for its life.

    It is the magnitude of a Gaussian number whose mean and standard deviation are
    `slope ln(x) + intercept` between their bounds, with `x` of the target conductance. Equal bounds
    are the value itself, without a slope or an intercept.
    """

    reference_siemens: PositiveSiemens
    """Conductance at which `x` is 1. Matters only with a slope."""
    exponent_slope: Coefficient
    """Slope of the mean. Matters only between different bounds."""
    exponent_intercept: Coefficient
    """Mean at `x` = 1. Matters only between different bounds."""
    exponent_lowest: Exponent
    """Lower bound of the mean."""
    exponent_highest: Exponent
    """Upper bound of the mean. Matters only where the mean would be above it."""
    spread_slope: Coefficient
    """Slope of the standard deviation. Matters only between different bounds."""
    spread_intercept: Coefficient
    """Standard deviation at `x` = 1. Matters only between different bounds."""
    spread_lowest: Exponent
    """Lower bound of the standard deviation."""
    spread_highest: Exponent
    """Upper bound of the standard deviation. Matters only where that would be above it."""


@final
@dataclass(frozen=True, kw_only=True, config=STRICT)
class Relaxation:
    """Gaussian shift of a conductance whatever its value, from `start_seconds` on: a random walk.

    With `l = ln(t / start)` its mean is `mean_siemens l` and its variance
    `(start_spread_siemens + spread_siemens l)**2 + diffusion_siemens**2 l`. Its increments from one
    time to another are independent of what was before.
    """

    mean_siemens: SignedSiemens
    """Mean shift while time grows by a factor of e."""
    start_spread_siemens: Siemens
    """Standard deviation at the start."""
    spread_siemens: Siemens
    """Growth of the standard deviation while time grows by a factor of e."""
    diffusion_siemens: Siemens
    """Root of the growth of the variance while time grows by a factor of e."""


@final
@dataclass(frozen=True, kw_only=True, config=STRICT)
class Variation:
    """Variation from device to device: fixed for a chip, whatever is written."""

    fraction: Fraction
    """Standard deviation relative to the target conductance."""
    correlation_cells: Cells
    """Distance at which the correlation of two cells has fallen to 1/e; 0 if independent.

    At least 1.5 if not 0. Matters only with `fraction`.
    """


@final
@dataclass(frozen=True, kw_only=True, config=STRICT)
class Temperature:
    """What temperature does to conductance, and to the speed of ageing."""

    reference_kelvin: Kelvin
    """Temperature of all other numbers. Matters only where temperature does anything."""
    coefficient_per_kelvin: PerKelvin
    """Relative change of a conductance with each kelvin above the reference."""
    activation_joules: Joules
    """Activation energy of ageing (Arrhenius). Matters only where cells age."""


@final
@dataclass(frozen=True, kw_only=True, config=STRICT)
class Current:
    """Current at a voltage: `G sinh(a V) / a + n2 V**2 + n3 V**3`.

    `n2` and `n3` are polynomials of `log10(G / 1 S)` between `low_siemens` and `high_siemens`;
    outside they are in proportion to `G`. Reads are at `wires.read_volt`, for the highest digit.
    """

    sinh_per_volt: PerVolt
    """`a`; 0 for `G V`. Matters only with several `dac_bits`, or through lines."""
    square_0_ampere_per_volt2: AmperePerVolt2
    """Constant term of `n2`."""
    square_1_ampere_per_volt2: AmperePerVolt2
    """Factor of `log10(G / 1 S)` in `n2`."""
    square_2_ampere_per_volt2: AmperePerVolt2
    """Factor of `log10(G / 1 S)**2` in `n2`."""
    square_3_ampere_per_volt2: AmperePerVolt2
    """Factor of `log10(G / 1 S)**3` in `n2`."""
    cube_0_ampere_per_volt3: AmperePerVolt3
    """Constant term of `n3`."""
    cube_1_ampere_per_volt3: AmperePerVolt3
    """Factor of `log10(G / 1 S)` in `n3`."""
    cube_2_ampere_per_volt3: AmperePerVolt3
    """Factor of `log10(G / 1 S)**2` in `n3`."""
    low_siemens: PositiveSiemens
    """Lowest conductance of the polynomials. Matters only where there are some, below it."""
    high_siemens: PositiveSiemens
    """Highest conductance of the polynomials. Matters only where there are some, above it."""
    limit_volt: Volt
    """Highest voltage, of either sign, for which the law holds; 0 if no limit is known."""


@final
@dataclass(frozen=True, kw_only=True, config=STRICT)
class Valid:
    """Where the laws hold; beyond, results come with a warning that gives the range."""

    low_siemens: Siemens
    """Lowest conductance. Matters only where `g_min_siemens` is below it."""
    high_siemens: Siemens
    """Highest conductance. Matters only where `g_max_siemens` is above it."""
    coldest_kelvin: Kelvin
    """Lowest temperature. Matters only where cells are read outside of the range."""
    hottest_kelvin: Kelvin
    """Highest temperature. Matters only where cells are read outside of the range."""
    latest_seconds: Seconds
    """Longest time after programming. Matters only where cells are read outside of the range."""
