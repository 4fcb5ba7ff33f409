"""How the matrix of an integer contraction is cut into tiles: kept as data on the node."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import final

import onnx_ir as ir

_KEY = "mcc.tiling"


@final
@dataclass(frozen=True, kw_only=True)
class Tiling:
    """A grid of row and column blocks, and which of its tiles hold anything but zeros."""

    row_blocks: tuple[tuple[int, int], ...]
    """(start, stop) of each block of rows, ascending and gapless."""
    col_blocks: tuple[tuple[int, int], ...]
    """(start, stop) of each block of columns, ascending and gapless."""
    live: tuple[tuple[int, int], ...]
    """(row block, column block) of each tile that is programmed."""
    shift: int = 0
    """Logarithm to base 2 of the step of the converters, for all tiles of the contraction."""

    def consistent(self, rows: int, cols: int) -> bool:
        """Whether the blocks cover a matrix of `rows` by `cols` and `live` names tiles of it."""
        inside = all(
            0 <= row < len(self.row_blocks) and 0 <= col < len(self.col_blocks)
            for row, col in self.live
        )
        return inside and _covers(self.row_blocks, rows) and _covers(self.col_blocks, cols)


def _covers(blocks: tuple[tuple[int, int], ...], length: int) -> bool:
    edges = [0, *(stop for _, stop in blocks)]
    starts = [start for start, _ in blocks]
    rising = all(start < stop for start, stop in blocks)
    return rising and starts == edges[:-1] and edges[-1] == length


def tiling_of(node: ir.Node) -> Tiling | None:
    """Return the tiling of `node`, or None before it is tiled."""
    stored = node.metadata_props.get(_KEY)
    if stored is None:
        return None
    *lists, shift = json.loads(stored)
    rows, cols, live = (tuple((pair[0], pair[1]) for pair in pairs) for pairs in lists)
    return Tiling(row_blocks=rows, col_blocks=cols, live=live, shift=shift)


def tile(node: ir.Node, tiling: Tiling) -> None:
    """Record the tiling of `node`."""
    stored = [tiling.row_blocks, tiling.col_blocks, tiling.live, tiling.shift]
    node.metadata_props[_KEY] = json.dumps(stored)
