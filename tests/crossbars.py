"""Targets and matrices for the tests of `mcc.Crossbar`."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

import mcc
from mcc.ir.hardware import Target
from mcc.ir.hardware.encoding import digit_values, sum_values, weight_offset
from mcc.ir.hardware.phases import phases, steps
from mcc.runtime.devices import unit_siemens
from mcc.runtime.transposed import transposed_target
from tests import programmed_arrays

QUIET = {"cell.read_noise": 0.0}


def small_target(**changes: Any) -> Target:
    """Return macros of 24 x 64 cells in groups of 8 rows, with converters that never clip."""
    return programmed_arrays.small_target(**{"macro__rows": 24, "macro__active_rows": 8, **changes})


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


def from_codes(a: mcc.Crossbar, x: NDArray[np.float64], bits: int = 8) -> NDArray[np.float64]:
    """Return the products (batch, m) that codes of whole vectors (batch, n) make.

    Codes of flipped columns are those of their complements, and are not put together here.
    """
    macro, cell = a.target.macro, a.target.cell
    worths = np.array([step.worth for step in steps(macro, bits, True)])
    codes = a.codes(x.T).astype(np.int64) * a.step
    sums = np.einsum("bgpsm,p,s->bm", codes, worths, sum_values(macro, cell, bits))
    return sums - weight_offset(macro, bits) * x.sum(axis=1, keepdims=True)


def from_currents(a: mcc.Crossbar, x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the products (batch, m) that currents of resistors make between ideal converters."""
    macro, cell = a.target.macro, a.target.cell
    worths = np.array([phase.worth for phase in phases(macro, 8, True)])
    values = digit_values(macro, cell, 8)
    unit = unit_siemens(cell) * a.target.wires.read_volt / (2**macro.dac_bits - 1)
    currents = a.currents(x.T).reshape(len(x), -1, len(worths), a.shape[0], len(values))
    return np.einsum("bgpmv,p,v->bm", currents, worths, values) / unit


def from_turned_codes(
    a: mcc.Crossbar, y: NDArray[np.float64], bits: int = 8
) -> NDArray[np.float64]:
    """Return the products (batch, n) that codes of `a.T` make of whole vectors (batch, m)."""
    macro, cell = a.target.macro, a.target.cell
    worths = np.array([it.worth for it in steps(transposed_target(a.target).macro, bits, True)])
    codes = a.T.codes(y.T).astype(np.int64) * a.T.step
    sums = np.einsum("bgptn,p,t->bn", codes, worths, digit_values(macro, cell, bits))
    return sums - weight_offset(macro, bits) * y.sum(axis=1, keepdims=True)
