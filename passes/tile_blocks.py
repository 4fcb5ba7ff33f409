"""How a weight matrix is cut into blocks that fit a macro.

The rows of a convolution's matrix run over (channel, kernel indices), the last index fastest, over
all input channels; its columns over output channels. Groups lie on the diagonal.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from typing import final

Block = tuple[int, int]
"""Start and stop."""


@final
@dataclass(frozen=True)
class Extent:
    """Shape of the matrix of a contraction."""

    row_dims: tuple[int, ...]
    """Input channels and kernel; for a linear layer only the rows."""
    cols: int
    groups: int = 1

    @property
    def rows(self) -> int:
        """Rows of the matrix, all groups together."""
        return math.prod(self.row_dims)

    @property
    def weights(self) -> int:
        """Entries inside the groups; all others are zero by construction."""
        return self.rows * self.cols // self.groups

    @property
    def group_row_dims(self) -> tuple[int, ...]:
        """Input channels of one group, and kernel."""
        return (self.row_dims[0] // self.groups, *self.row_dims[1:])


@final
@dataclass(frozen=True)
class Grid:
    """Row blocks, column blocks, and the pairs of them that hold anything."""

    row_blocks: tuple[Block, ...]
    col_blocks: tuple[Block, ...]
    live: tuple[tuple[int, int], ...]


def row_blocks(dims: tuple[int, ...], limit: int) -> tuple[Block, ...]:
    """Cut rows that run over `dims` into blocks of at most `limit`, each one a regular stream.

    A block is a run of whole channels; where one channel does not fit, a run of whole kernel rows
    of one channel; where one kernel row does not fit, a run of taps of it.
    """
    inner = math.prod(dims[1:])
    if inner <= limit:
        return col_blocks(dims[0] * inner, limit // inner * inner)
    parts = row_blocks(dims[1:], limit)
    return tuple(
        (index * inner + start, index * inner + stop)
        for index in range(dims[0])
        for start, stop in parts
    )


def col_blocks(count: int, limit: int) -> tuple[Block, ...]:
    """Cut `count` into blocks of `limit`; the last one takes what is left."""
    return tuple((start, min(start + limit, count)) for start in range(0, count, limit))


def cut(
    extent: Extent,
    max_rows: int,
    max_cols: int,
    occupied: Callable[[Block, Block], bool] = lambda rows, cols: True,
) -> Grid:
    """Cut a matrix into the fewest tiles, blocks following the groups unless that takes more tiles.

    Args:
        extent: Shape of the matrix.
        max_rows: Rows of a macro.
        max_cols: Columns of weights that fit into a macro.
        occupied: Whether a block of the matrix holds any weight that is not zero.

    Returns:
        The grid; every column block has at least one live tile, even if its weights are all zero.
    """
    plain = _grid(extent, row_blocks(extent.row_dims, max_rows), col_blocks(extent.cols, max_cols))
    best = plain
    if extent.groups > 1:
        aligned = _grid(extent, *_group_blocks(extent, max_rows, max_cols))
        best = aligned if len(aligned.live) <= len(plain.live) else plain
    return _without_zeros(best, occupied)


def tile_count(extent: Extent, max_rows: int, max_cols: int) -> int:
    """Count the tiles of a matrix whose weights are not zero inside the groups."""
    return len(cut(extent, max_rows, max_cols).live)


def _group_blocks(
    extent: Extent, max_rows: int, max_cols: int
) -> tuple[tuple[Block, ...], tuple[Block, ...]]:
    rows, cols = extent.rows // extent.groups, extent.cols // extent.groups
    together = min(max_rows // rows, max_cols // cols)
    if together:
        return (
            col_blocks(extent.rows, together * rows),
            col_blocks(extent.cols, together * cols),
        )
    return (
        _repeat(row_blocks(extent.group_row_dims, max_rows), rows, extent.groups),
        _repeat(col_blocks(cols, max_cols), cols, extent.groups),
    )


def _repeat(blocks: tuple[Block, ...], step: int, count: int) -> tuple[Block, ...]:
    return tuple(
        (index * step + start, index * step + stop)
        for index in range(count)
        for start, stop in blocks
    )


def _grid(extent: Extent, rows: tuple[Block, ...], cols: tuple[Block, ...]) -> Grid:
    row_step, col_step = extent.rows // extent.groups, extent.cols // extent.groups
    row_groups = [(start // row_step, (stop - 1) // row_step) for start, stop in rows]
    lowest = [start // col_step for start, _ in cols]
    highest = [(stop - 1) // col_step for _, stop in cols]
    live = tuple(
        (i, j)
        for i, (first, last) in enumerate(row_groups)
        for j in range(bisect_left(highest, first), bisect_right(lowest, last))
    )
    return Grid(rows, cols, live)


def _without_zeros(grid: Grid, occupied: Callable[[Block, Block], bool]) -> Grid:
    live = [(i, j) for i, j in grid.live if occupied(grid.row_blocks[i], grid.col_blocks[j])]
    missing = set(range(len(grid.col_blocks))) - {j for _, j in live}
    for pair in grid.live:
        if pair[1] in missing:
            live.append(pair)
            missing.discard(pair[1])
    return Grid(grid.row_blocks, grid.col_blocks, tuple(sorted(live)))
