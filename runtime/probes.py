"""What can be seen inside a tile: its weights as written, its currents, its conversions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from mcc.ir.hardware import (
    Accumulation,
    Cell,
    Differential,
    Encoding,
    Reference,
    Subtraction,
    Target,
)
from mcc.ir.hardware.encoding import (
    against_reference,
    encode,
    has_reference,
    paired,
    row_groups,
    sum_digits,
    sum_values,
    weight_offset,
)
from mcc.ir.hardware.phases import steps
from mcc.ir.hardware.significance import largest_digit
from mcc.ir.program.tables import Tile
from mcc.runtime.analog import AnalogTile, as_resistors, digits_and_variances
from mcc.runtime.arrays import ArrayTile, Content, ProgrammedArrays
from mcc.runtime.converters.periphery import Periphery
from mcc.runtime.devices import Read, target_siemens
from mcc.runtime.fidelity import Fidelity
from mcc.runtime.reads import WIDEST_INPUT
from mcc.runtime.wires.currents import GatedCurrents
from mcc.runtime.wires.solved import SolvedCurrents
from mcc.runtime.wires.trimmed import Trimmed

Digits = tuple[NDArray[np.float32], NDArray[np.float32] | None]
"""Weights of the cells of analog sums in digits (rows, sums), and variances of a read if noisy."""


def read_of(content: Content, cell: Cell) -> Read:
    """Return what reads find in cells, whether given as such or by their states."""
    return content if isinstance(content, Read) else Read(target_siemens(content, cell), None)


def at_full_drive(
    content: Content,
    target: Target,
    fidelity: Fidelity,
    solved: GatedCurrents | SolvedCurrents | None = None,
) -> Content:
    """Return the resistors that the cells of a tile are to converters at the highest digit.

    Args:
        content: The cells as converters see them.
        target: The macro.
        fidelity: What the cells are.
        solved: What solves every input for itself.
    """
    if not isinstance(content, Read):
        return content
    if fidelity is Fidelity.DEVICE:
        return as_resistors(content, target)
    if solved is not None:
        return Read(Trimmed(target).conductances(solved.shares()), None)
    return content


def digits_of(content: Content, target: Target) -> Digits:
    """Return the weight and the variance of a read of each analog sum's cells (rows, sums)."""
    return digits_and_variances(read_of(content, target.cell), target)


def whole_target(target: Target) -> Target:
    """Return the target with one way to write a whole number, no column flipped, no reference."""
    changes: dict[str, bool | str] = {"macro.column_flip": False}
    if has_reference(target.macro):
        changes |= {"macro.reference": Reference.DIGITAL.value}
        changes |= {"macro.subtraction": Subtraction.BEFORE.value}
    return without_redundancy(target).with_values(changes, "whole weights")


def whole_digits(codes: NDArray[np.int8], target: Target, weight_bits: int) -> NDArray[np.float32]:
    """Return the digits of whole weights (rows, cols) in the sums of a whole target."""
    cells = encode(codes, target.macro, target.cell, weight_bits).cells
    sums = len(sum_values(target.macro, target.cell, weight_bits))
    return sum_digits(cells.astype(np.float32), target.macro, sums)


def effective_weights(tile: Tile, target: Target, content: Content) -> NDArray[np.float64]:
    """Return the weights (rows, cols) by which the cells of a tile multiply on average."""
    macro, cell = target.macro, target.cell
    digits = digits_of(content, target)[0].astype(np.float64)
    flips = tile.flipped(row_groups(macro, tile.rows), digits.shape[1])
    of_rows = np.repeat(flips, macro.active_rows, axis=0)[: tile.rows]
    digits = np.where(of_rows, largest_digit(cell) - digits, digits)
    values = sum_values(macro, cell, tile.weight_bits)
    weights = digits.reshape(tile.rows, -1, len(values)) @ values
    if has_reference(macro):
        return against_reference(weights, 1)
    return weights - weight_offset(macro, tile.weight_bits)


