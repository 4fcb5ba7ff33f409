"""The product of programmed cells in torch operations, on any device.

It follows the native kernels: steps, row groups, converters, and read noise drawn once for each
analog sum with the variance that its cells have together. Sums are float32 here and fixed point
there: where one lies within their rounding of the middle between two codes, the code may be the
neighbour. Noise comes from a generator of torch, so that it agrees in distribution only.

Never more than one phase of one row group of one tile is in memory, for as many vectors at a time
as make a million sums, or as the tile has rows.
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
class Cells:
    """One tile on a device."""

    tile: Tile
    inputs: slice
    outputs: slice
    digits: torch.Tensor
    """Weights of the analog sums' cells, in units of one digit (rows, sums), float32."""
    variances: torch.Tensor | None
    """Variances of a read of each."""
    flips: torch.Tensor | None
    """Which sums are of complements (row groups, sums)."""
    factors: torch.Tensor
    """By what the codes of each sum of a weight are multiplied (sums of a weight,), int64."""
    adder: Adder
    """That puts them together."""


def encode(x: torch.Tensor, coding: InputCoding) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the codes (batch, inputs), int32, and the scales (batch, 1) of vectors."""
    wide = x.to(torch.float32 if x.device.type == "mps" else torch.float64)
    if coding.scale is None:
        largest = wide.abs().amax(dim=1, keepdim=True) if x.shape[1] else wide.new_zeros(len(x), 1)
        scales = largest / coding.highest
        scales = torch.where(scales > 0, scales, 1.0)
    else:
        scales = wide.new_full((len(x), 1), coding.scale)
    lowest = -coding.highest if coding.signed else 0
    return (wide / scales).round().clamp(lowest, coding.highest).to(torch.int32), scales


def tile_sums(
    cells: Cells, law: Law, codes: torch.Tensor, generator: torch.Generator
) -> torch.Tensor:
    """Return the sums (batch, cols), int32, of codes (batch, rows) on one tile."""
    found = codes.new_zeros(len(codes), cells.tile.cols)
    batch = max(cells.tile.rows, MOST_SUMS // cells.digits.shape[1])
    for first in range(0, len(codes), batch):
        found[first : first + batch] = _chunk(cells, law, codes[first : first + batch], generator)
    return found


def _chunk(cells: Cells, law: Law, codes: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    step = law.target.macro.active_rows
    macro, count = law.target.macro, len(cells.factors)
    before = subtracts_reference(macro)
    totals = codes.new_zeros(len(codes), cells.digits.shape[1] - before * count)
    for group, first in enumerate(range(0, cells.tile.rows, step)):
        rows = slice(first, min(first + step, cells.tile.rows))
        for part in law.steps:
            drives = [part.charge(it) * _drive(it, codes[:, rows]) for it in part.phases]
            sums = _read(cells, rows, drives, generator)
            values = _convert(_against_reference(sums, count) if before else sums, law)
            if cells.flips is not None:
                whole = sum(drive.sum(dim=1, keepdim=True) for drive in drives)
                full = largest_digit(law.target.cell) * whole
                values = torch.where(cells.flips[group], full - values, values)
            totals += part.worth * values
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


def _drive(phase: Phase, codes: torch.Tensor) -> torch.Tensor:
    """Return the digits of a phase, as `Phase.drive` does."""
    mask = (1 << phase.bits) - 1
    if phase.signed:
        return codes.sign() * ((codes.abs() >> phase.low_bit) & mask)
    return (codes >> phase.low_bit) & mask


def _read(
    cells: Cells, rows: slice, drives: list[torch.Tensor], generator: torch.Generator
) -> torch.Tensor:
    """Return analog sums (batch, sums), of all drives together, with the noise of each."""
    sums = _times(_total(drives), cells.digits[rows])
    if cells.variances is not None:
        squares = _total([drive.square() for drive in drives])
        spread = _times(squares, cells.variances[rows]).sqrt_()
        normal = torch.randn(sums.shape, generator=generator, device=sums.device)
        sums.addcmul_(spread, normal)
    return sums


def _total(drives: list[torch.Tensor]) -> torch.Tensor:
    return torch.stack(drives).sum(dim=0).to(torch.float32)


def _times(drive: torch.Tensor, table: torch.Tensor) -> torch.Tensor:
    """Return a float32 product whose factors are not rounded, whatever the user allows."""
    if drive.is_cuda and torch.get_float32_matmul_precision() != "highest":
        return (drive.double() @ table.double()).float()
    return drive @ table


def _convert(sums: torch.Tensor, law: Law) -> torch.Tensor:
    """Return what the codes of analog sums are worth, int32."""
    if law.ends is None:
        return sums.round_().to(torch.int32)
    codes = sums.mul_(2.0**-law.shift).round_().clamp_(*law.ends)
    return codes.to(torch.int32) * (1 << law.shift)
