"""What the cells of a matrix hold and do, as they were written and as they are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcc.ir.hardware.encoding import decode, physical_columns, row_groups
from mcc.runtime.analog import AnalogTile
from mcc.runtime.arrays import Fidelity, ProgrammedArrays
from mcc.runtime.converters.periphery import IDEAL
from mcc.runtime.currents import Terms
from mcc.runtime.devices import Read
from mcc.runtime.drives import level_table
from mcc.runtime.level_currents import level_terms, resistive
from mcc.runtime.operands import Floats
from mcc.runtime.placement import Block, Placed
from mcc.runtime.probes import at_full_drive, digits_of, effective_weights, read_of


def written_codes(placed: Placed, shape: tuple[int, int]) -> Floats:
    """Return the codes of the weights (outputs, inputs) for which the cells were written."""
    macro, cell = placed.target.macro, placed.target.cell
    found = np.zeros(shape)
    for block in placed.blocks:
        tile, image = placed.tiles[block.index], placed.images[block.index]
        cells = placed.region(image.cells, block)
        flips = tile.flipped(row_groups(macro, tile.rows), cells.shape[1])
        found[block.cols, block.rows] = decode(cells, flips, macro, cell, tile.weight_bits).T
    return found


def mean_codes(placed: Placed, arrays: ProgrammedArrays, shape: tuple[int, int]) -> Floats:
    """Return the codes (outputs, inputs) by which the cells multiply on average.

    That is between ideal drivers and converters, and where products are no matrix at full drive:
    of cells with a law of current, what they carry for the highest digit; of cells whose inputs
    open switches, what they carry while all rows of their group are open.
    """
    found = np.zeros(shape)
    for block in placed.blocks:
        tile, content = placed.tiles[block.index], arrays.seen(block.index)
        cells = at_full_drive(content, tile, placed.target, arrays.fidelity)
        codes = effective_weights(tile, placed.target, cells)
        found[block.cols, block.rows] = codes.T
    return found


def terms_of(placed: Placed, arrays: ProgrammedArrays, block: Block) -> Terms:
    """Return the analog sums of a block as products, its weights rounded as in the kernels."""
    tile, target, content = placed.tiles[block.index], placed.target, arrays.seen(block.index)
    periphery = arrays.periphery(tile, target) if isinstance(content, Read) else IDEAL
    if isinstance(content, Read) and arrays.fidelity is Fidelity.DEVICE and not resistive(target):
        return level_terms(tile, target, content, periphery)
    cells = at_full_drive(content, tile, target, arrays.fidelity)
    weights, variances = digits_of(cells, target)
    ready = arrays.build(tile, target, content)
    if isinstance(ready, AnalogTile):
        weights = ready.held(weights)
    spread = None if variances is None else variances[None]
    return Terms(level_table(tile, target, periphery), weights[None], spread)


def conductances(placed: Placed, arrays: ProgrammedArrays, rows: int, width: int) -> Floats:
    """Return the conductances of the cells in siemens (inputs, physical columns)."""

    def siemens(block: Block) -> Floats:
        return read_of(arrays.content(block.index), placed.target.cell).siemens

    return _gathered(placed, siemens, np.zeros((rows, width)))


def stuck(placed: Placed, arrays: ProgrammedArrays, rows: int, width: int) -> NDArray[np.uint8]:
    """Return which cells (inputs, physical columns) are stuck or worn out."""
    found = np.zeros((rows, width), np.uint8)
    if not arrays.fidelity.real_cells:
        return found

    def held(block: Block) -> NDArray[np.uint8]:
        image = placed.images[block.index]
        return placed.region(arrays.stuck_map(image.core, image.macro), block)

    return _gathered(placed, held, found)


def _gathered(
    placed: Placed, part: Callable[[Block], NDArray[Any]], found: NDArray[Any]
) -> NDArray[Any]:
    """Put together what is made of each block (inputs, physical columns)."""
    for block in placed.blocks:
        tile = placed.tiles[block.index]
        width = physical_columns(placed.target.macro, placed.target.cell, tile.weight_bits)
        columns = slice(block.cols.start * width, block.cols.stop * width)
        found[block.rows, columns] = part(block)
    return found
