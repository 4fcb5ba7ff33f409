"""One tile as the whole numbers that its cells stand for."""

from __future__ import annotations

from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from mcc.ir.hardware import Target
from mcc.ir.hardware.encoding import decode, row_groups
from mcc.ir.program.tables import Tile
from mcc.runtime import _kernels
from mcc.runtime.reads import Reads


@final
class ExactTile:
    """The weights of a tile and their exact product."""

    def __init__(
        self, tile: Tile, target: Target, cells: NDArray[np.uint8], transposed: bool = False
    ) -> None:
        """Decode the states (rows, physical columns) of the cells of the tile.

        If `transposed`, inputs drive the columns of the tile and its rows are sensed.
        """
        flips = tile.flipped(row_groups(target.macro, tile.rows), cells.shape[1])
        weights = decode(cells, flips, target.macro, target.cell, tile.weight_bits)
        weights = weights.T if transposed else weights
        low = np.clip(weights, -128, 127)
        self._parts = [_kernels.pack_integers(np.ascontiguousarray(low, np.int8))]
        # Cells that no weight was encoded to can stand for more than 8 bits.
        while (weights := weights - low).any():
            low = np.clip(weights, -128, 127)
            self._parts.append(_kernels.pack_integers(np.ascontiguousarray(low, np.int8)))

    def multiply(self, codes: NDArray[Any], reads: Reads) -> NDArray[np.int32]:
        """Return the sums (inputs, cols) of codes (inputs, rows)."""
        first, *others = self._parts
        sums = _kernels.integer_product(codes, first, threads=reads.threads)
        for part in others:
            sums += _kernels.integer_product(codes, part, threads=reads.threads)
        return sums
