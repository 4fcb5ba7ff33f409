"""A real matrix in the cells of a chip, and its products in both directions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from mcc.ir.diagnostics import error
from mcc.ir.hardware import RangePolicy, Target
from mcc.ir.hardware.conversion import code_range, full_scale_shift
from mcc.ir.hardware.encoding import decode, physical_columns, row_groups, slices
from mcc.ir.hardware.phases import phases
from mcc.runtime.arrays import Fidelity, ProgrammedArrays
from mcc.runtime.operands import Floats, InputCoding, encode_weights
from mcc.runtime.placement import Block, place
from mcc.runtime.probes import conversions, drives, effective_weights, siemens_of
from mcc.runtime.steps import best_shift, best_transposed_shift
from mcc.runtime.transposed import TransposedTile, transposed_target

Lines = NDArray[np.intp]
"""Numbers of the inputs or outputs that take part."""

_BOTH_WAYS = (Fidelity.EXACT, Fidelity.CONVERTER, Fidelity.DEVICE)
"""Fidelities at which a cell carries the same current whichever of its ends is driven."""


@final
@dataclass
class Direction:
    """How one direction of products is driven and converted."""

    coding: InputCoding
    shift: int | None
    """Logarithm of the converters' step; None while it is to be calibrated."""


@final
class RealCrossbar:
    """A matrix of real weights (outputs, inputs), programmed into macros of its own.

    Inputs drive word lines and outputs are sensed at bit lines; `transposed` products drive the
    bit lines and sense the word lines of the same cells. `w = scale * code` for each output.
    """

    def __init__(
        self,
        weights: Floats,
        target: Target,
        fidelity: Fidelity,
        *,
        seed: int = 0,
        weight_bits: int = 8,
        coding: InputCoding,
        threads: int = 1,
        first_macro: int = 0,
    ) -> None:
        """Program finite weights (outputs, inputs).

        Raises:
            MccError: `option-value`, `seed-invalid`, `crossbar-size`.
        """
        self.target, self.fidelity, self.seed = target, fidelity, seed
        self.shape: tuple[int, int] = (weights.shape[0], weights.shape[1])
        self.writes = 1
        codes, self._scales = encode_weights(weights, weight_bits)
        self._weight_bits = weight_bits
        self.placed = place(
            (self.shape[1], self.shape[0]),
            target,
            weight_bits=weight_bits,
            input_bits=coding.bits,
            first_macro=first_macro,
        )
        self.placed.write(codes.T)
        turned = InputCoding(coding.bits)
        self._directions = {
            False: Direction(coding, _known_shift(target, coding)),
            True: Direction(turned, _known_shift(transposed_target(target), turned)),
        }
        self._configure()
        self._turned: dict[int, TransposedTile] = {}
        self._arrays = ProgrammedArrays(self.placed, fidelity, seed, threads)

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what is made anew from the cells, and cannot be copied."""
        return {**self.__dict__, "_turned": {}}

    def multiply(self, vectors: Floats, outputs: Lines, inputs: Lines) -> Floats:
        """Return the products (batch, outputs) of vectors (batch, inputs) with a block."""
        direction = self._ready(False)
        codes, scales = direction.coding.encode(vectors)
        totals = np.zeros((len(codes), len(outputs)), np.int64)
        for block in self.placed.blocks:
            to, kept = _within(outputs, block.cols)
            if to.size and _within(inputs, block.rows)[0].size:
                part = _spread(codes, inputs, block.rows)
                totals[:, to] += self._arrays.multiply(block.index, part)[:, kept]
        return totals * scales * self._scales[outputs]

    def multiply_transposed(self, vectors: Floats, inputs: Lines, outputs: Lines) -> Floats:
        """Return the products (batch, inputs) of vectors (batch, outputs) with a block."""
        direction = self._ready(True)
        codes, scales = direction.coding.encode(vectors * self._scales[outputs])
        totals = np.zeros((len(codes), len(inputs)), np.int64)
        for block in self.placed.blocks:
            to, kept = _within(inputs, block.rows)
            if to.size and _within(outputs, block.cols)[0].size:
                part = _spread(codes, outputs, block.cols)
                totals[:, to] += self._turn(block, direction).multiply(part)[:, kept]
        return totals * scales

    def program(self, weights: Floats | None = None) -> None:
        """Write all cells again, of new weights of the same shape or of the same ones."""
        if weights is not None:
            codes, self._scales = encode_weights(weights, self._weight_bits)
            self.placed.write(codes.T)
        for index, image in enumerate(self.placed.images):
            self._arrays.reprogram(image.core, image.macro, index)
        self._turned.clear()
        self.writes += 1

    def rewind(self) -> None:
        """Number reads from 0 again, so that they meet the same noise in the same order."""
        self._arrays.rewind()

    def calibrate(self, vectors: Floats, transposed: bool, lines: Lines) -> None:
        """Fix the input range, and the converters' step where the target's policy asks for it.

        Args:
            vectors: What later inputs are like (batch, lines), at least one.
            transposed: Which direction of products they are of.
            lines: The inputs (transposed: outputs) that they drive.
        """
        if transposed:
            vectors = vectors * self._scales[lines]
        direction = self._directions[transposed]
        low, high = float(vectors.min(initial=0)), float(vectors.max(initial=0))
        coding = InputCoding(direction.coding.bits, (low, high) if low < high else (0.0, 1.0))
        direction.coding = coding
        if self.target.macro.adc.range is RangePolicy.CALIBRATED:
            find = best_transposed_shift if transposed else best_shift
            size = self.shape[0] if transposed else self.shape[1]
            codes = _spread(coding.encode(vectors)[0], lines, slice(0, size))
            direction.shift = find(self.placed, codes)
        self._configure()
        self._arrays.refresh()
        self._turned.clear()

    def weights(self) -> Floats:
        """Return the weights (outputs, inputs) that were written, rounded to their codes."""
        macro, cell = self.target.macro, self.target.cell

        def decoded(block: Block, content: NDArray[Any]) -> Floats:
            tile, image = self.placed.tiles[block.index], self.placed.images[block.index]
            cells = self.placed.region(image.cells, block)
            flips = tile.flipped(row_groups(macro, tile.rows), cells.shape[1])
            return decode(cells, flips, macro, cell, tile.weight_bits).astype(np.float64)

        return self._gathered(decoded, 1).T * self._scales[:, None]

    def effective(self) -> Floats:
        """Return the weights (outputs, inputs) by which the cells multiply on average."""

        def weights(block: Block, content: NDArray[Any]) -> Floats:
            return effective_weights(self.placed.tiles[block.index], self.target, content)

        return self._gathered(weights, 1).T * self._scales[:, None]

    def conductances(self) -> Floats:
        """Return the conductances of the cells in siemens (inputs, physical columns)."""

        def siemens(block: Block, content: NDArray[Any]) -> Floats:
            return siemens_of(content, self.target.cell)

        return self._gathered(siemens, self._width())

    def contents(self) -> Iterator[tuple[Block, NDArray[Any]]]:
        """Yield what the cells of each block hold (rows, physical columns)."""
        for block in self.placed.blocks:
            yield block, self._arrays.content(block.index)

    def currents(self, vectors: Floats, inputs: Lines) -> Floats:
        """Return the mean currents of the bit lines for one volt per unit of a digit.

        Returns:
            Amperes (batch, row groups, phases, physical columns).
        """
        codes, _ = self._ready(False).coding.encode(vectors)
        found = np.zeros((len(codes), *self._sums_shape(codes), self.shape[0] * self._width()))
        for block, content in self.contents():
            tile, siemens = self.placed.tiles[block.index], siemens_of(content, self.target.cell)
            columns = slice(block.cols.start * self._width(), block.cols.stop * self._width())
            part = _spread(codes, inputs, block.rows)
            for group, phase, rows, _, drive in drives(tile, self.target, part):
                at = self._first_group(block) + group
                found[:, at, phase, columns] = drive @ siemens[rows]
        return found

    def codes(self, vectors: Floats, inputs: Lines) -> NDArray[np.int32]:
        """Return what every converter says, each as a read of its own.

        Returns:
            Codes (batch, row groups, phases, slices, outputs); whole sums at `exact`.
        """
        codes, _ = self._ready(False).coding.encode(vectors)
        count = slices(self.target.macro, self.target.cell, self._weight_bits)
        shape = (len(codes), *self._sums_shape(codes), count, self.shape[0])
        found = np.zeros(shape, np.int32)
        for block in self.placed.blocks:
            tile, part = self.placed.tiles[block.index], _spread(codes, inputs, block.rows)
            read = conversions(self._arrays, block.index, tile, self.target, part)
            for group, phase, digit, sums in read:
                at = self._first_group(block) + group
                found[:, at, phase, digit, block.cols] = sums // self.step
        return found

    @property
    def step(self) -> int:
        """What one code of a converter is worth, in units of one digit product."""
        shift = self._ready(False).shift
        return 1 if self.fidelity is Fidelity.EXACT or shift is None else 1 << shift

    def converter_range(self) -> tuple[int, int] | None:
        """Return the first and the last code of the converters; None where they never clip."""
        return None if self.fidelity is Fidelity.EXACT else code_range(self.target.macro)

    @property
    def scales(self) -> Floats:
        """What one unit of a weight's code is worth (outputs,)."""
        return self._scales

    def direction(self) -> Direction:
        """Return how products that are not transposed are driven and converted."""
        return self._ready(False)

    def _ready(self, transposed: bool) -> Direction:
        """Return a direction that can multiply."""
        if transposed and self.fidelity not in _BOTH_WAYS:
            message = f"at `{self.fidelity}` cells are read from their word lines only"
            help = "multiply with a crossbar of the transposed matrix, or at `device`"
            raise error("crossbar-direction", message, help)
        direction = self._directions[transposed]
        if direction.shift is None and self.fidelity is not Fidelity.EXACT:
            name = "A.T.calibrate(y)" if transposed else "A.calibrate(x)"
            message = f"the converters of `{self.target.name}` have no range yet"
            help = f"call `{name}` with typical vectors, or set `macro__adc__range='full_scale'`"
            raise error("crossbar-range", message, help)
        return direction

    def _turn(self, block: Block, direction: Direction) -> TransposedTile:
        index = block.index
        if index not in self._turned:
            tile, shift = self.placed.tiles[index], direction.shift or 0
            self._turned[index] = TransposedTile(self._arrays, index, tile, self.target, shift)
        return self._turned[index]

    def _configure(self) -> None:
        direction = self._directions[False]
        self.placed.configure(direction.shift or 0, direction.coding.signed)

    def _width(self) -> int:
        return physical_columns(self.target.macro, self.target.cell, self._weight_bits)

    def _sums_shape(self, codes: NDArray[Any]) -> tuple[int, int]:
        """Return the row groups of all word lines together, and the phases of some codes."""
        macro, rows = self.target.macro, self.shape[1]
        groups = rows // macro.rows * row_groups(macro, macro.rows)
        bits = self._directions[False].coding.bits
        phase_count = len(phases(macro, bits, codes.dtype == np.int8))
        return groups + row_groups(macro, rows % macro.rows), phase_count

    def _first_group(self, block: Block) -> int:
        macro = self.target.macro
        return block.rows.start // macro.rows * row_groups(macro, macro.rows)

    def _gathered(self, part: Callable[[Block, NDArray[Any]], Floats], width: int) -> Floats:
        """Put together what is made of each block (inputs, outputs * width)."""
        found = np.zeros((self.shape[1], self.shape[0] * width))
        for block, content in self.contents():
            columns = slice(block.cols.start * width, block.cols.stop * width)
            found[block.rows, columns] = part(block, content)
        return found


def _known_shift(target: Target, coding: InputCoding) -> int | None:
    """Return the step of converters that need no calibration."""
    full = full_scale_shift(target.macro, target.cell, coding.bits, coding.signed)
    return None if full and target.macro.adc.range is RangePolicy.CALIBRATED else full


def _within(lines: Lines, span: slice) -> tuple[Lines, Lines]:
    """Return which of some lines lie in a span, and where in it."""
    found = np.flatnonzero((lines >= span.start) & (lines < span.stop))
    return found, lines[found] - span.start


def _spread(codes: NDArray[Any], lines: Lines, span: slice) -> NDArray[Any]:
    """Return what drives each line of a span (batch, lines of the span); 0 those left out."""
    found, to = _within(lines, span)
    part = np.zeros((len(codes), span.stop - span.start), codes.dtype)
    part[:, to] = codes[:, found]
    return part