@final
class ProbedTile:
    """The cells of one tile, with every analog sum as a column of weights of its own.

    The very kernels of a product read them, one row group and one conversion of it at a time, with
    the converters and drivers of the tile.
    """

    def __init__(
        self,
        arrays: ProgrammedArrays,
        index: int,
        tile: Tile,
        target: Target,
        content: Content,
        periphery: Periphery | None = None,
    ) -> None:
        """Make cells (rows, physical columns) of these arrays ready.

        Args:
            arrays: All macros.
            index: The tile as whose reads these count.
            tile: Where the cells lie and how they are driven.
            target: The macro.
            content: The cells as converters see them.
            periphery: What surrounds them; that of the macro if None.
        """
        self._arrays, self._index, self._tile, self._target = arrays, index, tile, target
        macro, cell = target.macro, target.cell
        self._analog = macro.accumulation is Accumulation.ANALOG
        self._steps = steps(macro, tile.input_bits, tile.input_signed)
        self._signed = tile.input_signed if self._analog else self._steps[0].phases[0].signed
        plain = without_redundancy(target) if paired(macro) else without_pairs(target)
        self._sums = len(sum_values(macro, cell, tile.weight_bits))
        bits = tile.input_bits if self._analog else macro.dac_bits
        if self._signed and not self._analog and not isinstance(content, Read):
            # Where cells are ideal, kernels take the sign of a digit for one of its bits.
            bits = min(bits + 1, WIDEST_INPUT)
            plain = plain.with_values({"macro.dac_bits": bits}, "digits with their sign")
        one = replace(
            tile,
            cols=tile.cols * self._sums,
            weight_bits=cell.bits + paired(macro),
            input_bits=bits,
            input_signed=self._signed,
            flips=b"",
        )
        self._surplus = weight_offset(plain.macro, one.weight_bits)
        self._ready: list[ArrayTile] = []
        whole = arrays.build(tile, target, content, periphery)
        cells = content
        if isinstance(whole, AnalogTile):
            cells = at_full_drive(content, target, arrays.fidelity)
        weights, variances = digits_of(cells, target)
        for rows in groups_of(tile, target):
            group = replace(one, row=tile.row + rows.start, rows=rows.stop - rows.start)
            if isinstance(whole, AnalogTile):
                # A group alone could be held in finer steps than in products.
                held = whole.held(weights)[rows]
                spread = None if variances is None else variances[rows]
                around = periphery or arrays.periphery(tile, target)
                self._ready.append(AnalogTile(group, plain, held, spread, around))
            else:
                self._ready.append(arrays.build(group, plain, content[rows], periphery))

    def read(self, codes: NDArray[Any]) -> Iterator[tuple[int, int, NDArray[np.int32]]]:
        """Yield row group, conversion, and what its codes are worth (inputs, sums, cols).

        Each is a read of its own. Where converters never round, these are the sums themselves, in
        units of one digit product.
        """
        outputs = self._tile.cols
        for group, rows in enumerate(groups_of(self._tile, self._target)):
            for index, step in enumerate(self._steps):
                drive = codes[:, rows] if self._analog else step.drive(codes[:, rows])
                drive = drive.astype(np.int8 if self._signed else np.uint8)
                sums = self._arrays.read(self._index, self._ready[group], drive)
                sums = sums + self._surplus * drive.sum(axis=1, dtype=np.int32)[:, None]
                yield group, index, sums.reshape(len(codes), outputs, self._sums).swapaxes(1, 2)


def without_redundancy(target: Target) -> Target:
    """Return the target with one way to write a number, in which a digit has one slice."""
    changes = {"macro.slice_overlap": 0.0, "macro.guard_slices": 0}
    return target.with_values(changes, "digits without redundancy")


def without_pairs(target: Target) -> Target:
    """Return the target as it is for columns that are read one by one, none of them flipped."""
    changes = {
        "macro.encoding": Encoding.OFFSET.value,
        "macro.subtraction": Subtraction.BEFORE.value,
        "macro.differential": Differential.ONE_SIDED.value,
        "macro.reference": Reference.DIGITAL.value,
        "macro.column_flip": False,
        "wires.interleaved": False,
    }
    return without_redundancy(target).with_values(changes, "columns read one by one")


def groups_of(tile: Tile, target: Target) -> list[slice]:
    """Return the rows of each group."""
    step = target.macro.active_rows
    return [slice(first, min(first + step, tile.rows)) for first in range(0, tile.rows, step)]
