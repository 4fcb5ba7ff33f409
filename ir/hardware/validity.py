"""Whether the states of a cell lie where its device model holds."""

from __future__ import annotations

from mcc.ir.diagnostics import Diagnostic, Severity
from mcc.ir.hardware.schema import Cell


def conductance_warnings(cell: Cell) -> list[Diagnostic]:
    """Return a warning, with the range, if the states reach beyond the fit of the device."""
    valid = cell.valid
    if valid.low_siemens <= cell.g_min_siemens and cell.g_max_siemens <= valid.high_siemens:
        return []
    states = f"{cell.g_min_siemens:g} S to {cell.g_max_siemens:g} S"
    reach = f"{valid.low_siemens:g} S to {valid.high_siemens:g} S"
    return [
        Diagnostic(
            "device-range",
            f"conductances from {states} are not all in {reach}, the range of the device model",
            "set `cell.g_min_siemens` and `cell.g_max_siemens` within it",
            severity=Severity.WARNING,
        )
    ]
