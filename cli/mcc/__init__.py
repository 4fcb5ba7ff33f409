"""The compiler toolchain for memristor compute-in-memory hardware."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mcc.cli.crossbar import Crossbar as Crossbar
    from mcc.cli.driver import compile as compile
    from mcc.cli.machine import Machine as Machine
    from mcc.cli.machine import Run as Run
    from mcc.cli.program import Program as Program
    from mcc.cli.program import load as load
    from mcc.frontend import InputSpec as InputSpec
    from mcc.ir.diagnostics import MccError as MccError
    from mcc.ir.diagnostics import MccWarning as MccWarning
    from mcc.ir.hardware import Target as Target
    from mcc.runtime.fidelity import Fidelity as Fidelity

_HOMES = {
    "Crossbar": "mcc.cli.crossbar",
    "Fidelity": "mcc.runtime.arrays",
    "InputSpec": "mcc.frontend",
    "Machine": "mcc.cli.machine",
    "MccError": "mcc.ir.diagnostics",
    "MccWarning": "mcc.ir.diagnostics",
    "Program": "mcc.cli.program",
    "Run": "mcc.cli.machine",
    "Target": "mcc.ir.hardware",
    "compile": "mcc.cli.driver",
    "load": "mcc.cli.program",
}
__all__ = sorted(_HOMES)  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for; `import mcc` alone stays light."""
    if name not in _HOMES:
        raise AttributeError(f"module 'mcc' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
