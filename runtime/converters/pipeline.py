"""The pipeline converter: stages of 1.5 bits, each of which hands on twice its residue."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import final

import numpy as np
from numpy.typing import NDArray

from mcc.runtime.converters.staircase import Draw, Levels, Staircase


def pipeline(bits: int, mismatch: float, draw: Draw) -> Staircase:
    """Return the staircase of `bits - 2` stages and a flash converter of two bits.

    A stage takes v between -1 and 1, decides d = -1, 0 or 1 at -1/4 and 1/4, and hands on
    `(1 + c) * v - c * d`, where c is the ratio of its two capacitors, nominally 1 (Maloberti, Data
    Converters). The digits overlap by half a bit, which forgives the decisions, not the ratio:
    its error, `sqrt(2) * mismatch`, makes jumps in the code, and those of the first stage are the
    widest, a quarter of the range times the error.
    """
    pairs = 1 + mismatch * draw(2 * stages(bits)).reshape(-1, 2)
    return staircase_of(bits, pairs[:, 0] / pairs[:, 1])


def stages(bits: int) -> int:
    """Return the stages before the last converter."""
    return max(bits - 2, 0)


@final
@dataclass(frozen=True, eq=False)
class _Pieces:
    """Intervals of the input, in each of which a residue is `slope * input + intercept`."""

    starts: Levels
    slopes: Levels
    intercepts: Levels
    codes: NDArray[np.int32]

    def decided(self, thresholds: tuple[float, ...]) -> tuple[_Pieces, NDArray[np.int32]]:
        """Split the intervals at thresholds of the residue; return them and the decisions."""
        ends = np.append(self.starts[1:], np.inf)
        cuts = [(level - self.intercepts) / self.slopes for level in thresholds]
        bounds = [self.starts, *(np.clip(cut, self.starts, ends) for cut in cuts), ends]
        starts, stops = np.stack(bounds[:-1], axis=1), np.stack(bounds[1:], axis=1)
        which, decisions = np.nonzero(stops > starts)
        parts = _Pieces(
            starts[which, decisions],
            self.slopes[which],
            self.intercepts[which],
            self.codes[which],
        )
        return parts, decisions.astype(np.int32)


def staircase_of(bits: int, ratios: Levels) -> Staircase:
    """Return the staircase of stages with these ratios of capacitors, and a last converter."""
    half = 2.0 ** (bits - 1)
    everywhere = np.array([-np.inf])
    pieces = _Pieces(everywhere, np.array([1 / half]), np.array([-1.0]), np.zeros(1, np.int32))
    for stage, ratio in enumerate(ratios):
        pieces, decisions = pieces.decided((-0.25, 0.25))
        digits = decisions - 1
        pieces = replace(
            pieces,
            slopes=(1 + ratio) * pieces.slopes,
            intercepts=(1 + ratio) * pieces.intercepts - ratio * digits,
            codes=pieces.codes + digits * 2 ** (bits - 2 - stage),
        )
    last = (-0.5, 0.0, 0.5) if bits > 1 else (0.0,)
    pieces, decisions = pieces.decided(last)
    codes = pieces.codes + decisions + 2 ** (bits - 1) - (len(last) + 1) // 2
    changes = np.flatnonzero(np.diff(codes)) + 1
    kept = np.concatenate([[0], changes])
    return Staircase(pieces.starts[changes], codes[kept].astype(np.int32))
