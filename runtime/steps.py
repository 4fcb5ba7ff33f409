"""The step of the converters with the least error on typical inputs, for one matrix."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from mcc.ir.hardware.conversion import full_scale_shift
from mcc.ir.hardware.encoding import Encoded, physical_columns, row_groups
from mcc.ir.hardware.ranging import conversion_errors
from mcc.runtime.placement import Block, Placed
from mcc.runtime.transposed import transposed_target, turns

Item = TypeVar("Item")

VECTORS = 32
"""Vectors that are looked at."""
TILES = 8
"""Tiles that are looked at."""
SENSED = 16
"""Outputs that are looked at in each tile."""


def best_shift(placed: Placed, codes: NDArray[Any]) -> int:
    """Return the shift for products with codes (batch, inputs)."""
    macro, cell = placed.target.macro, placed.target.cell
    bits, signed = placed.tiles[0].input_bits, codes.dtype == np.int8
    errors = np.zeros(full_scale_shift(macro, cell, bits, signed) + 1)
    codes = codes[_some(range(len(codes)), VECTORS)]
    for block in _some(placed.blocks, TILES):
        tile, cells = placed.tiles[block.index], _cells(placed, block)
        width = physical_columns(macro, cell, tile.weight_bits)
        flips = tile.flipped(row_groups(macro, tile.rows), cells.shape[1])
        reference = range(tile.cols * width, cells.shape[1])
        columns = [*range(min(SENSED, tile.cols) * width), *reference]
        encoded = Encoded(cells[:, columns], flips[:, columns])
        part = codes[:, block.rows]
        errors += conversion_errors(encoded, part, macro, cell, tile.weight_bits, tile.input_bits)
    return int(errors.argmin())


def best_transposed_shift(placed: Placed, codes: NDArray[Any]) -> int:
    """Return the shift for transposed products with codes (batch, outputs)."""
    cell, macro = placed.target.cell, transposed_target(placed.target).macro
    bits, signed = placed.tiles[0].input_bits, codes.dtype == np.int8
    errors = np.zeros(full_scale_shift(macro, cell, bits, signed) + 1)
    codes = codes[_some(range(len(codes)), VECTORS)]
    for block in _some(placed.blocks, TILES):
        tile, part = placed.tiles[block.index], codes[:, block.cols]
        for turn in turns(tile, placed.target):
            cells = _cells(placed, block)[turn.lines, turn.columns].T[:, :SENSED]
            plain = np.zeros((row_groups(macro, len(cells)), cells.shape[1]), np.bool_)
            driven = part * turn.driven.astype(part.dtype)
            found = conversion_errors(
                Encoded(cells, plain), driven, macro, cell, cell.bits, tile.input_bits
            )
            errors += turn.worth**2 * found
    return int(errors.argmin())


def _cells(placed: Placed, block: Block) -> NDArray[np.uint8]:
    return placed.region(placed.images[block.index].cells, block)


def _some(items: Sequence[Item], most: int) -> list[Item]:
    """Choose up to `most` items, evenly."""
    return (
        [items[index * len(items) // most] for index in range(most)]
        if len(items) > most
        else list(items)
    )
