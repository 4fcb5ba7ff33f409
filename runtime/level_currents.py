"""The analog sums of cells that are no resistors, driven by several voltages.

A cell at level `l` of `n` carries `I(G, l / n read_volt)`. Pulses have one voltage of either sign,
and as many of them count as the digit says. Converters are trimmed at the highest level.
"""

from __future__ import annotations

import numpy as np

from mcc.ir.diagnostics import error
from mcc.ir.hardware import Feed, InputCoding, InputForm, Solver, Target
from mcc.ir.hardware.encoding import paired
from mcc.ir.program.tables import Tile
from mcc.runtime.converters.periphery import Periphery
from mcc.runtime.currents import Terms
from mcc.runtime.devices import Read, unit_siemens
from mcc.runtime.devices.current import is_linear, is_odd, of_siemens, slopes_of_siemens
from mcc.runtime.drives import pairs, voltage_table
from mcc.runtime.wires.trimmed import Trimmed


def resistive(target: Target) -> bool:
    """Whether one conductance of each cell gives its current for whatever drives it.

    So it is where the read voltage is the only one, or opposite ones carry opposite currents.
    """
    law, macro = target.cell.current, target.macro
    one_sign = is_odd(law) or macro.input_form is not InputForm.SIGN_MAGNITUDE
    pulses = macro.input_coding is InputCoding.PULSE_WIDTH
    exact = macro.dac.mismatch == macro.dac.noise == 0
    return is_linear(law) or (one_sign and (pulses or (macro.dac_bits == 1 and exact)))


def check_resistive(target: Target) -> None:
    """Refuse cells whose currents through resistive lines are no product with a matrix.

    Raises:
        MccError: `read-levels`.
    """
    if target.wires.feed is Feed.SOURCE_LINE:
        return  # inputs open cells, all of which see one voltage
    if target.wires.solver is Solver.NEWTON:
        return
    opposite = target.wires.interleaved and not is_odd(target.cell.current)
    if opposite or not resistive(target):
        text = "cells that are no resistors see several voltages through resistive lines"
        help = "set `wires.solver` to `newton`, run at `device`, or drive by `pulse_width`"
        if not is_odd(target.cell.current):
            help += " with `macro.input_form` of `twos_complement` and `wires.interleaved` false"
        raise error("read-levels", text, help)


def level_terms(tile: Tile, target: Target, cells: Read, periphery: Periphery) -> Terms:
    """Return the analog sums of a tile of cells (rows, physical columns) without switches.

    Raises:
        MccError: `read-voltage`, also where a driver exceeds what the law of the cells reaches.
    """
    cell, law = target.cell, target.cell.current
    scale = Trimmed(target, switches=False).factor / unit_siemens(cell)
    found = np.stack(of_siemens(cells.siemens, law))
    if paired(target.macro):
        weights = found[..., 0::2] - found[..., 1::2]
    else:
        lowest = np.stack(of_siemens(np.array(cell.g_min_siemens), law))
        weights = found - lowest[:, None, None]
    variances = None
    if cells.sigma is not None:
        moved = scale * np.stack(slopes_of_siemens(cells.siemens, law)) * cells.sigma
        variances = np.stack(
            [(1 + (one != other)) * moved[one] * moved[other] for one, other in pairs(len(moved))]
        )
        if paired(target.macro):
            variances = variances[..., 0::2] + variances[..., 1::2]
    return Terms(voltage_table(tile, target, periphery), scale * weights, variances)
