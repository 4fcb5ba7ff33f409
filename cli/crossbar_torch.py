"""The product of programmed cells in torch operations, on any device.

It follows the native kernels: steps, row groups, drivers, converters, and read noise drawn once for
each analog sum with the variance that its cells have together. Analog sums are float32 here, which
holds whole ones, as targets keep them below 2**24; and fixed point there: where one lies within
their rounding of the edge between two codes, the code may be the neighbour. What codes add up to is
whole and exact. Noise comes from a generator of torch, so that it agrees in distribution only.

Never more than one step of one row group of one tile is in memory, for as many vectors at a time as
make a million sums, or as the tile has rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import torch

from mcc.ir.hardware import Target
from mcc.ir.hardware.encoding import digital_offset, has_reference, subtracts_reference
from mcc.ir.hardware.phases import Phase, Step, steps
from mcc.ir.hardware.significance import Adder, largest_digit
from mcc.ir.program.tables import Tile
from mcc.runtime.drives import pairs
from mcc.runtime.operands import InputCoding

MOST_SUMS = 2**20
"""Analog sums that are made at a time, unless fewer vectors than rows would make them."""


@final
@dataclass(frozen=True)
class Law:
    """What all tiles of a matrix have in common."""

    target: Target
    coding: InputCoding
    shift: int
    ends: tuple[int, int] | None
    """First and last code; None where converters never clip or round."""

    @property
    def steps(self) -> tuple[Step, ...]:
        """What a code becomes."""
        return steps(self.target.macro, self.coding.bits, self.coding.signed)


@final
@dataclass(frozen=True)
class Drivers:
    """What drivers that are not exact, or cells with a law of current, make of digits."""

    drives: torch.Tensor
    """For each term, row (or 1) and digit from the lowest (terms, rows, digits)."""
    slopes: torch.Tensor
    """How they change with the level of a driver."""
    noise: float
    """Root mean square of what each drive adds to its level, in digits."""


@final
@dataclass(frozen=True)
class Converters:
    """The staircases of converters that err, each for so many neighbouring sums."""

    breakpoints: torch.Tensor
    """In steps (converters, breakpoints), float32."""
    codes: torch.Tensor
    """Of each interval (converters, breakpoints + 1), int32."""
    each: int
    """Sums of a converter."""


@final
@dataclass(frozen=True)
class Cells:
    """One tile on a device."""

    tile: Tile
    inputs: slice
    outputs: slice
    weights: torch.Tensor
    """Of the analog sums' cells, in units of one digit (terms, rows, sums)."""
    converted: int
    """Sums that are converted: all but those of a reference column that is subtracted before."""
    variances: torch.Tensor | None
    """Variances of a read, for each of the `pairs` of terms (pairs, rows, sums)."""
    drivers: Drivers | None
    """None where digits drive as they are."""
    conversion_noise: float
    """Root mean square of what a conversion adds, in digits."""
    converters: Converters | None
    """None where codes change halfway between steps."""
    flips: torch.Tensor | None
    """Which sums are of complements (row groups, sums)."""
    factors: torch.Tensor
    """By what the codes of each sum of a weight are multiplied (sums of a weight,), int64."""
    adder: Adder
    """That puts them together."""

    @property
    def sums(self) -> int:
        """Analog sums of a row group."""
        return self.weights.shape[2]


