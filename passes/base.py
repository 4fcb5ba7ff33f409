"""What a pass is: a rewrite of networks with options, a contract, and stages it goes between."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar, final

import onnx_ir as ir

from mcc.ir.diagnostics import NOWHERE, Diagnostic, Severity
from mcc.ir.hardware import Target
from mcc.ir.network import Contract, Feeds, Network, Stage, location_of


@final
@dataclass(frozen=True, kw_only=True)
class PassContext:
    """What passes know besides the network, and where they leave their findings."""

    target: Target | None = None
    """The chip, for passes that need one."""
    calibration: tuple[Feeds, ...] = ()
    """Inputs that the user gave for calibration: one sample each."""
    result: Network | None = None
    """What the pass made of the network before, where it is to make it again without all of the
    calibration data: what these alone decide (ranges, the step of converters) is read from it."""
    findings: list[Diagnostic] = field(default_factory=list[Diagnostic])
    """What passes left alone, or did in a way that the user should know."""

    def report(
        self,
        code: str,
        message: str,
        node: ir.Node | None = None,
        help: str = "",
        severity: Severity = Severity.NOTE,
    ) -> None:
        """Add a finding, at the source location of `node`, unless it is there already."""
        location = NOWHERE if node is None else location_of(node)
        finding = Diagnostic(code, message, help, location, severity)
        if finding not in self.findings:
            self.findings.append(finding)

    def report_unused(self, name: str, options: Sequence[str], reason: str, help: str) -> None:
        """Warn of options of the pass `name` that nothing in the network reads, if any.

        Args:
            name: Of the pass.
            options: As the user may write them, `option=value`.
            reason: Why, as the end of a sentence.
            help: What to do instead.
        """
        if options:
            listed = ", ".join(f"`{option}`" for option in options)
            message = f"{name}: without effect in this network: {listed}; {reason}"
            self.report("option-unused", message, help=help, severity=Severity.WARNING)


@dataclass(frozen=True)
class Pass(ABC):
    """A rewrite. The fields of the dataclass are its options; `name{option=value}` sets them.

    The first line of a pass's docstring is its line in `mcc passes`.
    """

    name: ClassVar[str]
    contract: ClassVar[Contract]
    from_stage: ClassVar[Stage]
    to_stage: ClassVar[Stage]

    @abstractmethod
    def run(self, network: Network, context: PassContext) -> Network:
        """Rewrite `network`, a private copy that may be changed in place, and return it.

        The pipeline sets the stage, checks that the result is legal in it, and proves the
        contract.
        """

    def bound(self, before: Network, after: Network) -> float:
        """Return what the certificate's `measured` may reach.

        The default is zero for exact passes and no limit for lossy ones. Bounded passes are held
        against what rounding explains, which the pipeline measures (`rounding.py`).
        """
        return 0.0 if self.contract is Contract.EXACT else math.inf
