"""One tile as the cells of its macro multiply: real conductances, read noise, converters.

Reading a cell adds to its conductance an independent Gaussian (`runtime/devices/read.py`). The
noise of a sum of such reads is a Gaussian too; it is drawn once per sum with the variance that
follows, `sum((sigma * drive)**2)`.

Pairs of columns subtract their currents before conversion. Where columns are converted one by one,
in the offset encoding or because codes are subtracted, the current of as many cells at
`g_min_siemens` is taken off each, as an ideal source does (trimmed once per chip).

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

import math
from typing import Any, NamedTuple, TypedDict, final

import numpy as np
from numpy.typing import NDArray

from mcc.ir.hardware import Accumulation, Target
from mcc.ir.hardware.conversion import code_range
from mcc.ir.hardware.encoding import (
    against_reference,
    paired,
    row_groups,
    subtracts_reference,
)
from mcc.ir.program.tables import Tile
from mcc.runtime import _kernels
from mcc.runtime.converters.periphery import Periphery
from mcc.runtime.currents import TermCurrents, Terms
from mcc.runtime.devices import Read, check_siemens, unit_siemens
from mcc.runtime.devices.current import check_volts, is_linear
from mcc.runtime.drives import level_table
from mcc.runtime.general import GeneralTile
from mcc.runtime.level_currents import level_terms, resistive
from mcc.runtime.reads import Reads, drive_arguments, without_offset
from mcc.runtime.sums import Sums, converter_of
from mcc.runtime.wires.trimmed import Trimmed, read_alone

LARGEST_READ_NORMAL = 9.0
"""No normal number of read noise is larger: all twelve choices the largest give 8.5."""


def analog_tile(
    tile: Tile, target: Target, cells: Read, periphery: Periphery, threads: int = 1
) -> AnalogTile | GeneralTile:
    """Return the tile of cells (rows, physical columns), by the fastest way there.

    Raises:
        MccError: `conductance`, for a negative one or what is no number; `read-voltage`.
    """
    if not resistive(target):
        check_siemens(cells.siemens)
        return general_tile(tile, target, level_terms(tile, target, cells, periphery), periphery)
    resistors = as_resistors(cells, target)
    sums = sums_of_cells(resistors, target, threads)
    if resistors is not cells or not sums.physical:
        check_siemens(cells.siemens)
    return _tile(tile, target, sums, periphery, threads)


def effective_tile(
    tile: Tile, target: Target, cells: Read, periphery: Periphery, threads: int = 1
) -> AnalogTile | GeneralTile:
    """Return the tile of cells that are what converters see, which may be below 0 siemens."""
    return _tile(tile, target, sums_of_cells(cells, target, threads), periphery, threads)


def _tile(
    tile: Tile, target: Target, sums: SumsOfCells, periphery: Periphery, threads: int
) -> AnalogTile | GeneralTile:
    weights, variances, macro = sums.weights, sums.variances, target.macro
    noisy = variances is not None
    # Noise of reads that phases, or the columns of a tile, have in common: the kernel has no law.
    together = macro.accumulation is Accumulation.ANALOG or subtracts_reference(macro)
    if periphery.exact_drives and not (together and noisy):
        if subtracts_reference(macro):
            weights = against_reference(weights, Sums(tile, target).count)
        return AnalogTile(tile, target, weights, variances, periphery, threads)
    spread = None if variances is None else variances[None]
    terms = Terms(level_table(tile, target, periphery), weights[None], spread)
    return general_tile(tile, target, terms, periphery)


def general_tile(tile: Tile, target: Target, terms: Terms, periphery: Periphery) -> GeneralTile:
    """Return the tile of analog sums that the kernel cannot make."""
    lines = min(target.macro.active_rows, tile.rows)
    return GeneralTile(tile, target, TermCurrents(terms, lines), periphery)


@final
class AnalogTile:
    """One tile in the cells of a programmed macro with exact drivers."""

    def __init__(
        self,
        tile: Tile,
        target: Target,
        weights: NDArray[np.float32],
        variances: NDArray[np.float32] | None,
        periphery: Periphery,
        threads: int = 1,
    ) -> None:
        """Take the weight and the variance of a read of each analog sum's cells (rows, sums)."""
        macro = target.macro
        self._tile, self._macro = tile, macro
        self._low, self._high = code_range(macro)
        self._sums = Sums(tile, target)
        self._drives = drive_arguments(tile, macro)
        self._noise_variance = (periphery.conversion_noise * 2.0**tile.shift) ** 2
        flipped = tile.flipped(row_groups(macro, tile.rows), weights.shape[1])
        staircases: _Staircases = {"converter_of": None, "breakpoints": None, "codes": None}
        if periphery.bank is not None:
            used = converter_of(tile, target, weights.shape[1])
            bank, used = periphery.bank.within(self._reach(weights, variances), used)
            staircases = {
                "converter_of": used,
                "breakpoints": bank.breakpoints,
                "codes": bank.codes,
            }
        self._packed = _kernels.pack_analog(
            weights,
            variances,
            slices=self._sums.slices,
            bits_per_cell=target.cell.bits,
            active_rows=macro.active_rows,
            dac_bits=self._drives["dac_bits"],
            flipped=flipped if flipped.any() else None,
            threads=threads,
            **staircases,
        )

    def held(self, weights: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the weights of analog sums' cells (rows, sums) as the kernel rounds them.

        Where the currents of a reference column are subtracted, its weights are then 0 and the
        others what remains.
        """
        if subtracts_reference(self._macro):
            count = self._sums.count
            weights = np.pad(against_reference(weights, count), ((0, 0), (0, count)))
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
            noise_variance=self._noise_variance,
            seed=reads.seed,
            place=reads.place,
            event=reads.event,
            sample=reads.sample,
            positions=reads.positions,
            threads=reads.threads,
        )
        sums = self._sums.combined(converted)
        return without_offset(sums, codes, self._tile, self._macro)

    def _reach(self, weights: NDArray[np.float32], variances: NDArray[np.float32] | None) -> float:
        """Return a level, in steps, that none exceeds in size, the rounding of cells included."""
        drive = 2 ** self._drives["dac_bits"] - 1
        rows = min(self._macro.active_rows, len(weights))
        largest = float(np.abs(weights).max(initial=0))
        spread = 0.0 if variances is None else float(variances.max(initial=0))
        deviation = math.sqrt(drive**2 * rows * spread + self._noise_variance)
        reach = 1.001 * drive * rows * largest + LARGEST_READ_NORMAL * deviation
        return reach / 2**self._tile.shift + 1


class _Staircases(TypedDict):
    """Converters as the kernel takes them."""

    converter_of: NDArray[np.int32] | None
    breakpoints: NDArray[np.float32] | None
    codes: NDArray[np.int32] | None


def as_resistors(cells: Read, target: Target) -> Read:
    """Return cells without switches as trimmed converters see them at the read voltage.

    Raises:
        MccError: `read-voltage`.
    """
    check_volts(target.wires.read_volt, target.cell.current)
    if is_linear(target.cell.current):
        return cells
    trimmed = Trimmed(target, switches=False)
    seen, slopes = read_alone(cells.siemens, target, switches=False)
    sigma = None if cells.sigma is None else trimmed.changes(np.abs(slopes) * cells.sigma)
    return Read(trimmed.conductances(seen), sigma)


def digits_and_variances(
    cells: Read, target: Target, threads: int = 1
) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
    """Return the weight and the variance of a read of each analog sum's cells (rows, sums)."""
    found = sums_of_cells(cells, target, threads)
    return found.weights, found.variances


class SumsOfCells(NamedTuple):
    """The cells of analog sums, in units of one digit (and its square)."""

    weights: NDArray[np.float32]
    """(rows, sums); columns that are subtracted as currents are one sum."""
    variances: NDArray[np.float32] | None
    """Of a read of each (rows, sums); None without read noise."""
    physical: bool
    """Whether all conductances are finite and not below 0."""


def sums_of_cells(cells: Read, target: Target, threads: int = 1) -> SumsOfCells:
    """Return the cells of each analog sum."""
    unit, spread = unit_siemens(target.cell), cells.spread
    return SumsOfCells(
        *_kernels.sums_of_cells(
            cells.siemens,
            spread if isinstance(spread, np.ndarray) else None,
            relative=spread if isinstance(spread, float) else 0.0,
            per_siemens=1 / unit,
            lowest=target.cell.g_min_siemens / unit,
            pairs=paired(target.macro),
            threads=threads,
        )
    )
