"""The two ways to read the cells of a matrix: from the word lines, and from the bit lines."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple, Protocol, final

import numpy as np
from numpy.typing import NDArray

from mcc.ir.hardware import RangePolicy, Target
from mcc.ir.hardware.conversion import full_scale_shift
from mcc.ir.hardware.encoding import sum_values
from mcc.runtime.amperes import LineCurrents
from mcc.runtime.arrays import ProgrammedArrays
from mcc.runtime.converters.periphery import IDEAL
from mcc.runtime.devices import Read
from mcc.runtime.operands import InputCoding
from mcc.runtime.placement import Block, Placed
from mcc.runtime.probes import ProbedTile
from mcc.runtime.steps import best_shift, best_transposed_shift
from mcc.runtime.transposed import (
    Drive,
    TransposedTile,
    Turn,
    TurnedCells,
    reads,
    transposed_target,
    turned_cells,
)


class Part(NamedTuple):
    """Some of what is seen of a matrix."""

    group: int
    """Of the driven lines of the block."""
    phase: int
    """Phase of an input; step, for codes."""
    sums: slice
    """Which analog sums, or reads, of a result."""
    lines: slice
    """Which of the sensed lines of the matrix; bit lines are several to a result."""
    values: NDArray[Any]
    """(inputs, sums, lines)."""


class Direction(Protocol):
    """One way to drive the cells, and what is sensed at the other ends."""

    target: Target
    """The macro, its rows being the lines that are driven."""
    coding: InputCoding
    """How vectors become codes."""
    shift: int | None
    """Logarithm of the converters' step; None while it is to be calibrated."""

    @property
    def sums(self) -> int:
        """Conversions of a step that make one result."""
        ...

    @property
    def reads(self) -> int:
        """How often a line carries a current in a phase."""
        ...

    def driven(self, block: Block) -> slice:
        """Return the inputs or outputs of the matrix that are driven at a block."""
        ...

    def sensed(self, block: Block) -> slice:
        """Return the inputs or outputs of the matrix that are sensed at a block."""
        ...

    def best_shift(self, codes: NDArray[Any]) -> int:
        """Return the step with the least error on codes (batch, driven)."""
        ...

    def multiply(self, block: Block, codes: NDArray[Any]) -> NDArray[Any]:
        """Return the sums (batch, sensed) of codes (batch, driven) on one block."""
        ...

    def codes(self, block: Block, codes: NDArray[Any]) -> Iterator[Part]:
        """Yield what the codes of all conversions are worth, each a read of its own."""
        ...

    def currents(self, block: Block, codes: NDArray[Any]) -> Iterator[Part]:
        """Yield mean currents in amperes."""
        ...

    def change(self) -> None:
        """Forget what was made of cells that have changed."""
        ...


