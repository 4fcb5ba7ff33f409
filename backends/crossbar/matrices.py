"""The tile and image tables: weights as cells of seated macros."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from mcc.backends.crossbar.assignment import Turn
from mcc.backends.crossbar.contraction import Contraction
from mcc.backends.crossbar.seating import Seat
from mcc.ir.hardware import Target
from mcc.ir.hardware.encoding import encode
from mcc.ir.network.matrix import matrix_block
from mcc.ir.program import Image, Tile, pack_flips

Block = tuple[int, int]


@final
class Matrices:
    """Fills macros with weights; knows what each macro holds when."""

    def __init__(
        self, contractions: Sequence[Contraction], turns: Sequence[Sequence[Turn]], target: Target
    ) -> None:
        """Write the weights of all contractions into images."""
        self.tiles: list[Tile] = []
        self.index: dict[ir.Node, dict[Block, int]] = {}
        """Tile of every block, by contraction."""
        self.target = target
        self._cells: list[NDArray[np.uint8]] = []
        self._owners: list[tuple[int, int]] = []
        self._images: dict[tuple[int, int, int], int] = {}
        for contraction, parts in zip(contractions, turns, strict=True):
            seats = [seat for turn in parts for share in turn.shares for seat in share.seats]
            found = {seat.piece.block: self._tile(contraction, seat) for seat in seats}
            self.index[contraction.node] = found
        self.images = tuple(
            Image(core, macro, cells)
            for (core, macro), cells in zip(self._owners, self._cells, strict=True)
        )
        self._versions: dict[tuple[int, int], int] = {}
        for owner in self._owners:
            self._versions[owner] = self._versions.get(owner, 0) + 1
        self._held: dict[tuple[int, int], int] = {}

    def writes(self, seats: Sequence[Seat]) -> tuple[tuple[int, int], ...]:
        """Return macro and image of what must be written before these seats are used.

        A macro that holds one image only has it from the start. One with several gets even its
        first one written, as a run before may have left the last one there.
        """
        found: list[tuple[int, int]] = []
        for seat in seats:
            owner = (seat.core, seat.macro)
            image = self._images[*owner, seat.round]
            if self._versions[owner] > 1 and self._held.get(owner) != image:
                self._held[owner] = image
                found.append((seat.macro, image))
        return tuple(found)

    @property
    def rounds(self) -> int:
        """How many sets of tiles the chip holds one after another."""
        return len({number for _, _, number in self._images}) or 1

    def _tile(self, contraction: Contraction, seat: Seat) -> int:
        view, tiling = contraction.view, contraction.tiling
        rows, cols = tiling.row_blocks[seat.piece.block[0]], tiling.col_blocks[seat.piece.block[1]]
        weights = matrix_block(view, rows, cols)
        macro, cell = self.target.macro, self.target.cell
        encoded = encode(np.ascontiguousarray(weights), macro, cell, view.weight_bits)
        image = self._image(seat)
        height, width = encoded.cells.shape
        self._cells[image][seat.row : seat.row + height, seat.col : seat.col + width] = (
            encoded.cells
        )
        self.tiles.append(
            Tile(
                core=seat.core,
                macro=seat.macro,
                row=seat.row,
                col=seat.col,
                rows=height,
                cols=cols[1] - cols[0],
                weight_bits=view.weight_bits,
                input_bits=view.input_bits,
                input_signed=view.input_signed,
                shift=tiling.shift,
                flips=pack_flips(encoded.flips),
                image=image,
                node=contraction.node.name or "",
                block=seat.piece.block,
            )
        )
        return len(self.tiles) - 1

    def _image(self, seat: Seat) -> int:
        key = (seat.core, seat.macro, seat.round)
        if key not in self._images:
            self._images[key] = len(self._cells)
            shape = (self.target.macro.rows, self.target.macro.cols)
            self._cells.append(np.zeros(shape, np.uint8))
            self._owners.append((seat.core, seat.macro))
        return self._images[key]
