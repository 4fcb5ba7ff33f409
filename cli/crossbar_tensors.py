"""The cells of a crossbar, with their drivers and converters, as tensors of a device."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch

from mcc.cli.crossbar_torch import Cells, Converters, Drivers, Law
from mcc.ir.diagnostics import error
from mcc.ir.hardware.encoding import row_groups, subtracts_reference, sum_values
from mcc.ir.hardware.significance import Adder
from mcc.ir.tensors import Array
from mcc.runtime.converters.periphery import Periphery
from mcc.runtime.crossbar import RealCrossbar
from mcc.runtime.currents import Terms
from mcc.runtime.drives import DriveTable, pairs
from mcc.runtime.placement import Block
from mcc.runtime.sums import converter_of

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
    """Return the cells of one block on a device."""
    tile, macro = crossbar.placed.tiles[block.index], law.target.macro
    values = sum_values(macro, law.target.cell, tile.weight_bits)
    adder, sums = Adder.of(values), terms.weights.shape[2]
    if subtracts_reference(macro):
        sums -= len(values)
    flips = np.zeros((0, 0), np.bool_)
    if macro.column_flip:
        flips = tile.flipped(row_groups(macro, tile.rows), sums)
    converters = None
    if law.ends is not None and periphery.bank is not None:
        reach = _largest_level(terms, law, periphery.conversion_noise)
        bank, own = periphery.bank.within(reach, converter_of(tile, law.target, sums))
        edges = as_tensor(bank.breakpoints, device)
        codes = as_tensor(bank.codes, device, torch.int32)
        converters = Converters(edges, codes, int((own == 0).sum()))
    return Cells(
        tile,
        block.rows,
        block.cols,
        as_tensor(terms.weights, device),
        sums,
        None if terms.variances is None else as_tensor(terms.variances, device),
        _drivers(terms.table, device),
        periphery.conversion_noise * 2.0**law.shift if law.ends else 0.0,
        converters,
        as_tensor(flips, device, torch.bool) if flips.any() else None,
        as_tensor(adder.factors, device, torch.int64),
        adder,
    )


def wide(device: torch.device) -> torch.dtype:
    """Return the widest floating type of a device."""
    return torch.float32 if device.type == "mps" else torch.float64


def as_device(device: Any) -> torch.device:
    """Return a device that torch computes on here; the CPU if None.

    Raises:
        MccError: `option-value`.
    """
    try:
        found = torch.device("cpu" if device is None else device)
        torch.zeros(1, device=found).cpu()
    except (RuntimeError, AssertionError, ImportError, TypeError) as problem:
        reason = (str(problem) or type(problem).__name__).splitlines()[0]
        message = f"torch does not compute on device {device!r} here: {reason}"
        raise error("option-value", message, 'give "cpu", or a device of this machine') from None
    return found


def as_tensor(array: Array, device: Any, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    """Return a copy of an array on a device."""
    return torch.tensor(array).to(device=device, dtype=dtype)


def _drivers(table: DriveTable, device: torch.device) -> Drivers | None:
    if table.exact:
        return None
    return Drivers(
        as_tensor(table.drives, device),
        as_tensor(table.slopes, device),
        table.noise,
    )


def _largest_level(terms: Terms, law: Law, conversion_noise: float) -> float:
    """Return a size, in steps, that no level exceeds, noise included."""
    lines = law.target.macro.active_rows
    charges = max(sum(abs(it.charge(phase)) for phase in it.phases) for it in law.steps)
    drives = charges * terms.table.largest(LARGEST_NORMAL)
    cells = np.einsum("t,trs->rs", drives, np.abs(terms.weights))
    groups = [cells[first : first + lines].sum(axis=0) for first in range(0, len(cells), lines)]
    variance = 0.0
    if terms.variances is not None:
        most = lines * np.abs(terms.variances).max(axis=(1, 2), initial=0)
        both = [drives[one] * drives[other] for one, other in pairs(len(drives))]
        variance = float(most @ both)
    reach = float(np.max(groups, initial=0)) + LARGEST_NORMAL * math.sqrt(variance)
    if subtracts_reference(law.target.macro):
        reach *= 2
    return reach / 2**law.shift + LARGEST_NORMAL * conversion_noise + 1