def encode(x: torch.Tensor, coding: InputCoding) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the codes (batch, inputs), int32, and the scales (batch, 1) of vectors."""
    wide = x.to(torch.float32 if x.device.type == "mps" else torch.float64)
    if coding.scale is None:
        largest = wide.abs().amax(dim=1, keepdim=True) if x.shape[1] else wide.new_zeros(len(x), 1)
        scales = largest / coding.highest
    else:
        scales = wide.new_full((len(x), 1), coding.scale)
    lowest = -coding.highest if coding.signed else 0
    divisors = torch.where(scales > 0, scales, 1.0)
    return (wide / divisors).round().clamp(lowest, coding.highest).to(torch.int32), scales


def tile_sums(
    cells: Cells, law: Law, codes: torch.Tensor, generator: torch.Generator
) -> torch.Tensor:
    """Return the sums (batch, cols), int32, of codes (batch, rows) on one tile."""
    found = codes.new_zeros(len(codes), cells.tile.cols)
    batch = max(cells.tile.rows, MOST_SUMS // cells.sums)
    for first in range(0, len(codes), batch):
        found[first : first + batch] = _chunk(cells, law, codes[first : first + batch], generator)
    return found


def _chunk(cells: Cells, law: Law, codes: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    macro, count = law.target.macro, len(cells.factors)
    before = subtracts_reference(macro)
    totals = codes.new_zeros(len(codes), cells.converted)
    for group, first in enumerate(range(0, cells.tile.rows, macro.active_rows)):
        rows = slice(first, min(first + macro.active_rows, cells.tile.rows))
        for step in law.steps:
            digits = [_digits(phase, codes[:, rows]) for phase in step.phases]
            charges = [step.charge(phase) for phase in step.phases]
            sums = _read(cells, rows, digits, charges, generator)
            values = _convert(_against_reference(sums, count) if before else sums, cells, law)
            if cells.flips is not None:
                driven = torch.stack([c * it for c, it in zip(charges, digits, strict=True)])
                whole = driven.sum(dim=(0, 2))[:, None]
                full = largest_digit(law.target.cell) * whole
                values = torch.where(cells.flips[group], full - values, values)
            totals += step.worth * values
    products = totals.view(len(codes), -1, count) * cells.factors
    sums = cells.adder.rounded(products.sum(dim=2))
    if has_reference(macro) and not before:
        sums = _against_reference(sums, 1)
    offset = digital_offset(macro, cells.tile.weight_bits)
    return (sums - offset * codes.sum(dim=1, keepdim=True)).to(torch.int32)


def _against_reference(values: torch.Tensor, sums: int) -> torch.Tensor:
    """Subtract the reference column, as `against_reference` does."""
    parts = values.view(len(values), -1, sums)
    return (parts[:, :-1] - parts[:, -1:]).reshape(len(values), -1)


def _digits(phase: Phase, codes: torch.Tensor) -> torch.Tensor:
    """Return the digits of a phase, as `Phase.drive` does."""
    mask = (1 << phase.bits) - 1
    if phase.signed:
        return codes.sign() * ((codes.abs() >> phase.low_bit) & mask)
    return (codes >> phase.low_bit) & mask


def _read(
    cells: Cells,
    rows: slice,
    digits: list[torch.Tensor],
    charges: list[int],
    generator: torch.Generator,
) -> torch.Tensor:
    """Return analog sums (batch, sums), of all phases together, with the noise of each."""
    phases = [
        charge * _drives(cells, rows, it, generator)
        for charge, it in zip(charges, digits, strict=True)
    ]
    drives = torch.stack(phases).sum(dim=0) if len(phases) > 1 else phases[0]
    sums = _products(drives, cells.weights[:, rows])
    if cells.variances is None and cells.conversion_noise == 0:
        return sums
    variances = torch.zeros_like(sums)
    variances[:, : cells.converted] = cells.conversion_noise**2
    if cells.variances is not None:
        squares = [
            torch.stack([it[one] * it[other] for it in phases]).sum(dim=0)
            for one, other in pairs(len(drives))
        ]
        variances += _products(torch.stack(squares), cells.variances[:, rows])
    normal = torch.randn(sums.shape, generator=generator, device=sums.device, dtype=sums.dtype)
    return sums.addcmul_(variances.clamp_(min=0).sqrt_(), normal)


def _drives(
    cells: Cells, rows: slice, digits: torch.Tensor, generator: torch.Generator
) -> torch.Tensor:
    """Return what digits (batch, rows) drive (terms, batch, rows)."""
    if cells.drivers is None:
        return digits[None].to(cells.weights.dtype)
    drivers = cells.drivers
    found = _looked_up(drivers.drives, digits, rows)
    if drivers.noise:
        normal = torch.randn(
            digits.shape, generator=generator, device=digits.device, dtype=found.dtype
        )
        found += drivers.noise * normal * _looked_up(drivers.slopes, digits, rows)
    return found


def _looked_up(table: torch.Tensor, digits: torch.Tensor, rows: slice) -> torch.Tensor:
    """Return the entries of a table (terms, rows or 1, digits) for digits (batch, rows)."""
    at = (digits + table.shape[2] // 2).long()
    if table.shape[1] == 1:
        return table[:, 0][:, at]
    return table[:, rows][:, torch.arange(digits.shape[1], device=digits.device), at]


def _products(drives: torch.Tensor, tables: torch.Tensor) -> torch.Tensor:
    """Return the sum of the products of each term, (batch, rows) with (rows, sums).

    Factors of float32 are not rounded, whatever the user allows.
    """
    if drives.is_cuda and torch.get_float32_matmul_precision() != "highest":
        return (drives.double() @ tables.double()).sum(dim=0).to(drives.dtype)
    return (drives @ tables).sum(dim=0)


def _convert(sums: torch.Tensor, cells: Cells, law: Law) -> torch.Tensor:
    """Return what the codes of analog sums are worth, int32."""
    if law.ends is None:
        return sums.round_().to(torch.int32)
    levels = sums.mul_(2.0**-law.shift)
    if cells.converters is not None:
        return _staircase(levels.float(), cells.converters) * (1 << law.shift)
    return levels.round_().clamp_(*law.ends).to(torch.int32) * (1 << law.shift)


def _staircase(levels: torch.Tensor, converters: Converters) -> torch.Tensor:
    """Return the codes of levels (batch, sums), each by the converter of its sum."""
    batch, sums = levels.shape
    used, each = len(converters.breakpoints), converters.each
    padded = torch.nn.functional.pad(levels, (0, used * each - sums))
    apart = padded.view(batch, used, each).transpose(0, 1).reshape(used, batch * each)
    found = torch.searchsorted(converters.breakpoints, apart.contiguous(), right=True)
    codes = converters.codes.gather(1, found).view(used, batch, each)
    return codes.transpose(0, 1).reshape(batch, used * each)[:, :sums]
