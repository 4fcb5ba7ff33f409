"""The cells of a crossbar, with their drivers and converters, as tensors of a device."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from mcc.cli.crossbar_torch import Cells, Converters, Drivers, Law
from mcc.ir.diagnostics import error
from mcc.ir.hardware.encoding import row_groups, sum_values
from mcc.ir.tensors import Array
from mcc.runtime.converters.periphery import Periphery
from mcc.runtime.crossbar import RealCrossbar
from mcc.runtime.currents import Terms
from mcc.runtime.drives import DriveTable, pairs
from mcc.runtime.placement import Block
from mcc.runtime.sums import converter_of

SINGLE = 2**24
"""Whole numbers from here on are not all float32."""
LARGEST_NORMAL = 9.0
"""No normal number of torch is larger: those of 53 bits reach 8.6."""


def cells_of(
    crossbar: RealCrossbar,
    law: Law,
    block: Block,
    terms: Terms,
    periphery: Periphery,
    device: torch.device,
) -> Cells:
    """Return the cells of one block on a device.

    Raises:
        MccError: `crossbar-model`: sums need float64, which the device does not have.
    """
    tile, target = crossbar.placed.tiles[block.index], crossbar.target
    charges = max(sum(abs(it.charge(phase)) for phase in it.phases) for it in law.steps)
    largest = _largest_sum(terms, charges, target.macro.active_rows)
    dtype = torch.float32 if largest < SINGLE else _double(device)
    noise = periphery.conversion_noise * 2.0**law.shift if law.ends else 0.0
    sums = terms.weights.shape[2]
    flips = tile.flipped(row_groups(target.macro, tile.rows), sums)
    converters = None
    if law.ends is not None and periphery.bank is not None:
        reach = largest + LARGEST_NORMAL * _deviation(terms, charges, target.macro.active_rows)
        reach = (reach + LARGEST_NORMAL * noise) / 2**law.shift + 1
        own = converter_of(tile, target, sums)
        bank, own = periphery.bank.within(reach, own)
        edges = as_tensor(bank.breakpoints, device)
        codes = as_tensor(bank.codes, device, torch.int32)
        converters = Converters(edges, codes, int((own == 0).sum()))
    return Cells(
        tile,
        block.rows,
        block.cols,
        as_tensor(terms.weights, device, dtype),
        None if terms.variances is None else as_tensor(terms.variances, device, dtype),
        _drivers(terms.table, device, dtype),
        noise,
        converters,
        as_tensor(flips, device, torch.bool) if flips.any() else None,
        as_tensor(sum_values(target.macro, target.cell, tile.weight_bits), device, torch.int32),
    )


def wide(device: torch.device) -> torch.dtype:
    """Return the widest floating type of a device."""
    return torch.float32 if device.type == "mps" else torch.float64


def as_tensor(array: Array, device: Any, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    """Return a copy of an array on a device."""
    return torch.tensor(array).to(device=device, dtype=dtype)


def _drivers(table: DriveTable, device: torch.device, dtype: torch.dtype) -> Drivers | None:
    if table.exact:
        return None
    return Drivers(
        as_tensor(table.drives, device, dtype),
        as_tensor(table.slopes, device, dtype),
        table.noise,
    )


def _double(device: torch.device) -> torch.dtype:
    if wide(device) is torch.float64:
        return torch.float64
    message = f"a layer: sums of {SINGLE} and more need float64, which `{device}` does not have"
    help = "compute on another device, or with fewer `macro__active_rows` or bits of inputs"
    raise error("crossbar-model", message, help)


def _largest_sum(terms: Terms, charges: int, lines: int) -> float:
    """Return a size that no analog sum exceeds, nor any part of it, without the noise of reads."""
    drives = charges * terms.table.largest(LARGEST_NORMAL)
    cells = np.einsum("t,trs->rs", drives, np.abs(terms.weights))
    groups = [cells[first : first + lines].sum(axis=0) for first in range(0, len(cells), lines)]
    return float(np.max(groups, initial=0))


def _deviation(terms: Terms, charges: int, lines: int) -> float:
    """Return a standard deviation that the noise of no read exceeds, in digits."""
    if terms.variances is None:
        return 0.0
    drives = charges * terms.table.largest(LARGEST_NORMAL)
    most = np.abs(terms.variances).max(axis=(1, 2), initial=0) * lines
    together = sum(
        drives[one] * drives[other] * most[index]
        for index, (one, other) in enumerate(pairs(len(drives)))
    )
    return float(np.sqrt(together))
