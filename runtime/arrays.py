"""All macros of one chip instance, programmed, and the products that they make."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from enum import StrEnum
from typing import Any, Protocol, final

import numpy as np
from numpy.typing import NDArray

from mcc.ir.diagnostics import error
from mcc.ir.hardware import Target
from mcc.ir.hardware.encoding import physical_columns
from mcc.ir.program.tables import Image, Tile
from mcc.runtime.analog import AnalogTile
from mcc.runtime.converters import ConverterTile
from mcc.runtime.devices import NOW, Cells, Conditions, Read
from mcc.runtime.devices.stuck import checked_maps
from mcc.runtime.digital import ExactTile
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
    """Cells differ from what was written, age, are noisy, and some are stuck."""


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
        self,
        program: Programmed,
        fidelity: Fidelity,
        seed: int = 0,
        threads: int = 1,
        conditions: Conditions = NOW,
        stuck: Mapping[tuple[int, int], NDArray[np.uint8]] | None = None,
    ) -> None:
        """Write the first image of every macro.

        Args:
            program: What is programmed.
            fidelity: How much of the physics to include.
            seed: The chip instance.
            threads: Threads to compute with.
            conditions: Of all reads.
            stuck: Measured maps of stuck cells by core and macro, 0 free, 1 low, 2 high
                (rows, cols); the other macros have theirs drawn.

        Raises:
            MccError: `seed-invalid` or `stuck-map`.
        """
        self._conditions, self._stuck = conditions, checked_maps(stuck or {}, program.target)
        self._target, self._tiles, self._images = program.target, program.tiles, program.images
        self._fidelity, self._seed, self._threads = fidelity, check_seed(seed), threads
        self._written: dict[tuple[int, int], int] = {}
        self._writes: dict[tuple[int, int], int] = {}
        self._first: dict[tuple[int, int], int] = {}
        self._ready: dict[int, AnalogTile | ConverterTile | ExactTile] = {}
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
        if self._fidelity is Fidelity.DEVICE:
            # What is written again while the program runs is read right after.
            again = self._writes[self._place(wanted)] > 1
            aged = replace(self._conditions, seconds=0.0) if again else self._conditions
            siemens, sigma = self._cells(image).read(aged)
            for index, tile in tiles:
                noise = None if sigma is None else self._part(sigma, tile)
                part = Read(self._part(siemens, tile), noise)
                self._ready[index] = AnalogTile(tile, self._target, part)
        else:
            kind = ConverterTile if self._fidelity is Fidelity.CONVERTER else ExactTile
            for index, tile in tiles:
                self._ready[index] = kind(tile, self._target, self._part(cells, tile))

    def stuck_map(self, core: int, macro: int) -> NDArray[np.uint8]:
        """Return which cells (rows, cols) of a programmed macro are stuck or worn out.

        0 is free, 1 stays at the lowest conductance, 2 at the highest.

        Raises:
            MccError: `stuck-map`, for a macro into which nothing is programmed.
        """
        if (core, macro) not in self._written:
            text = f"nothing is programmed into macro {macro} of core {core}"
            raise error("stuck-map", text, "`mcc explain` gives the places of the network")
        return self._cells(self._written[core, macro]).stuck

    def _cells(self, index: int) -> Cells:
        """Return the cells of the macro that an image was written into."""
        image = self._images[index]
        place = (image.core, image.macro)
        return Cells(
            image.cells,
            self._target.cell,
            MacroPlace(self._seed, *place),
            image=index,
            earlier=self._writes[place] - 1,
            cycles=self._conditions.cycles,
            stuck=self._stuck.get(place),
        )

    def _part(self, table: NDArray[Any], tile: Tile) -> NDArray[Any]:
        """Return the part of a table of the cells of a macro that a tile occupies."""
        width = physical_columns(self._target.macro, self._target.cell, tile.weight_bits)
        columns = slice(tile.col, tile.col + tile.cols * width)
        return table[tile.row : tile.row + tile.rows, columns]
