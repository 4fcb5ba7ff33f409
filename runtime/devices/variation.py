"""Variation from device to device: a random field that a chip keeps, whatever is written."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from mcc.runtime.random import MacroPlace, Purpose, normal_numbers


def correlated_field(
    shape: tuple[int, int], correlation_cells: float, place: MacroPlace
) -> NDArray[np.float64]:
    """Return a Gaussian field (rows, cols) of mean 0 and variance 1.

    The correlation of two cells at a distance of `d` cells is `exp(-(d / correlation_cells)**2)`;
    with `correlation_cells` 0 they are independent. White noise of a larger array is smoothed
    along both axes, so that cells at the edge vary like all others.
    """
    kernel = _kernel(correlation_cells)
    padding = len(kernel) - 1
    padded = (shape[0] + padding, shape[1] + padding)
    field = normal_numbers(place, Purpose.VARIATION, padded).astype(np.float64)
    return _smoothed(_smoothed(field, kernel).T, kernel).T


def _kernel(correlation_cells: float) -> NDArray[np.float64]:
    """Return a Gaussian whose squares add up to 1 and whose autocorrelation has the given length.

    A Gaussian of standard deviation `s` has the autocorrelation `exp(-d**2 / (4 s**2))`; it is cut
    off where it has fallen to 4e-6.
    """
    deviation = correlation_cells / 2
    reach = math.ceil(5 * deviation)
    if reach == 0:
        return np.ones(1)
    steps = np.arange(-reach, reach + 1)
    weights = np.exp(-0.5 * (steps / deviation) ** 2)
    return weights / math.sqrt(np.square(weights).sum())


def _smoothed(field: NDArray[np.float64], kernel: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the sums along axis 0, added in the order of the kernel on every processor."""
    rows = len(field) - len(kernel) + 1
    total = np.zeros((rows, field.shape[1]))
    for offset, weight in enumerate(kernel):
        total += weight * field[offset : offset + rows]
    return total
