"""All macros of one chip instance, programmed, and the products that they make."""

from __future__ import annotations

import math
from collections.abc import Sequence
from enum import StrEnum
from typing import Any, Protocol, final

import numpy as np
from numpy.typing import NDArray

from mcc.ir.hardware import Target
from mcc.ir.hardware.encoding import physical_columns
from mcc.ir.program.tables import Image, Tile
from mcc.runtime import _kernels
from mcc.runtime.analog import AnalogTile, analog_tile
from mcc.runtime.converters.periphery import periphery_of
from mcc.runtime.devices import written_siemens
from mcc.runtime.digital import ExactTile
from mcc.runtime.general import GeneralTile
from mcc.runtime.quantized import ConverterTile
from mcc.runtime.random import MacroPlace, Purpose, check_seed
from mcc.runtime.reads import Reads


@final
class Fidelity(StrEnum):
    """How much of the physics a run includes; each adds to the one before."""

    EXACT = "exact"
    """Converters never clip or round."""
    CONVERTER = "converter"
    """Converters have their bits."""
    DEVICE = "device"
    """Cells have write errors and read noise, some are stuck; converters have errors and noise."""


class Programmed(Protocol):
    """What is needed of a program."""

    @property
    def target(self) -> Target:
        """The chip."""
        ...

    @property
    def tiles(self) -> Sequence[Tile]:
        """The blocks of weights."""
        ...

    @property
    def images(self) -> Sequence[Image]:
        """The states of the cells; the first of each macro is written at the start."""
        ...


ArrayTile = AnalogTile | GeneralTile | ConverterTile | ExactTile
"""Cells made ready to multiply."""


