"""Targets and matrices for the tests of `mcc.Crossbar`."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

import mcc
from mcc.backends.crossbar import targets
from mcc.ir.hardware import Target

IDEAL = {
    "cell.write_error": 0.0,
    "cell.read_noise": 0.0,
    "cell.stuck_low_fraction": 0.0,
    "cell.stuck_high_fraction": 0.0,
}
QUIET = {"cell.read_noise": 0.0}
ENCODINGS = [("differential", False), ("offset", False), ("offset", True)]


def small_target(**changes: Any) -> Target:
    """Return macros of 24 x 64 cells in groups of 8 rows, with converters that never clip."""
    values = {
        "macro.rows": 24,
        "macro.cols": 64,
        "macro.active_rows": 8,
        "macro.adc.columns_per_adc": 8,
        "macro.adc.bits": 20,
    }
    named = {key.replace("__", "."): value for key, value in changes.items()}
    return targets.load("rram40nm").with_values(values | named)


def whole_weights(rows: int, cols: int, bits: int = 8, seed: int = 0) -> NDArray[np.float64]:
    """Return whole numbers that are their own codes: each row reaches the largest code."""
    reach = 2 ** (bits - 1) - 1
    found = np.random.default_rng(seed).integers(-reach, reach + 1, (rows, cols))
    found[:, 0] = reach
    return found.astype(np.float64)


def whole_vectors(batch: int, length: int, bits: int = 8, seed: int = 1) -> NDArray[np.float64]:
    """Return whole numbers (batch, length) that are their own codes in every vector."""
    return whole_weights(batch, length, bits, seed)


def noisy_crossbar(rows: int, cols: int, encoding: str, **changes: Any) -> mcc.Crossbar:
    """Return a crossbar of one phase and one slice, whose sums are far larger than a code."""
    target = small_target(
        macro__encoding=encoding,
        macro__input_form="sign_magnitude",
        macro__active_rows=24,
        macro__dac_bits=5,
        macro__adc__bits=24,
        cell__bits=4,
        **changes,
    )
    bits = 5 if encoding == "differential" else 4
    weights = whole_weights(rows, cols, bits)
    return mcc.Crossbar(weights, target, "device", seed=3, weight_bits=bits, input_bits=5)
