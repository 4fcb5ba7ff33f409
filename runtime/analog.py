"""One tile as its analog array multiplies: phases, row groups, slices, noise, conversion.

Conductances are rounded to a binary grid so fine (2**-12 of the largest or finer, far below any
write error) and so coarse that every analog sum is a whole number that its floating-point type
holds exactly. Sums therefore do not depend on the order of summation: results are the same for any
matrix library and any number of threads, and ideal cells give the exact product.

Reading a cell adds to its conductance an independent Gaussian of `read_noise` times its value. The
noise of a sum of such reads is a Gaussian too; it is drawn once per sum with the variance that
follows, `sum((read_noise * g * drive)**2)`.

The offset encoding subtracts the current of a reference column of cells at `g_min_siemens`, taken
as ideal (trimmed once per chip); the differential encoding subtracts the currents of its pairs.
Both happen before conversion.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from mcc.ir.hardware import Encoding, Target
from mcc.ir.hardware.encoding import (
    largest_digit,
    physical_columns,
    row_groups,
    slices,
    weight_offset,
)
from mcc.ir.hardware.phases import phases
from mcc.ir.program.tables import Tile
from mcc.runtime.converters import digitize
from mcc.runtime.devices import unit_siemens

_LEVELS = 2**12
"""Grid steps that the largest number must have; where float32 gives fewer, float64 is taken."""
_SMALLEST = 2.0**-40
_BLOCK = 1 << 17
"""Analog sums worked on at once: half a megabyte, so that a block stays in the cache."""


@final
@dataclass(frozen=True)
class Grid:
    """Non-negative or signed numbers rounded to multiples of `unit`, kept as whole numbers."""

    values: NDArray[Any]
    """Whole numbers (rows, columns), float32 or float64."""
    unit: float
    """How many of them make one; a power of two."""


def on_grid(numbers: NDArray[np.float64], drive: int, group: int) -> Grid:
    """Round numbers so that sums of `group` rows, driven with up to `drive`, are exact.

    Args:
        numbers: Numbers in units of one digit (rows, columns).
        drive: The largest factor of a row.
        group: Rows that are summed.
    """
    magnitudes = np.abs(numbers)
    sums = [magnitudes[i : i + group].sum(axis=0) for i in range(0, len(numbers), group)]
    largest = max(drive * max((float(part.max(initial=0)) for part in sums), default=0), _SMALLEST)
    kind, bits = np.dtype(np.float32), 22
    if float(magnitudes.max(initial=0)) * 2**bits < _LEVELS * largest:
        kind, bits = np.dtype(np.float64), 51
    unit = 2.0 ** (bits - math.ceil(math.log2(largest)))
    return Grid(np.rint(numbers * unit).astype(kind), unit)


@final
class AnalogTile:
    """One tile in the cells of a programmed macro."""

    def __init__(
        self, tile: Tile, target: Target, conductances: NDArray[np.float64], read_noise: float
    ) -> None:
        """Take the conductances (rows, physical columns) of the cells of the tile, in siemens."""
        macro, cell = target.macro, target.cell
        self._tile, self._macro = tile, macro
        self._phases = phases(macro, tile.input_bits, tile.input_signed)
        self._slices = slices(macro, cell, tile.weight_bits)
        self._offset = weight_offset(macro, tile.weight_bits)
        self._digit = largest_digit(cell)
        self._worth = 2.0 ** (cell.bits * np.arange(self._slices))
        columns = tile.cols * physical_columns(macro, cell, tile.weight_bits)
        self._flips = tile.flipped(row_groups(macro, tile.rows), columns)
        drive = 2**macro.dac_bits - 1
        currents = conductances / unit_siemens(cell)
        variances = np.square(read_noise * currents)
        if macro.encoding is Encoding.DIFFERENTIAL:
            digits = currents[:, 0::2] - currents[:, 1::2]
            variances = variances[:, 0::2] + variances[:, 1::2]
        else:
            digits = currents - cell.g_min_siemens / unit_siemens(cell)
        self._digits = on_grid(digits, drive, macro.active_rows)
        noisy = read_noise > 0
        self._variances = on_grid(variances, drive**2, macro.active_rows) if noisy else None

    def multiply(
        self, codes: NDArray[Any], noise: Sequence[np.random.Generator]
    ) -> NDArray[np.int32]:
        """Return the sums (samples, positions, cols) of codes (samples, positions, rows).

        Args:
            codes: Input codes.
            noise: The generator of each sample; unused where reads are noiseless.
        """
        samples, positions, rows = codes.shape
        sums = np.empty((samples, positions, self._tile.cols), np.int32)
        step = max(1, _BLOCK // max(1, positions * self._digits.values.shape[1]))
        for first in range(0, samples, step):
            part = codes[first : first + step]
            flat = part.reshape(-1, rows)
            block = self._block(flat, positions, noise[first : first + step])
            sums[first : first + step] = block.reshape(len(part), positions, -1)
        return sums

    def _block(
        self, codes: NDArray[Any], positions: int, noise: Sequence[np.random.Generator]
    ) -> NDArray[np.int32]:
        columns = self._digits.values.shape[1]
        total = np.zeros((len(codes), columns))
        for group, first in enumerate(range(0, codes.shape[1], self._macro.active_rows)):
            rows = slice(first, min(first + self._macro.active_rows, codes.shape[1]))
            part = codes[:, rows]
            flips = self._flips[group] if self._macro.column_flip else None
            for phase in self._phases:
                drive = phase.drive(part)
                read = self.read(drive, rows, positions, noise)
                digitize(read, self._tile.shift, self._macro)
                if flips is not None:
                    read[:, flips] *= -1
                total += read * float(phase.worth << self._tile.shift)
            if flips is not None:
                total[:, flips] += self._digit * part.sum(axis=1, dtype=np.float64)[:, None]
        weights = total.reshape(len(codes), -1, self._slices) @ self._worth
        weights -= self._offset * codes.sum(axis=1, dtype=np.float64)[:, None]
        return weights.astype(np.int32)

    def read(
        self,
        drive: NDArray[np.int16],
        rows: slice,
        positions: int,
        noise: Sequence[np.random.Generator],
    ) -> NDArray[Any]:
        """Return the analog sums (samples * positions, columns) of one phase of one row group.

        They are in units of one digit; a differential pair is one column.

        Args:
            drive: Digits on the word lines (samples * positions, rows).
            rows: The rows of the group within the tile.
            positions: Positions of a sample.
            noise: The generator of each sample.
        """
        digits = self._digits
        sums = drive.astype(digits.values.dtype) @ digits.values[rows]
        sums *= sums.dtype.type(1 / digits.unit)
        if self._variances is not None:
            table = self._variances
            sigma = np.square(drive).astype(table.values.dtype) @ table.values[rows]
            np.sqrt(sigma, out=sigma)
            sigma *= sigma.dtype.type(1 / math.sqrt(table.unit))
            normal = np.empty((len(drive), sums.shape[1]), np.float32)
            for sample, draw in enumerate(noise):
                place = normal[sample * positions : (sample + 1) * positions]
                draw.standard_normal(dtype=np.float32, out=place)
            sums += (sigma * normal).astype(sums.dtype)
        return sums
