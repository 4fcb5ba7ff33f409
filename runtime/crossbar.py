"""A real matrix in the cells of a chip, and its products in both directions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from mcc.ir.diagnostics import error
from mcc.ir.hardware import RangePolicy, Target
from mcc.ir.hardware.conversion import code_range
from mcc.ir.hardware.encoding import row_groups
from mcc.ir.hardware.phases import phases, steps
from mcc.runtime.arrays import ProgrammedArrays
from mcc.runtime.converters.periphery import IDEAL, Periphery
from mcc.runtime.crossbar_cells import conductances, mean_codes, stuck, terms_of, written_codes
from mcc.runtime.crossbar_limits import check_codes, check_transposed, resistive_lines
from mcc.runtime.currents import Terms
from mcc.runtime.devices import NOW, Conditions
from mcc.runtime.directions import Direction, FromBitLines, FromWordLines
from mcc.runtime.fidelity import Fidelity
from mcc.runtime.operands import Floats, InputCoding, encode_weights
from mcc.runtime.placement import Block, Lines, place, spread, within
from mcc.runtime.probes import whole_target


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
        self.rewinds, self.layers = 0, 0
        """How often reads were numbered from 0 again, and how many torch layers there are."""
        self._first_macro = first_macro
        self.shape: tuple[int, int] = (weights.shape[0], weights.shape[1])
        self.writes = 1
        codes, self.scales = encode_weights(weights, weight_bits)
        self._weight_bits = weight_bits
        self._means: dict[int, Floats] = {}
        """What the cells of blocks multiply by on average (inputs, outputs), if it was found."""
        self.placed = place(
            (self.shape[1], self.shape[0]),
            target,
            weight_bits=weight_bits,
            input_bits=coding.bits,
            first_macro=first_macro,
        )
        self.placed.write(codes.T)
        self._arrays = ProgrammedArrays(self.placed, fidelity, seed, threads, NOW, stuck)
        cells = (self.placed, self._arrays)
        self._directions: dict[bool, Direction] = {
            False: FromWordLines(*cells, coding, weight_bits),
            True: FromBitLines(*cells, InputCoding(coding.bits), weight_bits),
        }
        self._configure()

    def multiply(self, vectors: Floats, sensed: Lines, driven: Lines, transposed: bool) -> Floats:
        """Return the products of vectors with a block.

        Args:
            vectors: (batch, driven).
            sensed: The outputs that are asked for; transposed: the inputs.
            driven: The inputs that take part; transposed: the outputs.
            transposed: Whether outputs drive bit lines and inputs are sensed at word lines.

        Returns:
            (batch, sensed).

        Raises:
            MccError: `crossbar-direction`, `crossbar-range`.
        """
        direction = self.direction(transposed)
        codes, scales = self._encode(vectors, driven, transposed)
        totals = np.zeros((len(codes), len(sensed)), np.int64)
        for block in self.placed.blocks:
            to, kept = within(sensed, direction.sensed(block))
            if to.size and within(driven, direction.driven(block))[0].size:
                part = spread(codes, driven, direction.driven(block))
                if resistive_lines(self.target, self.fidelity) and not transposed:
                    self._mean(block)  # of the lines that the product forgets once it has them
                totals[:, to] += direction.multiply(block, part)[:, kept]
        products = totals * scales
        return products if transposed else products * self.scales[sensed]

    def program(self, weights: Floats | None = None) -> None:
        """Write all cells again, of new weights of the same shape or of the same ones."""
        if weights is not None:
            codes, self.scales = encode_weights(weights, self._weight_bits)
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
        self.rewinds += 1
        self._arrays.rewind()

    @property
    def places(self) -> set[tuple[int, int]]:
        """Core and macro of every macro that holds a part of it."""
        return {(image.core, image.macro) for image in self.placed.images}

    @property
    def place(self) -> int:
        """The first macro, counted through the cores."""
        return self._first_macro

    def calibrate(self, vectors: Floats, transposed: bool, driven: Lines) -> None:
        """Fix the input range, and the converters' step where the target's policy asks for it.

        Args:
            vectors: What later inputs are like (batch, driven), at least one.
            transposed: Which direction of products they are of.
            driven: The inputs (transposed: outputs) that they drive.
        """
        if transposed:
            check_transposed(self.target, self.fidelity)
            vectors = vectors * self.scales[driven]
        direction = self._directions[transposed]
        low, high = float(vectors.min(initial=0)), float(vectors.max(initial=0))
        coding = InputCoding(direction.coding.bits, (low, high) if low < high else (0.0, 1.0))
        direction.coding = coding
        if self.target.macro.adc.range is RangePolicy.CALIBRATED:
            size = self.shape[0] if transposed else self.shape[1]
            codes = spread(coding.encode(vectors)[0], driven, slice(0, size))
            direction.shift = direction.best_shift(codes)
        self._configure()
        self._arrays.refresh()
        self._change()

    def weights(self) -> Floats:
        """Return the weights (outputs, inputs) that were written, rounded to their codes."""
        return written_codes(self.placed, self.shape) * self.scales[:, None]

    def effective(self) -> Floats:
        """Return the weights (outputs, inputs) by which the cells multiply on average.

        See `mean_codes`; they are found once, until the cells change.
        """
        found = np.empty(self.shape)
        for block in self.placed.blocks:
            found[block.cols, block.rows] = self._mean(block).T
        return found * self.scales[:, None]

    def conductances(self) -> Floats:
        """Return the conductances of the cells in siemens (inputs, physical columns)."""
        return conductances(self.placed, self._arrays, self.shape[1], self._columns())

    def stuck(self) -> NDArray[np.uint8]:
        """Return which cells are stuck or worn out: 0 free, 1 low, 2 high, shaped as they are."""
        return stuck(self.placed, self._arrays, self.shape[1], self._columns())

    @property
    def digit_target(self) -> Target:
        """The chip by which `terms` become weights.

        At `exact` it has one way to write a whole number, and no column is flipped.
        """
        return whole_target(self.target) if self.fidelity is Fidelity.EXACT else self.target

    def terms(self) -> Iterator[tuple[Block, Terms, Periphery]]:
        """Yield each block: its analog sums as products, and what surrounds them."""
        for block in self.placed.blocks:
            tile = self.placed.tiles[block.index]
            real = self.fidelity.real_cells
            periphery = self._arrays.periphery(tile, self.target) if real else IDEAL
            yield block, terms_of(self.placed, self._arrays, block), periphery

    def currents(self, vectors: Floats, driven: Lines, transposed: bool) -> Floats:
        """Return the mean currents of the sensed lines in amperes.

        Returns:
            (batch, groups of driven lines, phases, physical columns); transposed
            (batch, groups, phases, turns of a weight, inputs).

        Raises:
            MccError: `crossbar-direction`, `crossbar-range`.
        """
        direction = self.direction(transposed)
        codes, _ = self._encode(vectors, driven, transposed)
        macro, coding = direction.target.macro, direction.coding
        count = len(phases(macro, coding.bits, coding.signed))
        lines = self.shape[1] if transposed else self._columns()
        shape = (len(codes), self._groups(direction), count, direction.reads, lines)
        found = np.zeros(shape)
        for block in self.placed.blocks:
            first = self._first_group(block, direction)
            for it in direction.currents(block, spread(codes, driven, direction.driven(block))):
                found[:, first + it.group, it.phase, it.sums, it.lines] = it.values
        return found if transposed else found[:, :, :, 0]

    def codes(self, vectors: Floats, driven: Lines, transposed: bool) -> NDArray[np.int32]:
        """Return what every converter says, each as a read of its own.

        Returns:
            Codes (batch, groups of driven lines, conversions of an input, sums of a weight,
            outputs), transposed (..., turns of a weight, inputs); whole sums at `exact`.

        Raises:
            MccError: `crossbar-direction`, `crossbar-model`, `crossbar-range`.
        """
        direction = self.direction(transposed)
        if not transposed:
            check_codes(self.target)
        codes, _ = self._encode(vectors, driven, transposed)
        macro, coding = direction.target.macro, direction.coding
        count = len(steps(macro, coding.bits, coding.signed))
        lines = self.shape[1] if transposed else self.shape[0]
        shape = (len(codes), self._groups(direction), count, direction.sums, lines)
        found, step = np.zeros(shape, np.int32), self.step(transposed)
        for block in self.placed.blocks:
            first = self._first_group(block, direction)
            for it in direction.codes(block, spread(codes, driven, direction.driven(block))):
                found[:, first + it.group, it.phase, it.sums, it.lines] = it.values // step
        return found

    def step(self, transposed: bool) -> int:
        """Return what one code of a converter is worth, in units of one digit product."""
        shift = self.direction(transposed).shift
        return 1 if self.fidelity is Fidelity.EXACT or shift is None else 1 << shift

    def converter_range(self, transposed: bool) -> tuple[int, int] | None:
        """Return the first and the last code of the converters; None where they never clip."""
        macro = self._directions[transposed].target.macro
        return None if self.fidelity is Fidelity.EXACT else code_range(macro)

    def direction(self, transposed: bool) -> Direction:
        """Return how products are driven and converted.

        Raises:
            MccError: `crossbar-direction`, `crossbar-range`.
        """
        if transposed:
            check_transposed(self.target, self.fidelity)
        direction = self._directions[transposed]
        if direction.shift is None and self.fidelity is not Fidelity.EXACT:
            name = "A.T.calibrate(y)" if transposed else "A.calibrate(x)"
            message = f"the converters of `{self.target.name}` have no range yet"
            help = f"call `{name}` with typical vectors, or set `macro__adc__range='full_scale'`"
            raise error("crossbar-range", message, help)
        return direction

    def _encode(
        self, vectors: Floats, driven: Lines, transposed: bool
    ) -> tuple[NDArray[Any], Floats]:
        """Return codes and scales of vectors, which carry the scales of outputs they drive."""
        scaled = vectors * self.scales[driven] if transposed else vectors
        return self._directions[transposed].coding.encode(scaled)

    def _mean(self, block: Block) -> Floats:
        index = block.index
        if index not in self._means:
            self._means[index] = mean_codes(self.placed, self._arrays, block)
        return self._means[index]

    def _change(self) -> None:
        """Forget what was made of the cells before they changed."""
        for direction in self._directions.values():
            direction.change()
        self._means.clear()
        self.changes += 1

    def _configure(self) -> None:
        direction = self._directions[False]
        self.placed.configure(direction.shift or 0, direction.coding.signed)

    def _columns(self) -> int:
        """Return the physical columns of all columns of blocks together."""
        return max((self.placed.columns(it).stop for it in self.placed.blocks), default=0)

    def _groups(self, direction: Direction) -> int:
        """Return the groups of all driven lines together."""
        macro, ends = (
            direction.target.macro,
            {(it.start, it.stop) for it in map(direction.driven, self.placed.blocks)},
        )
        return sum(row_groups(macro, stop - start) for start, stop in ends)

    def _first_group(self, block: Block, direction: Direction) -> int:
        """Return the groups of the driven lines before those of a block."""
        macro, start = direction.target.macro, direction.driven(block).start
        size = direction.driven(self.placed.blocks[0]).stop
        return start // size * row_groups(macro, size)
