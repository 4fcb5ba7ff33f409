"""One tile between source lines and bit lines: every input is a circuit of its own.

Which cells an input opens decides what the lines carry, so there is no matrix; each phase of each
input is solved, exactly and slowly.
"""

from __future__ import annotations

from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from mcc.ir.hardware import Encoding, Target
from mcc.ir.hardware.conversion import code_range
from mcc.ir.hardware.encoding import largest_digit, row_groups, slices
from mcc.ir.hardware.phases import Phase, phases
from mcc.ir.program.tables import Tile
from mcc.runtime import _kernels
from mcc.runtime.devices import Read, unit_siemens
from mcc.runtime.reads import Reads, without_offset
from mcc.runtime.wires.circuit import Floats
from mcc.runtime.wires.effective import Trimmed, driven_groups, through_switches
from mcc.runtime.wires.gated import SourceWires, gated_currents, gated_nodes

CHUNK = 2**20
"""Cells whose circuits are solved together, over inputs."""


@final
class GatedTile:
    """One tile in the cells of a programmed macro with source lines."""

    def __init__(self, tile: Tile, target: Target, cells: Read) -> None:
        """Take the cells (rows, physical columns) of the tile."""
        self._tile, self._target, self._macro = tile, target, target.macro
        self._seen, slopes = through_switches(cells.siemens, target.wires)
        self._deviations = None if cells.sigma is None else cells.sigma * slopes
        self._trimmed = Trimmed(target)
        self._flipped = tile.flipped(row_groups(target.macro, tile.rows), cells.shape[1])
        self._slices = slices(target.macro, target.cell, tile.weight_bits)

    def multiply(self, codes: NDArray[Any], reads: Reads) -> NDArray[np.int32]:
        """Return the sums (inputs, cols) of codes (inputs, rows)."""
        pair = 2 if self._macro.encoding is Encoding.DIFFERENTIAL else 1
        total = np.zeros((len(codes), self._seen.shape[1] // pair), np.int64)
        steps = phases(self._macro, self._tile.input_bits, self._tile.input_signed)
        for group in range(row_groups(self._macro, self._tile.rows)):
            for index, phase in enumerate(steps):
                values = self._converted(codes, group, index, phase, reads)
                total += phase.worth * values
        powers = 2 ** (self._target.cell.bits * np.arange(self._slices))
        sums = (total.reshape(len(codes), -1, self._slices) * powers).sum(axis=2)
        return without_offset(sums.astype(np.int32), codes, self._tile, self._macro)

    def _converted(
        self, codes: NDArray[Any], group: int, index: int, phase: Phase, reads: Reads
    ) -> NDArray[np.int64]:
        """Return what the codes of the analog sums of one phase and group are worth."""
        start = group * self._macro.active_rows
        rows = slice(start, min(start + self._macro.active_rows, self._tile.rows))
        opened = phase.drive(codes[:, rows]).astype(np.bool_)
        sums, variances = self._sums(opened, group, rows)
        if self._target.cell.read_noise > 0:
            sums = sums + np.sqrt(variances) * self._noise(sums.shape, group, index, reads)
        low, high = code_range(self._macro)
        step = 1 << self._tile.shift
        values = np.clip(np.rint(sums / step), low, high).astype(np.int64) * step
        if self._flipped.any():
            full = largest_digit(self._target.cell) * opened.sum(axis=1, keepdims=True)
            values = np.where(self._flipped[group], full - values, values)
        return values

    def _sums(self, opened: NDArray[np.bool_], group: int, rows: slice) -> tuple[Floats, Floats]:
        """Return the analog sums (inputs, sums) and their variances, in units of one digit."""
        first, end = driven_groups(self._tile, self._target)[group]
        wires, below = self._target.wires, self._macro.rows - end
        lines = SourceWires(
            wires.source_ohm,
            wires.bit_ohm,
            wires.driver_ohm + first * wires.source_ohm,
            wires.sense_ohm + below * wires.bit_ohm,
        )
        step = max(1, CHUNK // self._seen[rows].size)
        parts = [
            self._solved(opened[at : at + step], rows, lines) for at in range(0, len(opened), step)
        ]
        found, spread = (np.concatenate(part) for part in zip(*parts, strict=True))
        unit = unit_siemens(self._target.cell)
        if self._macro.encoding is Encoding.DIFFERENTIAL:
            digits = self._trimmed.changes(found[:, 0::2] - found[:, 1::2])
            spread = spread[:, 0::2] + spread[:, 1::2]
        else:
            reference = opened.sum(axis=1, keepdims=True) * self._trimmed.lowest
            digits = self._trimmed.changes(found - reference)
        return digits / unit, spread * (self._trimmed.factor / unit) ** 2

    def _solved(
        self, opened: NDArray[np.bool_], rows: slice, lines: SourceWires
    ) -> tuple[Floats, Floats]:
        """Return the conductances of columns (inputs, cols) and the variances of their reads.

        A column is one resistor, which a cell moves by its own change times the square of the
        share of the voltage that it sees.
        """
        cells = self._seen[rows] * opened[:, :, None]
        found = gated_currents(cells, lines, 1.0)
        if self._target.cell.read_noise == 0:
            return found, np.zeros_like(found)
        volts = gated_nodes(cells, np.zeros_like(cells), lines, 1.0).across
        moved = self._deviations[rows] * opened[:, :, None] * np.square(volts)
        return found, np.square(moved).sum(axis=1)

    def _noise(
        self, shape: tuple[int, ...], group: int, index: int, reads: Reads
    ) -> NDArray[np.float32]:
        """Return normal numbers (inputs, sums) at the addresses of the analog kernel."""
        inputs, columns = shape
        groups = len(self._flipped)
        numbers = np.empty((inputs, columns), np.float32)
        for item in range(inputs):
            reading = (item % reads.positions) * groups + group
            numbers[item] = _kernels.random_normals(
                seed=reads.seed,
                place=reads.place,
                event=reads.event,
                sample=reads.sample + item // reads.positions,
                first=(reading * 2 + index // 4) * columns,
                count=columns,
            )[:, index % 4]
        return numbers
