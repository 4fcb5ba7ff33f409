"""One tile as a digital circuit would multiply: whole numbers all the way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from mcc.ir.hardware import Target
from mcc.ir.hardware.encoding import decode, row_groups
from mcc.ir.program.tables import Tile


@final
class ExactTile:
    """The weights that the cells of a tile stand for, and their exact product."""

    def __init__(self, tile: Tile, target: Target, cells: NDArray[np.uint8]) -> None:
        """Decode the states (rows, physical columns) of the cells of the tile."""
        flips = tile.flipped(row_groups(target.macro, tile.rows), cells.shape[1])
        self._weights = decode(cells, flips, target.macro, target.cell, tile.weight_bits)

    def multiply(
        self, codes: NDArray[Any], noise: Sequence[np.random.Generator]
    ) -> NDArray[np.int32]:
        """Return the sums (samples, positions, cols) of codes (samples, positions, rows)."""
        flat = codes.reshape(-1, codes.shape[-1]).astype(np.float64)
        sums = flat @ self._weights.astype(np.float64)
        return sums.astype(np.int32).reshape(*codes.shape[:-1], -1)
