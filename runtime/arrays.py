"""All macros of one chip instance, programmed, and the products that they make."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol, final

import numpy as np
from numpy.typing import NDArray

from mcc.ir.diagnostics import error
from mcc.ir.hardware import Feed, Target
from mcc.ir.hardware.encoding import tile_columns
from mcc.ir.program.tables import Image, Tile
from mcc.runtime import _kernels
from mcc.runtime.analog import AnalogTile, analog_tile, effective_tile
from mcc.runtime.converters.periphery import Periphery, periphery_of
from mcc.runtime.devices import NOW, Cells, Conditions, Read
from mcc.runtime.devices.stuck import checked_maps
from mcc.runtime.digital import ExactTile
from mcc.runtime.drives import level_table
from mcc.runtime.fidelity import Fidelity, input_by_input
from mcc.runtime.general import GeneralTile
from mcc.runtime.level_currents import check_resistive
from mcc.runtime.quantized import ConverterTile
from mcc.runtime.random import MacroPlace, Purpose, check_seed
from mcc.runtime.reads import Reads
from mcc.runtime.wires.currents import GatedCurrents
from mcc.runtime.wires.effective import WiredCells, driven_groups
from mcc.runtime.wires.solved import SolvedCurrents
from mcc.runtime.wires.trimmed import from_bit_lines, is_symmetric


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
Content = NDArray[np.uint8] | Read
"""What cells hold (rows, physical columns): states where they are ideal, else what reads find."""


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
            MccError: `seed-invalid`, `stuck-map` or `read-levels`.
        """
        if fidelity is Fidelity.WIRE:
            check_resistive(program.target)
        self._conditions, self._stuck = conditions, checked_maps(stuck, program.target)
        self._target, self._tiles, self._images = program.target, program.tiles, program.images
        self.fidelity, self._seed, self._threads = fidelity, check_seed(seed), threads
        self._written: dict[tuple[int, int], int] = {}
        self._writes: dict[tuple[int, int], int] = {}
        self._young: set[tuple[int, int]] = set()
        """Macros that were written after the others, and are read right after."""
        self._first: dict[tuple[int, int], int] = {}
        self._ready: dict[int, ArrayTile] = {}
        self._solved: dict[tuple[int, int], tuple[tuple[Any, ...], dict[int, Content]]] = {}
        """What was solved last of each macro, and of which cells driven from which side.

        With read noise it is as large as two tables of conductances: none is kept for products,
        which hold what they need of it.
        """
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
                self._young.discard(place)

    def reprogram(self, core: int, macro: int, image: int) -> None:
        """Write an image into a macro."""
        place = (core, macro)
        found = self._images[image]
        assert (found.core, found.macro) == place, f"image {image} belongs to another macro"
        for tile in self._tiles_of.get(self._written.get(place, image), []):
            self._ready.pop(tile, None)
        if place in self._written:
            self._young.add(place)
        self._written[place] = image
        self._writes[place] = self._writes.get(place, 0) + 1

    def age(self, conditions: Conditions) -> None:
        """Read all cells under other conditions from now on, however young they were."""
        self._conditions = conditions
        self._young.clear()
        self._ready.clear()

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

    def accumulate(self, tile: int, codes: NDArray[Any], totals: NDArray[np.int32]) -> None:
        """Add the sums of input codes on one tile to totals (samples, ..., cols)."""
        sums = self.multiply(tile, codes)
        if any(stride % totals.itemsize for stride in totals.strides):
            totals += sums.reshape(totals.shape)
        else:
            _kernels.add_sums(totals, sums.reshape(-1, sums.shape[-1]), threads=self._threads)

    def rewind(self) -> None:
        """Number reads from 0 again; cells stay as they were written last."""
        self._events.clear()

    def refresh(self) -> None:
        """Take up tiles that were changed in place; cells stay as they were written last."""
        self._ready.clear()

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what is made anew from the cells, and cannot be copied."""
        return {**self.__dict__, "_ready": {}, "_solved": {}}

    def content(self, tile: int) -> Content:
        """Return what the cells of a tile hold (rows, physical columns).

        That is what reads find in them; at the fidelities with ideal cells, states (uint8).
        """
        return self._part(self._content(self._image(tile)), self._tiles[tile])

    def seen(self, tile: int, turned: bool = False) -> Content:
        """Return the cells of a tile as its converters see them through the lines.

        Solved lines are kept until they are forgotten, or others of the macro are solved.

        Args:
            tile: Index of the tile.
            turned: Whether bit lines are driven, and the converters are at the word lines.
        """
        return self._seen(self._image(tile), turned)[tile]

    def forget(self, tile: int) -> None:
        """Forget the solved lines of the macro of a tile."""
        self._solved.pop(self._place(tile), None)

    def build(
        self, tile: Tile, target: Target, content: Content, periphery: Periphery | None = None
    ) -> ArrayTile:
        """Make some cells of these arrays ready to multiply, however they are driven.

        Args:
            tile: Where they lie, and how they are driven.
            target: The macro, as it is for those who drive.
            content: The cells as converters see them (rows, physical columns).
            periphery: What surrounds them; that of the macro if None.
        """
        if not isinstance(content, Read):
            kind = ExactTile if self.fidelity is Fidelity.EXACT else ConverterTile
            return kind(tile, target, content)
        periphery = periphery or self.periphery(tile, target)
        if self.fidelity is Fidelity.DEVICE:
            return analog_tile(tile, target, content, periphery, self._threads)
        if (currents := self.currents(tile, target, content, periphery)) is None:
            return effective_tile(tile, target, content, periphery, self._threads)
        if target.wires.feed is Feed.SOURCE_LINE:
            periphery = replace(periphery, drive_noise=0.0)
        return GeneralTile(tile, target, currents, periphery)

    def currents(
        self, tile: Tile, target: Target, content: Read, periphery: Periphery
    ) -> GatedCurrents | SolvedCurrents | None:
        """Return what solves every input for itself; None where one matrix is good for all.

        Args: as those of `build`.
        """
        if not input_by_input(target, self.fidelity):
            return None
        if target.wires.feed is Feed.SOURCE_LINE:
            return GatedCurrents(tile, target, content)
        cells = self._content(tile.image)
        assert isinstance(cells, Read), "cells between lines are real"
        table = level_table(tile, target, periphery)
        return SolvedCurrents(tile, target, cells, table, self._threads)

    def periphery(self, tile: Tile, target: Target) -> Periphery:
        """Return the converters and drivers of the macro of a tile."""
        return periphery_of(target.macro, MacroPlace(self._seed, tile.core, tile.macro))

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
        for index, content in self._seen(self._image(wanted)).items():
            self._ready[index] = self.build(self._tiles[index], self._target, content)
        self.forget(wanted)

    def _image(self, tile: int) -> int:
        """Return the image that is in the macro of a tile."""
        image, found = self._written[self._place(tile)], self._tiles[tile].image
        assert found == image, f"tile {tile} is read while image {image} is in its macro"
        return image

    def _content(self, image: int) -> Content:
        """Return what all cells of a macro hold."""
        if not self.fidelity.real_cells:
            return self._images[image].cells
        young = (self._images[image].core, self._images[image].macro) in self._young
        conditions = replace(self._conditions, seconds=0.0) if young else self._conditions
        return self._cells(image).read(conditions)

    def _seen(self, image: int, turned: bool = False) -> dict[int, Content]:
        """Return the cells of every tile of an image as its converters see them."""
        wired = self.fidelity is Fidelity.WIRE
        if not wired or input_by_input(self._target, self.fidelity):
            return self._parts(image)
        turned = turned and not is_symmetric(self._target)
        place = (self._images[image].core, self._images[image].macro)
        version = (image, turned, self._writes[place], self._conditions, place in self._young)
        found = self._solved.get(place)
        if found is None or found[0] != version:
            found = version, self._wired(image, turned)
            self._solved[place] = found
        return found[1]

    def _parts(self, image: int) -> dict[int, Content]:
        """Return the cells of every tile of an image."""
        content = self._content(image)
        return {it: self._part(content, self._tiles[it]) for it in self._tiles_of[image]}

    def _wired(self, image: int, turned: bool) -> dict[int, Content]:
        """Solve the lines of a macro for its tiles."""
        content = self._content(image)
        assert isinstance(content, Read), "cells between lines are real"
        target = from_bit_lines(self._target) if turned else self._target
        tiles = {index: self._tiles[index] for index in self._tiles_of[image]}
        groups = {group for tile in tiles.values() for group in driven_groups(tile, target)}
        cells = WiredCells(content, target, groups, self._threads, turned)
        return {
            index: self._own(cells.of(driven_groups(tile, target)), tile)
            for index, tile in tiles.items()
        }

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
            threads=self._threads,
        )

    def _part(self, content: Content, tile: Tile) -> Content:
        """Return the part of the cells of a macro that a tile occupies."""
        return content[tile.row : tile.row + tile.rows, self._columns(tile)]

    def _own(self, rows: Read, tile: Tile) -> Read:
        """Return the columns of a tile of its rows, which hold no others in memory."""
        return rows[:, self._columns(tile)].map(np.ascontiguousarray)

    def _columns(self, tile: Tile) -> slice:
        macro, cell = self._target.macro, self._target.cell
        return slice(tile.col, tile.col + tile_columns(macro, cell, tile.weight_bits, tile.cols))


def _leading(shape: tuple[int, ...], rows: int) -> tuple[int, ...]:
    """Return the axes before the last ones, which hold `rows` elements together."""
    first = len(shape) - 1
    while first > 1 and math.prod(shape[first:]) < rows:
        first -= 1
    return shape[:first]
