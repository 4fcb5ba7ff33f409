"""One tile as the cells of its macro multiply: real conductances, read noise, converters.

Reading a cell adds to its conductance an independent Gaussian (`runtime/devices/read.py`). The
noise of a sum of such reads is a Gaussian too; it is drawn once per sum with the variance that
follows, `sum((sigma * drive)**2)`.

Pairs of columns subtract their currents before conversion. Where columns are converted one by one,
in the offset encoding or because codes are subtracted, each is read against a reference column of
cells at `g_min_siemens`, taken as ideal (trimmed once per chip).

Kernels hold digits and variances as 16-bit whole numbers, so that sums are exact and the same on
every processor. A digit is rounded to `2**-fraction`, the finest power of two for which no sum
overflows (`PackedAnalog.fraction`): an analog sum is off by at most
`rows * drive / 2**(fraction + 1)` digits, and by about `sqrt(rows / 12) * drive / 2**fraction`, for
errors are independent. One-bit phases leave at least `32767 / (32 * largest digit)` steps to a
digit; with 512 steps, 128 rows of 2-bit cells are off by 0.006 digits, where a write error of 2 %
moves their sum by some 0.3. A variance is rounded such that every sum from the first row of a
group on is off by at most half a unit, of which the largest sum of a group has 65535 (several
bits in a phase: `2**31 / drive**2`, at least 32767): below a thousandth of the deviation.
"""

from __future__ import annotations

from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from mcc.ir.hardware import Accumulation, Target
from mcc.ir.hardware.conversion import code_range
from mcc.ir.hardware.encoding import paired, row_groups
from mcc.ir.program.tables import Tile
from mcc.runtime import _kernels
from mcc.runtime.converters.periphery import Periphery
from mcc.runtime.devices import Read, check_siemens, unit_siemens
from mcc.runtime.general import GeneralTile
from mcc.runtime.reads import Reads, drive_arguments, without_offset
from mcc.runtime.sums import Sums

ROWS_AT_ONCE = 8
"""Whose currents stay in the cache while they become digits."""


def analog_tile(
    tile: Tile, target: Target, cells: Read, periphery: Periphery
) -> AnalogTile | GeneralTile:
    """Return the tile of cells (rows, physical columns), by the fastest way there.

    Raises:
        MccError: `conductance`, for a negative one or what is no number.
    """
    check_siemens(cells.siemens)
    weights, variances = digits_and_variances(cells, target)
    summed = target.macro.accumulation is Accumulation.ANALOG and variances is not None
    if periphery.ideal and not summed:
        return AnalogTile(tile, target, weights, variances)
    return GeneralTile(tile, target, weights, variances, periphery)


@final
class AnalogTile:
    """One tile in the cells of a programmed macro with an ideal periphery."""

    def __init__(
        self,
        tile: Tile,
        target: Target,
        weights: NDArray[np.float32],
        variances: NDArray[np.float32] | None,
    ) -> None:
        """Take the weight and the variance of a read of each analog sum's cells (rows, sums)."""
        self._tile, self._macro = tile, target.macro
        self._drives = drive_arguments(tile, target.macro)
        self._low, self._high = code_range(target.macro)
        self._sums = Sums(tile, target)
        flipped = tile.flipped(row_groups(target.macro, tile.rows), weights.shape[1])
        self._packed = _kernels.pack_analog(
            weights,
            variances,
            slices=self._sums.slices,
            bits_per_cell=target.cell.bits,
            active_rows=target.macro.active_rows,
            dac_bits=self._drives["dac_bits"],
            flipped=flipped if flipped.any() else None,
        )

    def held(self, weights: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the weights of analog sums' cells (rows, sums) as the kernel rounds them."""
        scale = np.float32(2.0**self._packed.fraction)
        return np.divide(np.rint(weights * scale), scale, dtype=np.float32)

    def multiply(self, codes: NDArray[Any], reads: Reads) -> NDArray[np.int32]:
        """Return the sums (inputs, cols) of codes (inputs, rows)."""
        converted = _kernels.analog_product(
            codes,
            self._packed,
            input_bits=self._drives["input_bits"],
            sign_magnitude=self._drives["sign_magnitude"],
            shift=self._tile.shift,
            low=self._low,
            high=self._high,
            seed=reads.seed,
            place=reads.place,
            event=reads.event,
            sample=reads.sample,
            positions=reads.positions,
            threads=reads.threads,
        )
        sums = self._sums.combined(converted)
        return without_offset(sums, codes, self._tile, self._macro)


def digits_and_variances(
    cells: Read, target: Target
) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
    """Return the weight and the variance of a read of each analog sum's cells (rows, sums).

    They are in units of one digit (and its square); columns that are subtracted as currents are one
    sum. Without read noise there are no variances.
    """
    unit, pairs = unit_siemens(target.cell), paired(target.macro)
    rows, columns = cells.siemens.shape
    digits = np.empty((rows, columns // 2 if pairs else columns), np.float32)
    variances = None if cells.sigma is None else np.empty_like(digits)
    for first in range(0, rows, ROWS_AT_ONCE):
        part = slice(first, first + ROWS_AT_ONCE)
        currents = cells.siemens[part] * (1 / unit)
        if pairs:
            np.subtract(currents[:, 0::2], currents[:, 1::2], out=digits[part], casting="same_kind")
        else:
            digits[part] = currents - target.cell.g_min_siemens / unit
        if cells.sigma is not None and variances is not None:
            spreads = np.square(cells.sigma[part] * (1 / unit))
            variances[part] = spreads[:, 0::2] + spreads[:, 1::2] if pairs else spreads
    return digits, variances
