"""What the cells of a matrix hold and do, as they were written and as they are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcc.runtime.analog import AnalogTile
from mcc.runtime.arrays import ProgrammedArrays
from mcc.runtime.converters.periphery import IDEAL
from mcc.runtime.currents import Terms
from mcc.runtime.devices import Read
from mcc.runtime.drives import level_table
from mcc.runtime.fidelity import Fidelity
from mcc.runtime.level_currents import level_terms, resistive
from mcc.runtime.operands import Floats
from mcc.runtime.placement import Block, Placed
from mcc.runtime.probes import (
    at_full_drive,
    digits_of,
    effective_weights,
    read_of,
    whole_digits,
    whole_target,
)


def written_codes(placed: Placed, shape: tuple[int, int]) -> Floats:
    """Return the codes of the weights (outputs, inputs) for which the cells were written."""
    found = np.zeros(shape)
    for block in placed.blocks:
        found[block.cols, block.rows] = placed.codes(block).T
    return found


def mean_codes(placed: Placed, arrays: ProgrammedArrays, block: Block) -> Floats:
    """Return the codes (inputs, outputs) by which the cells of a block multiply on average.

    That is between ideal drivers and converters, and where products are no matrix at full drive:
    of cells with a law of current, what they carry for the highest digit; of cells whose inputs
    open switches, what they carry while all rows of their group are open. At `exact` it is the
    whole numbers that the cells stand for.
    """
    if arrays.fidelity is Fidelity.EXACT:
        return placed.codes(block).astype(np.float64)
    tile, target, content = placed.tiles[block.index], placed.target, arrays.seen(block.index)
    solved = arrays.currents(tile, target, content, IDEAL) if isinstance(content, Read) else None
    return effective_weights(tile, target, at_full_drive(content, target, arrays.fidelity, solved))


def terms_of(placed: Placed, arrays: ProgrammedArrays, block: Block) -> Terms:
    """Return the analog sums of a block as products, its weights rounded as in the kernels.

    At `exact` they are those of `whole_target`, of the whole numbers that the cells stand for.
    """
    tile, target = placed.tiles[block.index], placed.target
    if arrays.fidelity is Fidelity.EXACT:
        whole = whole_target(target)
        weights = whole_digits(placed.codes(block), whole, tile.weight_bits)
        return Terms(level_table(tile, whole, IDEAL), weights[None], None)
    content = arrays.seen(block.index)
    periphery = arrays.periphery(tile, target) if isinstance(content, Read) else IDEAL
    if isinstance(content, Read) and arrays.fidelity is Fidelity.DEVICE and not resistive(target):
        return level_terms(tile, target, content, periphery)
    cells = at_full_drive(content, target, arrays.fidelity)
    weights, variances = digits_of(cells, target)
    ready = arrays.build(tile, target, content)
    if isinstance(ready, AnalogTile):
        weights = ready.held(weights)
    spread = None if variances is None else variances[None]
    return Terms(level_table(tile, target, periphery), weights[None], spread)


def conductances(placed: Placed, arrays: ProgrammedArrays, rows: int, columns: int) -> Floats:
    """Return the conductances of the cells in siemens (inputs, physical columns)."""

    def siemens(block: Block) -> Floats:
        return read_of(arrays.content(block.index), placed.target.cell).siemens

    return _gathered(placed, siemens, np.zeros((rows, columns)))


def stuck(placed: Placed, arrays: ProgrammedArrays, rows: int, columns: int) -> NDArray[np.uint8]:
    """Return which cells (inputs, physical columns) are stuck or worn out."""
    found = np.zeros((rows, columns), np.uint8)
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
        found[block.rows, placed.columns(block)] = part(block)
    return found
