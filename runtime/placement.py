"""Where the blocks of one matrix lie: a macro for each, and the states of its cells."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from mcc.ir.diagnostics import error
from mcc.ir.hardware import Target
from mcc.ir.hardware.derived import cores
from mcc.ir.hardware.encoding import (
    decode,
    encode,
    has_reference,
    most_columns,
    physical_columns,
    row_groups,
    tile_columns,
)
from mcc.ir.program.tables import Image, Tile, pack_flips

Lines = NDArray[np.intp]
"""Numbers of the inputs or outputs that take part."""


@final
@dataclass(frozen=True)
class Block:
    """One tile of a matrix."""

    index: int
    """Of the tile, and of the image that only it lies in."""
    rows: slice
    """Word lines: inputs of the matrix."""
    cols: slice
    """Outputs of the matrix."""


@final
@dataclass
class Placed:
    """The tiles of one matrix, each alone in a macro, as `ProgrammedArrays` takes them."""

    target: Target
    blocks: tuple[Block, ...]
    tiles: list[Tile] = field(default_factory=list[Tile])
    images: list[Image] = field(default_factory=list[Image])

    def write(self, codes: NDArray[np.int8]) -> None:
        """Encode a matrix (inputs, outputs) into the states of the cells and the flips."""
        macro, cell = self.target.macro, self.target.cell
        for block in self.blocks:
            tile, image = self.tiles[block.index], self.images[block.index]
            part = codes[block.rows, block.cols]
            encoded = encode(part, macro, cell, tile.weight_bits)
            rows, columns = encoded.cells.shape
            image.cells[:rows, :columns] = encoded.cells
            self.tiles[block.index] = replace(tile, flips=pack_flips(encoded.flips))

    def codes(self, block: Block) -> NDArray[np.int8]:
        """Return the part of the matrix (inputs, outputs) that the cells of a block stand for."""
        macro, tile = self.target.macro, self.tiles[block.index]
        cells = self.region(self.images[block.index].cells, block)
        flips = tile.flipped(row_groups(macro, tile.rows), cells.shape[1])
        return decode(cells, flips, macro, self.target.cell, tile.weight_bits).astype(np.int8)

    def columns(self, block: Block) -> slice:
        """Return where the columns of a block lie where those of all blocks are side by side."""
        macro, cell, tile = self.target.macro, self.target.cell, self.tiles[block.index]
        before = range(0, block.cols.start, most_columns(macro, cell, tile.weight_bits))
        width = physical_columns(macro, cell, tile.weight_bits)
        first = (block.cols.start + len(before) * has_reference(macro)) * width
        return slice(first, first + tile_columns(macro, cell, tile.weight_bits, tile.cols))

    def configure(self, shift: int, input_signed: bool) -> None:
        """Give the converters their step, and say whether input codes are signed."""
        self.tiles[:] = [
            replace(tile, shift=shift, input_signed=input_signed) for tile in self.tiles
        ]

    def region(self, table: NDArray[Any], block: Block) -> NDArray[Any]:
        """Return the part of a table of the cells of a macro that a block occupies."""
        tile = self.tiles[block.index]
        macro, cell = self.target.macro, self.target.cell
        return table[: tile.rows, : tile_columns(macro, cell, tile.weight_bits, tile.cols)]


def place(
    shape: tuple[int, int], target: Target, *, weight_bits: int, input_bits: int, first_macro: int
) -> Placed:
    """Cut a matrix (inputs, outputs) into the fewest tiles, from a macro of the chip on.

    The tiles of one column follow each other, as in programs of one layer.

    Raises:
        MccError: A macro does not hold one column of weights, or the chip not the matrix.
    """
    check_room(shape, target, weight_bits, first_macro)
    macro = target.macro
    across = most_columns(macro, target.cell, weight_bits)
    spans = [
        (slice(row, min(row + macro.rows, shape[0])), slice(col, min(col + across, shape[1])))
        for col in range(0, shape[1], across)
        for row in range(0, shape[0], macro.rows)
    ]
    blocks = tuple(Block(index, rows, cols) for index, (rows, cols) in enumerate(spans))
    placed = Placed(target, blocks)
    for block in blocks:
        core, number = divmod(first_macro + block.index, target.core.macros)
        placed.tiles.append(_tile(block, core, number, weight_bits, input_bits))
        cells = np.zeros((macro.rows, macro.cols), np.uint8)
        placed.images.append(Image(core, number, cells))
    return placed


def check_room(
    shape: tuple[int, int], target: Target, weight_bits: int, first_macro: int = 0
) -> None:
    """Refuse a matrix (inputs, outputs) that a chip cannot hold from a macro on.

    Raises:
        MccError: `crossbar-size`.
    """
    macro, room = target.macro, cores(target) * target.core.macros
    across = most_columns(macro, target.cell, weight_bits)
    if not across:
        width = tile_columns(macro, target.cell, weight_bits, cols=1)
        message = f"a weight takes {width} columns, and a macro of `{target.name}` has {macro.cols}"
        raise error("crossbar-size", message, "use fewer weight bits or a macro with more columns")
    macros = -(-shape[0] // macro.rows) * -(-shape[1] // across)
    if first_macro + macros > room:
        message = f"the matrix takes {macros} macros; the chip `{target.name}` has {room}"
        if first_macro:
            message += f", of which {first_macro} come before it"
        help = "cut the matrix, or take a larger chip: `chip__mesh_rows=…`, `core__macros=…`"
        raise error("crossbar-size", message, help)


def _tile(block: Block, core: int, macro: int, weight_bits: int, input_bits: int) -> Tile:
    return Tile(
        core=core,
        macro=macro,
        row=0,
        col=0,
        rows=block.rows.stop - block.rows.start,
        cols=block.cols.stop - block.cols.start,
        weight_bits=weight_bits,
        input_bits=input_bits,
        input_signed=True,
        shift=0,
        flips=b"",
        image=block.index,
        node="crossbar",
        block=(block.rows.start, block.cols.start),
    )


def within(lines: Lines, span: slice) -> tuple[Lines, Lines]:
    """Return which of some lines lie in a span, and where in it."""
    found = np.flatnonzero((lines >= span.start) & (lines < span.stop))
    return found, lines[found] - span.start


def spread(codes: NDArray[Any], lines: Lines, span: slice) -> NDArray[Any]:
    """Return what drives each line of a span (batch, lines of the span); 0 those left out."""
    found, to = within(lines, span)
    part = np.zeros((len(codes), span.stop - span.start), codes.dtype)
    part[:, to] = codes[:, found]
    return part
