"""What the frontend hands to the compiler, whatever the user's network was."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, final

from mcc.ir.diagnostics import Diagnostic, Severity
from mcc.ir.network import Certificate, Network
from mcc.ir.signature import Signature
from mcc.ir.tensors import Array

Run = Callable[[Sequence[Array]], Sequence[Array]]
"""Inputs to outputs, in order; raises where the shapes do not suit."""


@final
@dataclass(frozen=True)
class Capture:
    """A network for one sample, and how it relates to what the user gave."""

    network: Network
    """Stage captured, every shape static; `signature` names its inputs and outputs in order."""
    signature: Signature
    samples: bool
    """Whether axis 0 of every input and output counts samples that do not see each other."""
    examples: tuple[dict[str, Array], ...]
    """The example inputs, one entry for each run of the network."""
    certificate: Certificate
    """The comparison of the network with the original on the examples."""
    findings: tuple[Diagnostic, ...]
    """What was changed or assumed on the way, as notes and warnings."""
    provenance: dict[str, Any]
    """What the network was made from, as plain data without paths of this machine."""
    original: Run = field(repr=False, compare=False)
    """What the user gave, run on arrays: see `independent_on`."""


def note(code: str, message: str, help: str = "") -> Diagnostic:
    """Make a finding that the user should know and need not act on."""
    return Diagnostic(code, message, help, severity=Severity.NOTE)
