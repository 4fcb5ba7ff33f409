"""All macros of one chip instance, programmed, and the products that they make."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Any, Protocol, final

import numpy as np
from numpy.typing import NDArray

from mcc.ir.hardware import Target
from mcc.ir.hardware.encoding import physical_columns
from mcc.ir.program.tables import Image, Tile
from mcc.runtime.analog import AnalogTile
from mcc.runtime.devices import MacroPlace, target_siemens, written_siemens
from mcc.runtime.digital import ExactTile
from mcc.runtime.random import Purpose, check_seed, generator


@final
class Fidelity(StrEnum):
    """How much of the physics a run includes; each adds to the one before."""

    EXACT = "exact"
    """Converters never clip or round."""
    CONVERTER = "converter"
    """Converters have their bits."""
    DEVICE = "device"
    """Cells have write errors and read noise, and some are stuck."""


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

    def __init__(self, program: Programmed, fidelity: Fidelity, seed: int = 0) -> None:
        """Write the first image of every macro; `seed` is the chip instance."""
        self._target, self._tiles, self._images = program.target, program.tiles, program.images
        self._fidelity, self._seed = fidelity, check_seed(seed)
        self._written: dict[tuple[int, int], int] = {}
        self._writes: dict[tuple[int, int], int] = {}
        self._ready: dict[int, AnalogTile | ExactTile] = {}
        self._events: dict[tuple[int, int], int] = {}
        self._first_sample = 0
        for index, image in enumerate(self._images):
            if (image.core, image.macro) not in self._written:
                self.reprogram(image.core, image.macro, index)

    def start(self, first_sample: int = 0) -> None:
        """Begin a run whose first sample has this number; read noise depends on the number only."""
        self._first_sample = first_sample
        self._events.clear()

    def reprogram(self, core: int, macro: int, image: int) -> None:
        """Write an image into a macro."""
        place = (core, macro)
        found = self._images[image]
        assert (found.core, found.macro) == place, f"image {image} belongs to another macro"
        self._written[place] = image
        self._writes[place] = self._writes.get(place, 0) + 1
        self._ready = {i: tile for i, tile in self._ready.items() if self._place(i) != place}

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
        ready = self._ready[tile]
        flat = codes.reshape(len(codes), -1, codes.shape[-1])
        sums = ready.multiply(flat, self._noise(tile, len(codes)))
        return sums.reshape(*codes.shape[:-1], sums.shape[-1])

    def _place(self, tile: int) -> tuple[int, int]:
        return self._tiles[tile].core, self._tiles[tile].macro

    def _noise(self, tile: int, samples: int) -> list[np.random.Generator]:
        """Return the generator of each sample for the next read of the macro of a tile."""
        place = self._place(tile)
        event = self._events.get(place, 0)
        self._events[place] = event + 1
        if self._fidelity is not Fidelity.DEVICE or self._target.cell.read_noise == 0:
            return []
        numbers = range(self._first_sample, self._first_sample + samples)
        return [generator(self._seed, Purpose.READ, *place, number, event) for number in numbers]

    def _prepare(self, wanted: int) -> None:
        """Make ready the tiles of the image that is in the macro of the wanted tile."""
        image = self._written[self._place(wanted)]
        found = self._tiles[wanted].image
        assert found == image, f"tile {wanted} is read while image {image} is in its macro"
        conductances = self._siemens(image)
        for index, tile in enumerate(self._tiles):
            if tile.image == image:
                self._ready[index] = self._tile(tile, conductances)

    def _siemens(self, index: int) -> NDArray[np.float64]:
        """Return the conductances of the macro that an image was written into."""
        image, cell = self._images[index], self._target.cell
        if self._fidelity is not Fidelity.DEVICE:
            return target_siemens(image.cells, cell)
        earlier = self._writes[image.core, image.macro] - 1
        place = MacroPlace(self._seed, image.core, image.macro)
        return written_siemens(image.cells, cell, place, index, earlier)

    def _tile(self, tile: Tile, conductances: NDArray[np.float64]) -> AnalogTile | ExactTile:
        columns = tile.cols * physical_columns(
            self._target.macro, self._target.cell, tile.weight_bits
        )
        place = np.s_[tile.row : tile.row + tile.rows, tile.col : tile.col + columns]
        if self._fidelity is Fidelity.EXACT:
            return ExactTile(tile, self._target, self._images[tile.image].cells[place])
        noise = self._target.cell.read_noise if self._fidelity is Fidelity.DEVICE else 0.0
        return AnalogTile(tile, self._target, conductances[place], noise)
