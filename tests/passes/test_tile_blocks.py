"""Blocks of a matrix: they partition it, fit a macro and are regular streams."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from mcc.passes.tile_blocks import Block, Extent, Grid, cut, row_blocks, tile_count

EXTENTS = [
    Extent((10,), 3),
    Extent((1000,), 513),
    Extent((3, 3, 3), 16),
    Extent((64, 3, 3), 64),
    Extent((64, 3, 3), 64, groups=64),
    Extent((64, 3, 3), 128, groups=64),
    Extent((48, 3, 3), 96, groups=4),
    Extent((6, 5, 7), 4, groups=2),
    Extent((2, 40, 40), 8),
    Extent((3, 2, 200), 8),
    Extent((12, 4), 300, groups=3),
    Extent((4, 3, 3, 3), 5),
]
MACROS = [(512, 64), (128, 16), (24, 5), (8, 2)]


def mask(extent: Extent) -> np.ndarray:
    """Which entries of the matrix lie in a group."""
    row_group = np.arange(extent.rows) // (extent.rows // extent.groups)
    col_group = np.arange(extent.cols) // (extent.cols // extent.groups)
    return row_group[:, None] == col_group[None, :]


def coverage(extent: Extent, grid: Grid) -> np.ndarray:
    counts = np.zeros((extent.rows, extent.cols), np.int64)
    for i, j in grid.live:
        counts[slice(*grid.row_blocks[i]), slice(*grid.col_blocks[j])] += 1
    return counts


@pytest.mark.parametrize("extent", EXTENTS, ids=str)
@pytest.mark.parametrize("macro", MACROS, ids=str)
def test_tiles_hold_every_weight_once_and_fit(extent: Extent, macro: tuple[int, int]) -> None:
    grid = cut(extent, *macro)
    counts = coverage(extent, grid)
    assert counts.max() == 1
    assert (counts[mask(extent)] == 1).all()
    assert all(0 < stop - start <= macro[0] for start, stop in grid.row_blocks)
    assert all(0 < stop - start <= macro[1] for start, stop in grid.col_blocks)
    for blocks, end in ((grid.row_blocks, extent.rows), (grid.col_blocks, extent.cols)):
        edges = list(itertools.chain.from_iterable(blocks))
        assert edges[0] == 0
        assert edges[-1] == end
        assert edges[1:-1:2] == edges[2::2]


def is_regular(block: Block, dims: tuple[int, ...]) -> bool:
    """Whether the indices of a block are a product of ranges of `dims`."""
    index = np.stack(np.unravel_index(np.arange(*block), dims))
    box = [len(np.unique(axis)) for axis in index]
    return math.prod(box) == block[1] - block[0]


@pytest.mark.parametrize("extent", EXTENTS, ids=str)
@pytest.mark.parametrize("macro", MACROS, ids=str)
def test_row_blocks_are_regular_streams(extent: Extent, macro: tuple[int, int]) -> None:
    grid = cut(extent, *macro)
    assert all(is_regular(block, extent.row_dims) for block in grid.row_blocks)


def test_a_channel_that_fits_is_never_split() -> None:
    assert row_blocks((5, 3, 3), 20) == ((0, 18), (18, 36), (36, 45))


def test_a_large_kernel_is_split_into_whole_kernel_rows() -> None:
    assert row_blocks((2, 3, 4), 8) == ((0, 8), (8, 12), (12, 20), (20, 24))


def test_a_long_kernel_row_is_split_into_taps() -> None:
    assert row_blocks((1, 2, 5), 3) == ((0, 3), (3, 5), (5, 8), (8, 10))


def test_groups_share_tiles_only_on_the_diagonal() -> None:
    depthwise = Extent((64, 3, 3), 64, groups=64)
    grid = cut(depthwise, 512, 128)
    assert grid.row_blocks == ((0, 504), (504, 576))
    assert grid.col_blocks == ((0, 56), (56, 64))
    assert grid.live == ((0, 0), (1, 1))


def test_blocks_follow_the_groups_unless_that_takes_more_tiles() -> None:
    assert cut(Extent((8, 1), 8, groups=8), 4, 2).row_blocks == ((0, 2), (2, 4), (4, 6), (6, 8))
    assert tile_count(Extent((10, 1), 6, groups=2), 4, 6) == 3


def test_tiles_of_zeros_are_dropped_but_one_of_a_column_block() -> None:
    weights = np.zeros((20, 12), np.int8)
    weights[12, 3] = 1
    grid = cut(
        Extent((20,), 12), 5, 4, lambda rows, cols: bool(weights[slice(*rows), slice(*cols)].any())
    )
    assert grid.live == ((0, 1), (0, 2), (2, 0))
