"""A real matrix in the cells of a chip, and its products in both directions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from mcc.ir.diagnostics import error
from mcc.ir.hardware import RangePolicy, Target
from mcc.ir.hardware.conversion import code_range, full_scale_shift
from mcc.ir.hardware.encoding import row_groups, sum_values
from mcc.ir.hardware.phases import phases, steps
from mcc.runtime.analog import AnalogTile
from mcc.runtime.arrays import Content, Fidelity, ProgrammedArrays
from mcc.runtime.converters.periphery import periphery_of
from mcc.runtime.crossbar_limits import check_codes, check_matrix, check_transposed
from mcc.runtime.devices import NOW, Conditions
from mcc.runtime.operands import Floats, InputCoding, encode_weights
from mcc.runtime.placement import Block, Lines, place, spread, within
from mcc.runtime.probes import (
    Digits,
    ProbedTile,
    digits_of,
    drives,
    effective_weights,
    read_of,
    whole_digits,
    whole_target,
)
from mcc.runtime.random import MacroPlace
from mcc.runtime.steps import best_shift, best_transposed_shift
from mcc.runtime.transposed import TransposedTile, transposed_target
from mcc.runtime.wires.trimmed import Trimmed


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
        stuck: Mapping[tuple[int, int], NDArray[np.uint8]] | None = None,
    ) -> None:
        """Program finite weights (outputs, inputs).

        Raises:
            MccError: `option-value`, `seed-invalid`, `crossbar-size`, `stuck-map`.
        """
        self.target, self.fidelity, self.seed = target, fidelity, seed
        self.changes = 0
        """How often what the cells do was changed: by writes, ageing and calibration."""
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
        self._probed: dict[int, ProbedTile] = {}
        self._arrays = ProgrammedArrays(self.placed, fidelity, seed, threads, NOW, stuck)

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what is made anew from the cells, and cannot be copied."""
        return {**self.__dict__, "_turned": {}, "_probed": {}}

    def multiply(self, vectors: Floats, outputs: Lines, inputs: Lines) -> Floats:
        """Return the products (batch, outputs) of vectors (batch, inputs) with a block."""
        direction = self._ready(False)
        codes, scales = direction.coding.encode(vectors)
        totals = np.zeros((len(codes), len(outputs)), np.int64)
        for block in self.placed.blocks:
            to, kept = within(outputs, block.cols)
            if to.size and within(inputs, block.rows)[0].size:
                part = spread(codes, inputs, block.rows)
                totals[:, to] += self._arrays.multiply(block.index, part)[:, kept]
        return totals * scales * self._scales[outputs]

    def multiply_transposed(self, vectors: Floats, inputs: Lines, outputs: Lines) -> Floats:
        """Return the products (batch, inputs) of vectors (batch, outputs) with a block."""
        direction = self._ready(True)
        codes, scales = direction.coding.encode(vectors * self._scales[outputs])
        totals = np.zeros((len(codes), len(inputs)), np.int64)
        for block in self.placed.blocks:
            to, kept = within(inputs, block.rows)
            if to.size and within(outputs, block.cols)[0].size:
                part = spread(codes, outputs, block.cols)
                totals[:, to] += self._turn(block, direction).multiply(part)[:, kept]
        return totals * scales

    def program(self, weights: Floats | None = None) -> None:
        """Write all cells again, of new weights of the same shape or of the same ones."""
        if weights is not None:
            codes, self._scales = encode_weights(weights, self._weight_bits)
            self.placed.write(codes.T)
        for index, image in enumerate(self.placed.images):
            self._arrays.reprogram(image.core, image.macro, index)
        self._change()
        self.writes += 1

    def age(self, conditions: Conditions) -> None:
        """Read all cells under other conditions from now on."""
        self._arrays.age(conditions)
        self._change()

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
            codes = spread(coding.encode(vectors)[0], lines, slice(0, size))
            direction.shift = find(self.placed, codes)
        self._configure()
        self._arrays.refresh()
        self._change()

    def weights(self) -> Floats:
        """Return the weights (outputs, inputs) that were written, rounded to their codes."""
        found = np.zeros(self.shape)
        for block in self.placed.blocks:
            found[block.cols, block.rows] = self.placed.codes(block).T
        return found * self._scales[:, None]

    def effective(self) -> Floats:
        """Return the weights (outputs, inputs) by which the cells multiply on average.

        They are those between ideal drivers and converters.

        Raises:
            MccError: `crossbar-model`: no matrix does what the cells do.
        """
        check_matrix(self.target, self.fidelity, "the matrix of the cells")
        if self.fidelity is Fidelity.EXACT:
            return self.weights()
        found = np.zeros(self.shape)
        for block, content in self.contents():
            part = effective_weights(self.placed.tiles[block.index], self.target, content)
            found[block.cols, block.rows] = part.T
        return found * self._scales[:, None]

    def conductances(self) -> Floats:
        """Return the conductances of the cells in siemens (inputs, physical columns)."""

        def siemens(block: Block) -> Floats:
            return read_of(self._arrays.content(block.index), self.target.cell).siemens

        return self._gathered(siemens, np.float64)

    def stuck(self) -> NDArray[np.uint8]:
        """Return which cells are stuck or worn out: 0 free, 1 low, 2 high, shaped as they are."""

        def stuck(block: Block) -> NDArray[np.uint8]:
            image = self.placed.images[block.index]
            return self.placed.region(self._arrays.stuck_map(image.core, image.macro), block)

        if not self.fidelity.real_cells:
            return np.zeros((self.shape[1], self._columns()), np.uint8)
        return self._gathered(stuck, np.uint8)

    @property
    def digit_target(self) -> Target:
        """The chip by which `digits` become weights.

        At `exact` it has one way to write a whole number, and no column is flipped.
        """
        return whole_target(self.target) if self.fidelity is Fidelity.EXACT else self.target

    def digits(self) -> Iterator[tuple[Block, Digits]]:
        """Yield the weight and the variance of a read of each analog sum's cells (rows, sums).

        The weights of each block are rounded as in products; at `exact` they are the digits of the
        whole numbers that the cells stand for.
        """
        for block, content in self.contents():
            tile = self.placed.tiles[block.index]
            if self.fidelity is Fidelity.EXACT:
                codes = self.placed.codes(block)
                yield block, (whole_digits(codes, self.digit_target, tile.weight_bits), None)
                continue
            ready = self._arrays.build(tile, self.target, content)
            weights, variances = digits_of(content, self.target)
            yield (
                block,
                (ready.held(weights) if isinstance(ready, AnalogTile) else weights, variances),
            )

    def contents(self) -> Iterator[tuple[Block, Content]]:
        """Yield the cells of each block (rows, physical columns) as converters see them."""
        for block in self.placed.blocks:
            yield block, self._arrays.seen(block.index)

    def currents(self, vectors: Floats, inputs: Lines) -> Floats:
        """Return the mean currents of the bit lines for one volt per unit of a digit.

        Returns:
            Amperes (batch, row groups, phases, physical columns).

        Raises:
            MccError: `crossbar-model`, `crossbar-range`.
        """
        check_matrix(self.target, self.fidelity, "currents")
        direction = self._ready(False)
        codes, _ = direction.coding.encode(vectors)
        count = len(phases(self.target.macro, direction.coding.bits, direction.coding.signed))
        found = np.zeros((len(codes), self._groups(), count, self._columns()))
        for block, content in self.contents():
            tile, siemens = self.placed.tiles[block.index], self._siemens_seen(content)
            to = self.placed.columns(block)
            part = spread(codes, inputs, block.rows)
            for group, phase, rows, drive in drives(tile, self.target, part, self._levels(block)):
                found[:, self._first_group(block) + group, phase, to] = drive @ siemens[rows]
        return found

    def codes(self, vectors: Floats, inputs: Lines) -> NDArray[np.int32]:
        """Return what every converter says, each as a read of its own.

        Returns:
            Codes (batch, row groups, conversions of an input, sums of a weight, outputs); whole
            sums at `exact`.

        Raises:
            MccError: `crossbar-model`, `crossbar-range`.
        """
        check_codes(self.target, self.fidelity)
        macro, direction = self.target.macro, self._ready(False)
        codes, _ = direction.coding.encode(vectors)
        count = len(steps(macro, direction.coding.bits, direction.coding.signed))
        sums = len(sum_values(macro, self.target.cell, self._weight_bits))
        found = np.zeros((len(codes), self._groups(), count, sums, self.shape[0]), np.int32)
        for block in self.placed.blocks:
            part = spread(codes, inputs, block.rows)
            for group, index, values in self._probe(block).read(part):
                at = self._first_group(block) + group
                found[:, at, index, :, block.cols] = values // self.step
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
        if transposed:
            check_transposed(self.target, self.fidelity)
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
            tile = self.placed.tiles[index]
            shift = None if self.fidelity is Fidelity.EXACT else direction.shift or 0
            self._turned[index] = TransposedTile(self._arrays, index, tile, self.target, shift)
        return self._turned[index]

    def _probe(self, block: Block) -> ProbedTile:
        index = block.index
        if index not in self._probed:
            tile = self.placed.tiles[index]
            self._probed[index] = ProbedTile(self._arrays, index, tile, self.target)
        return self._probed[index]

    def _change(self) -> None:
        """Forget what was made of the cells before they changed."""
        self._turned.clear()
        self._probed.clear()
        self.changes += 1

    def _configure(self) -> None:
        direction = self._directions[False]
        self.placed.configure(direction.shift or 0, direction.coding.signed)

    def _columns(self) -> int:
        """Return the physical columns of all columns of blocks together."""
        return max((self.placed.columns(it).stop for it in self.placed.blocks), default=0)

    def _groups(self) -> int:
        """Return the row groups of all word lines together."""
        macro, rows = self.target.macro, self.shape[1]
        groups = rows // macro.rows * row_groups(macro, macro.rows)
        return groups + row_groups(macro, rows % macro.rows)

    def _first_group(self, block: Block) -> int:
        macro = self.target.macro
        return block.rows.start // macro.rows * row_groups(macro, macro.rows)

    def _siemens_seen(self, content: Content) -> Floats:
        """Return the current of each cell at the end of its bit line, for one volt at its row."""
        siemens = read_of(content, self.target.cell).siemens
        return Trimmed(self.target).seen(siemens) if self.fidelity is Fidelity.WIRE else siemens

    def _levels(self, block: Block) -> Floats | None:
        """Return the levels of the drivers of a block (rows, digits); None where they are exact."""
        if not self.fidelity.real_cells:
            return None
        image = self.placed.images[block.index]
        place = MacroPlace(self.seed, image.core, image.macro)
        return periphery_of(self.target.macro, place).levels

    def _gathered(self, part: Callable[[Block], NDArray[Any]], kind: Any) -> NDArray[Any]:
        """Put together what is made of each block (inputs, physical columns)."""
        found = np.zeros((self.shape[1], self._columns()), kind)
        for block in self.placed.blocks:
            found[block.rows, self.placed.columns(block)] = part(block)
        return found


def _known_shift(target: Target, coding: InputCoding) -> int | None:
    """Return the step of converters that need no calibration."""
    full = full_scale_shift(target.macro, target.cell, coding.bits, coding.signed)
    return None if full and target.macro.adc.range is RangePolicy.CALIBRATED else full
