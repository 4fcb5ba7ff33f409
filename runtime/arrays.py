"""All macros of one chip instance, programmed, and the products that they make."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, Protocol, final

import numpy as np
from numpy.typing import NDArray

from mcc.ir.hardware import Feed, Target
from mcc.ir.hardware.encoding import physical_columns
from mcc.ir.program.tables import Image, Tile
from mcc.runtime.analog import AnalogTile
from mcc.runtime.converters import ConverterTile
from mcc.runtime.devices import written_siemens
from mcc.runtime.digital import ExactTile
from mcc.runtime.random import MacroPlace, Purpose, check_seed
from mcc.runtime.reads import Reads
from mcc.runtime.wires.effective import WiredCells, driven_groups
from mcc.runtime.wires.tile import GatedTile


@final
class Fidelity(StrEnum):
    """How much of the physics a run includes; each adds to the one before."""

    EXACT = "exact"
    """Converters never clip or round."""
    CONVERTER = "converter"
    """Converters have their bits."""
    DEVICE = "device"
    """Cells have write errors and read noise, and some are stuck."""
    WIRE = "wire"
    """Lines, drivers and switches have resistance, so that no cell sees the whole voltage."""

    @property
    def real_cells(self) -> bool:
        """Whether cells are those of one chip, drawn from its seed."""
        return self in (Fidelity.DEVICE, Fidelity.WIRE)


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
        self._ready: dict[int, AnalogTile | GatedTile | ConverterTile | ExactTile] = {}
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
            codes: (samples, ..., rows); the samples are numbered from that of `start`.

        Returns:
            `sum_k codes[..., k] * weight[k, :]` as the fidelity gives it, (samples, ..., cols).
        """
        if tile not in self._ready:
            self._prepare(tile)
        flat = codes.reshape(-1, codes.shape[-1])
        sums = self._ready[tile].multiply(flat, self._reads(tile, codes))
        return sums.reshape(*codes.shape[:-1], sums.shape[-1])

    def _place(self, tile: int) -> tuple[int, int]:
        return self._tiles[tile].core, self._tiles[tile].macro

    def _reads(self, tile: int, codes: NDArray[Any]) -> Reads:
        """Return the address of the next reads of the macro of a tile."""
        place = self._place(tile)
        event = self._events.get(place, 0)
        self._events[place] = event + 1
        return Reads(
            seed=self._seed,
            place=MacroPlace(self._seed, *place).word(Purpose.READ),
            event=event,
            sample=self._first_sample,
            positions=math.prod(codes.shape[1:-1]),
            threads=self._threads,
        )

    def _prepare(self, wanted: int) -> None:
        """Make ready the tiles of the image that is in the macro of the wanted tile."""
        image = self._written[self._place(wanted)]
        found = self._tiles[wanted].image
        assert found == image, f"tile {wanted} is read while image {image} is in its macro"
        tiles = [(index, self._tiles[index]) for index in self._tiles_of[image]]
        cells = self._images[image].cells
        if self._fidelity is Fidelity.WIRE:
            self._prepare_wired(image, dict(tiles))
        elif self._fidelity is Fidelity.DEVICE:
            conductances = self._siemens(image)
            for index, tile in tiles:
                part = self._part(conductances, tile)
                self._ready[index] = AnalogTile(tile, self._target, part)
        else:
            kind = ConverterTile if self._fidelity is Fidelity.CONVERTER else ExactTile
            for index, tile in tiles:
                self._ready[index] = kind(tile, self._target, self._part(cells, tile))

    def _prepare_wired(self, image: int, tiles: Mapping[int, Tile]) -> None:
        """Make ready the tiles of an image in a macro whose lines have resistance."""
        conductances = self._siemens(image)
        deviations = self._target.cell.read_noise * conductances
        if self._target.wires.feed is Feed.SOURCE_LINE:
            for index, tile in tiles.items():
                parts = self._part(conductances, tile), self._part(deviations, tile)
                self._ready[index] = GatedTile(tile, self._target, *parts)
            return
        groups = {group for tile in tiles.values() for group in driven_groups(tile, self._target)}
        cells = WiredCells(conductances, deviations, self._target, groups, self._threads)
        for index, tile in tiles.items():
            read = cells.of(driven_groups(tile, self._target))
            parts = (self._columns(table, tile) for table in read)
            self._ready[index] = AnalogTile(tile, self._target, *parts)

    def _siemens(self, index: int) -> NDArray[np.float64]:
        """Return the conductances of the macro that an image was written into."""
        image = self._images[index]
        earlier = self._writes[image.core, image.macro] - 1
        place = MacroPlace(self._seed, image.core, image.macro)
        return written_siemens(image.cells, self._target.cell, place, index, earlier)

    def _part(self, table: NDArray[Any], tile: Tile) -> NDArray[Any]:
        """Return the part of a table of the cells of a macro that a tile occupies."""
        return self._columns(table[tile.row : tile.row + tile.rows], tile)

    def _columns(self, table: NDArray[Any], tile: Tile) -> NDArray[Any]:
        """Return the columns of a table of all columns of a macro that a tile occupies."""
        width = physical_columns(self._target.macro, self._target.cell, tile.weight_bits)
        return table[:, tile.col : tile.col + tile.cols * width]