@final
class FromWordLines:
    """Inputs drive word lines, outputs are sensed at bit lines: as in programs."""

    def __init__(
        self, placed: Placed, arrays: ProgrammedArrays, coding: InputCoding, weight_bits: int
    ) -> None:
        """Take the cells of a matrix."""
        self.target, self.coding = placed.target, coding
        self.shift = known_shift(self.target, coding)
        self._placed, self._arrays, self._weight_bits = placed, arrays, weight_bits
        self._probed: dict[int, ProbedTile] = {}

    @property
    def sums(self) -> int:
        """Analog sums of a weight."""
        return len(sum_values(self.target.macro, self.target.cell, self._weight_bits))

    @property
    def reads(self) -> int:
        """One: all bit lines carry currents at once."""
        return 1

    def driven(self, block: Block) -> slice:
        """Return the inputs of a block."""
        return block.rows

    def sensed(self, block: Block) -> slice:
        """Return the outputs of a block."""
        return block.cols

    def best_shift(self, codes: NDArray[Any]) -> int:
        """Return the step with the least error on codes (batch, inputs)."""
        return best_shift(self._placed, codes)

    def multiply(self, block: Block, codes: NDArray[Any]) -> NDArray[np.int32]:
        """Return the sums (batch, outputs) of codes (batch, inputs) on one block."""
        return self._arrays.multiply(block.index, codes)

    def codes(self, block: Block, codes: NDArray[Any]) -> Iterator[Part]:
        """Yield what the codes of all conversions are worth, each a read of its own."""
        index = block.index
        if index not in self._probed:
            tile, content = self._placed.tiles[index], self._arrays.seen(index)
            self._probed[index] = ProbedTile(self._arrays, index, tile, self.target, content)
        for group, step, values in self._probed[index].read(codes):
            yield Part(group, step, slice(None), block.cols, values)

    def currents(self, block: Block, codes: NDArray[Any]) -> Iterator[Part]:
        """Yield mean currents of bit lines in amperes."""
        tile, content = self._placed.tiles[block.index], self._arrays.seen(block.index)
        periphery, solved = IDEAL, None
        if isinstance(content, Read):
            periphery = self._arrays.periphery(tile, self.target)
            solved = self._arrays.currents(tile, self.target, content, periphery)
        fidelity = self._arrays.fidelity
        lines = LineCurrents(tile, self.target, fidelity, content, periphery, solved)
        columns = self._placed.columns(block)
        for group, phase, amperes in lines.of(codes):
            yield Part(group, phase, slice(1), columns, amperes[:, None])

    def change(self) -> None:
        """Forget the tiles that were probed."""
        self._probed.clear()

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what is made anew from the cells, and cannot be copied."""
        return {**self.__dict__, "_probed": {}}


@final
class FromBitLines:
    """Outputs drive bit lines, inputs are sensed at word lines: transposed products.

    The columns of a weight are driven in turn; each turn is a read.
    """

    def __init__(
        self, placed: Placed, arrays: ProgrammedArrays, coding: InputCoding, weight_bits: int
    ) -> None:
        """Take the cells of a matrix."""
        self.target, self.coding = transposed_target(placed.target), coding
        self.shift = known_shift(self.target, coding)
        self._placed, self._arrays, self._weight_bits = placed, arrays, weight_bits
        self._turned: dict[int, TransposedTile] = {}
        self._probed: dict[int, list[tuple[Turn, ProbedTile]]] = {}

    @property
    def sums(self) -> int:
        """Turns of a weight."""
        return reads(self._placed.target, self._weight_bits)

    @property
    def reads(self) -> int:
        """Turns of a weight."""
        return self.sums

    def driven(self, block: Block) -> slice:
        """Return the outputs of a block."""
        return block.cols

    def sensed(self, block: Block) -> slice:
        """Return the inputs of a block."""
        return block.rows

    def best_shift(self, codes: NDArray[Any]) -> int:
        """Return the step with the least error on codes (batch, outputs)."""
        return best_transposed_shift(self._placed, codes)

    def multiply(self, block: Block, codes: NDArray[Any]) -> NDArray[np.int64]:
        """Return the sums (batch, inputs) of codes (batch, outputs) on one block."""
        index = block.index
        if index not in self._turned:
            tile, target = self._placed.tiles[index], self._placed.target
            self._turned[index] = TransposedTile(self._arrays, index, tile, target, self._drive())
            self._arrays.forget(index)
        return self._turned[index].multiply(codes)

    def codes(self, block: Block, codes: NDArray[Any]) -> Iterator[Part]:
        """Yield what the codes of all conversions are worth, each a read of its own."""
        index = block.index
        if index not in self._probed:
            self._probed[index] = [
                (
                    it.turn,
                    ProbedTile(self._arrays, index, it.tile, self.target, it.cells, it.periphery),
                )
                for it in self._turns(block)
            ]
        for turn, probe in self._probed[index]:
            for group, step, values in probe.read(turn.of(codes)):
                yield self._part(block, turn, group, step, values)

    def currents(self, block: Block, codes: NDArray[Any]) -> Iterator[Part]:
        """Yield mean currents of word lines in amperes, out of the array."""
        fidelity = self._arrays.fidelity
        for it in self._turns(block):
            lines = LineCurrents(
                it.tile, self.target, fidelity, it.cells, it.periphery, turned=True
            )
            for group, phase, amperes in lines.of(it.turn.of(codes)):
                yield self._part(block, it.turn, group, phase, amperes[:, None])

    def change(self) -> None:
        """Forget the tiles that were read."""
        self._turned.clear()
        self._probed.clear()

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what is made anew from the cells, and cannot be copied."""
        return {**self.__dict__, "_turned": {}, "_probed": {}}

    def _turns(self, block: Block) -> Iterator[TurnedCells]:
        tile, target = self._placed.tiles[block.index], self._placed.target
        return turned_cells(self._arrays, block.index, tile, target, self._drive())

    def _drive(self) -> Drive:
        return Drive(self.coding.signed, self.shift or 0)

    def _part(self, block: Block, turn: Turn, group: int, phase: int, values: NDArray[Any]) -> Part:
        first = block.rows.start + turn.lines.start
        lines = slice(first, first + values.shape[-1])
        return Part(group, phase, slice(turn.read, turn.read + 1), lines, values)


def known_shift(target: Target, coding: InputCoding) -> int | None:
    """Return the step of converters that need no calibration."""
    full = full_scale_shift(target.macro, target.cell, coding.bits, coding.signed)
    return None if full and target.macro.adc.range is RangePolicy.CALIBRATED else full
