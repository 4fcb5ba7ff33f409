"""The same matrix in the same cells, here and in AIHWKit: are the distributions the same?"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from mcc.backends.crossbar import targets
from mcc.cli.peers import PeerCells, peer_of
from mcc.ir.diagnostics import error
from mcc.ir.hardware import Target
from mcc.ir.hardware.encoding import encode
from mcc.runtime.devices import Cells, Conditions, target_siemens
from mcc.runtime.operands import encode_weights
from mcc.runtime.random import MacroPlace

Floats = NDArray[np.float64]

SIGNIFICANCE = 1e-3
"""Two samples of one law are called different as rarely as this."""
MOST_CELLS = 2**24


@final
@dataclass(frozen=True)
class Comparison:
    """What is compared of two samples of the same size."""

    quantity: str
    """`conductance` or `product`: its difference from that of ideal cells."""
    seconds: float | None
    """Time after programming; None right after the write, before any read."""
    unit: str
    mean: tuple[float, float]
    """Here, and in AIHWKit."""
    deviation: tuple[float, float]
    distance: float
    """Largest difference of the distribution functions (Kolmogorov and Smirnov)."""
    chance: float
    """How often samples of one law are at least so far apart."""

    @property
    def same(self) -> bool:
        """Whether the samples may be of one law."""
        return self.chance >= SIGNIFICANCE


def compare(card: str, weights: Floats, seed: int = 0) -> Iterator[Comparison]:
    """Write a matrix (rows, cols) of weights into cells of a card, here and in AIHWKit.

    Raises:
        MccError: `peer-missing` or `crossbar-weights`.
    """
    peer = peer_of(card)
    target = targets.load("rram40nm", device=card)
    states = _states(_checked(weights), target)
    ideal = target_siemens(states, target.cell)
    here = Cells(states, target.cell, MacroPlace(seed, 0, 0))
    there = PeerCells(peer, ideal, seed)
    volts = np.random.default_rng(seed).uniform(-0.2, 0.2, len(states))
    if target.cell.start_seconds == min(peer.seconds, default=target.cell.start_seconds):
        found = there.read(peer.seconds[0]) if peer.seconds else there.written
        yield from _compared(here.written, found, ideal, volts, None)
        return
    yield from _compared(here.written, there.written, ideal, volts, None)
    for number, seconds in enumerate(peer.seconds):
        read = here.read(Conditions(seconds=seconds))
        noise = np.random.default_rng([seed, number]).normal(size=ideal.shape)
        once = read.siemens if read.sigma is None else read.siemens + read.sigma * noise
        yield from _compared(np.maximum(once, 0), there.read(seconds), ideal, volts, seconds)


def _states(weights: Floats, target: Target) -> NDArray[np.uint8]:
    codes, _ = encode_weights(weights.T, 8)
    return encode(np.ascontiguousarray(codes.T), target.macro, target.cell, 8).cells


def _checked(weights: Floats) -> Floats:
    good = weights.ndim == 2 and 0 < weights.size <= MOST_CELLS and np.isfinite(weights).all()
    if not good:
        text = f"the weights {weights.shape} are no matrix of finite numbers of a sane size"
        raise error("crossbar-weights", text, f"give (rows, cols), at most {MOST_CELLS} in all")
    return weights


def _compared(
    here: Floats, there: Floats, ideal: Floats, volts: Floats, seconds: float | None
) -> Iterator[Comparison]:
    errors = (here - ideal) * 1e6, (there - ideal) * 1e6
    yield _judged("conductance", seconds, "uS", errors[0].ravel(), errors[1].ravel())
    # One number a column: those of several vectors on the same cells are not independent.
    yield _judged("product", seconds, "uA", volts @ errors[0], volts @ errors[1])


def _judged(
    quantity: str, seconds: float | None, unit: str, here: Floats, there: Floats
) -> Comparison:
    stats: Any = importlib.import_module("scipy.stats")
    test = stats.ks_2samp(here, there)
    return Comparison(
        quantity=quantity,
        seconds=seconds,
        unit=unit,
        mean=(float(here.mean()), float(there.mean())),
        deviation=(float(here.std()), float(there.std())),
        distance=float(test.statistic),
        chance=float(test.pvalue),
    )
