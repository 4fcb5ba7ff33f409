"""What cannot be said of a crossbar, because the hardware it is on has no such law."""

from __future__ import annotations

from mcc.ir.diagnostics import error
from mcc.ir.hardware import Feed, InputForm, Target
from mcc.ir.hardware.encoding import has_reference
from mcc.runtime.arrays import Fidelity
from mcc.runtime.converters.periphery import periphery_of
from mcc.runtime.devices.current import is_linear
from mcc.runtime.random import MacroPlace

_IDEAL_CELLS = "let `macro.adc` and `macro.dac` be without errors and the cells linear"


def check_columns(target: Target, fidelity: Fidelity, what: str) -> None:
    """Refuse what needs one conductance for each cell, whatever else is driven.

    Raises:
        MccError: `crossbar-model`.
    """
    if fidelity is Fidelity.WIRE and target.wires.feed is Feed.SOURCE_LINE:
        message = f"{what}: the current of a cell depends on which others the inputs open"
        help = "multiply with the columns of an identity matrix, or ask at `device`"
        raise error("crossbar-model", message, help)


def check_codes(target: Target, fidelity: Fidelity) -> None:
    """Refuse codes of single conversions that cannot be read as in a product.

    Raises:
        MccError: `crossbar-model`.
    """
    check_columns(target, fidelity, "codes")
    macro = target.macro
    if has_reference(macro):
        message = "codes: those of a reference column belong to all outputs of a tile together"
        raise error("crossbar-model", message, "set `macro__reference='digital'`")
    signed = macro.input_form is InputForm.SIGN_MAGNITUDE
    if fidelity.real_cells and signed and macro.dac.mismatch > 0:
        message = "codes: single digits with a sign have no levels of their own to be driven at"
        raise error("crossbar-model", message, "let `macro.dac.mismatch` be 0")


def check_matrix(target: Target, fidelity: Fidelity, what: str) -> None:
    """Refuse what needs currents in proportion to the drives.

    Raises:
        MccError: `crossbar-model`.
    """
    check_columns(target, fidelity, what)
    if fidelity.real_cells and not is_linear(target.cell.current):
        message = f"{what}: the current of a cell is not in proportion to its voltage"
        help = "multiply with the columns of an identity matrix, or take a device that is linear"
        raise error("crossbar-model", message, help)


def check_torch(target: Target, fidelity: Fidelity) -> None:
    """Refuse what the torch form of a product has no law for.

    Raises:
        MccError: `crossbar-model`.
    """
    what = "a layer"
    check_matrix(target, fidelity, what)
    if fidelity.real_cells and not _ideal_periphery(target):
        message = f"{what}: the torch form has no law for converters or drivers with errors"
        raise error("crossbar-model", message, "multiply with `A @ x`, or " + _IDEAL_CELLS)


def check_transposed(target: Target, fidelity: Fidelity) -> None:
    """Refuse products that sense word lines where these are no mirror of the bit lines.

    Raises:
        MccError: `crossbar-direction`.
    """
    other = "multiply with a crossbar of the transposed matrix, or "
    if fidelity is Fidelity.WIRE:
        message = "at `wire` cells are read from their word lines only"
        raise error("crossbar-direction", message, other + "at `device`")
    if has_reference(target.macro) and fidelity is not Fidelity.EXACT:
        message = "a reference column is no reference for word lines"
        raise error("crossbar-direction", message, other + "set `macro__reference='digital'`")
    linear = is_linear(target.cell.current) and _ideal_periphery(target)
    if fidelity.real_cells and not linear:
        message = "there is no law for errors of the converters and drivers at the other ends"
        raise error("crossbar-direction", message, other + _IDEAL_CELLS)


def _ideal_periphery(target: Target) -> bool:
    """Whether converters and drivers are ideal on all chips alike."""
    found = periphery_of(target.macro, MacroPlace(0, 0, 0))
    return found.exact_drives and found.bank is None and found.conversion_noise == 0