@final
class ProgrammedArrays:
    """The macros of one chip instance with the images written into them.

    The cells of the images are the only copy of the weights: a changed cell changes the product.
    """

    def __init__(
        self, program: Programmed, fidelity: Fidelity, seed: int = 0, threads: int = 1
    ) -> None:
        """Write the first image of every macro; `seed` is the chip instance."""
        self._target, self._tiles, self._images = program.target, program.tiles, program.images
        self._fidelity, self._seed, self._threads = fidelity, check_seed(seed), threads
        self._written: dict[tuple[int, int], int] = {}
        self._writes: dict[tuple[int, int], int] = {}
        self._first: dict[tuple[int, int], int] = {}
        self._ready: dict[int, ArrayTile] = {}
        self._events: dict[tuple[int, int], int] = {}
        self._first_sample = 0
        self._tiles_of: dict[int, list[int]] = {}
        for index, tile in enumerate(self._tiles):
            self._tiles_of.setdefault(tile.image, []).append(index)
        for index, image in enumerate(self._images):
            if (image.core, image.macro) not in self._written:
                self._first[image.core, image.macro] = index
                self.reprogram(image.core, image.macro, index)

    def start(self, first_sample: int = 0) -> None:
        """Begin a run whose first sample has this number; read noise depends on the number only.

        Macros that were written again hold their first images as they did after programming.
        """
        self._first_sample = first_sample
        self._events.clear()
        for place, writes in list(self._writes.items()):
            if writes > 1:
                self._writes[place] = 0
                self.reprogram(*place, self._first[place])

    def reprogram(self, core: int, macro: int, image: int) -> None:
        """Write an image into a macro."""
        place = (core, macro)
        found = self._images[image]
        assert (found.core, found.macro) == place, f"image {image} belongs to another macro"
        for tile in self._tiles_of.get(self._written.get(place, image), []):
            self._ready.pop(tile, None)
        self._written[place] = image
        self._writes[place] = self._writes.get(place, 0) + 1

    def multiply(self, tile: int, codes: NDArray[Any]) -> NDArray[np.int32]:
        """Return the sums of input codes on one tile.

        Args:
            tile: Index of the tile.
            codes: (samples, ..., *rows), with any strides; the last axes hold the rows of the
                tile together. The samples are numbered from that of `start`.

        Returns:
            `sum_k codes[..., k] * weight[k, :]` as the fidelity gives it, (samples, ..., cols).
        """
        if tile not in self._ready:
            self._prepare(tile)
        leading = _leading(codes.shape, self._tiles[tile].rows)
        flat = _kernels.gather_codes(codes, self._tiles[tile].rows, threads=self._threads)
        sums = self._ready[tile].multiply(flat, self._reads(tile, math.prod(leading[1:])))
        return sums.reshape(*leading, sums.shape[-1])

    def rewind(self) -> None:
        """Number reads from 0 again; cells stay as they were written last."""
        self._events.clear()

    def refresh(self) -> None:
        """Take up tiles that were changed in place; cells stay as they were written last."""
        self._ready.clear()

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what is made anew from the cells, and cannot be copied."""
        return {**self.__dict__, "_ready": {}}

    def content(self, tile: int) -> NDArray[Any]:
        """Return what the cells of a tile hold (rows, physical columns).

        That is conductances in siemens; at the fidelities with ideal cells, states (uint8).
        """
        return self._part(self._content(self._image(tile)), self._tiles[tile])

    def build(self, tile: Tile, target: Target, content: NDArray[Any]) -> ArrayTile:
        """Make some cells of these arrays ready to multiply, however they are driven."""
        if self._fidelity is Fidelity.EXACT:
            return ExactTile(tile, target, content)
        if self._fidelity is Fidelity.CONVERTER:
            return ConverterTile(tile, target, content)
        place = MacroPlace(self._seed, tile.core, tile.macro)
        return analog_tile(tile, target, content, periphery_of(target.macro, place))

    def read(self, tile: int, cells: ArrayTile, codes: NDArray[Any]) -> NDArray[np.int32]:
        """Multiply codes (inputs, rows) with cells of a tile, as the next read of its macro."""
        return cells.multiply(codes, self._reads(tile, positions=1))

    def _place(self, tile: int) -> tuple[int, int]:
        return self._tiles[tile].core, self._tiles[tile].macro

    def _reads(self, tile: int, positions: int) -> Reads:
        """Return the address of the next reads of the macro of a tile."""
        place = self._place(tile)
        event = self._events.get(place, 0)
        self._events[place] = event + 1
        return Reads(
            seed=self._seed,
            place=MacroPlace(self._seed, *place).word(Purpose.READ),
            event=event,
            sample=self._first_sample,
            positions=positions,
            threads=self._threads,
        )

    def _prepare(self, wanted: int) -> None:
        """Make ready the tiles of the image that is in the macro of the wanted tile."""
        image = self._image(wanted)
        content = self._content(image)
        for index in self._tiles_of[image]:
            tile = self._tiles[index]
            self._ready[index] = self.build(tile, self._target, self._part(content, tile))

    def _image(self, tile: int) -> int:
        """Return the image that is in the macro of a tile."""
        image, found = self._written[self._place(tile)], self._tiles[tile].image
        assert found == image, f"tile {tile} is read while image {image} is in its macro"
        return image

    def _content(self, image: int) -> NDArray[Any]:
        """Return what all cells of a macro hold."""
        ideal = self._fidelity in (Fidelity.EXACT, Fidelity.CONVERTER)
        return self._images[image].cells if ideal else self._siemens(image)

    def _siemens(self, index: int) -> NDArray[np.float64]:
        """Return the conductances of the macro that an image was written into."""
        image = self._images[index]
        earlier = self._writes[image.core, image.macro] - 1
        place = MacroPlace(self._seed, image.core, image.macro)
        return written_siemens(image.cells, self._target.cell, place, index, earlier, self._threads)

    def _part(self, table: NDArray[Any], tile: Tile) -> NDArray[Any]:
        """Return the part of a table of the cells of a macro that a tile occupies."""
        width = physical_columns(self._target.macro, self._target.cell, tile.weight_bits)
        columns = slice(tile.col, tile.col + tile.cols * width)
        return table[tile.row : tile.row + tile.rows, columns]


def _leading(shape: tuple[int, ...], rows: int) -> tuple[int, ...]:
    """Return the axes before the last ones, which hold `rows` elements together."""
    first = len(shape) - 1
    while first > 1 and math.prod(shape[first:]) < rows:
        first -= 1
    return shape[:first]
