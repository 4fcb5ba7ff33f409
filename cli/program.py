"""What compilation gives: a program with its proofs, to be saved, asked and run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

from mcc.ir import artifact as artifacts
from mcc.ir.artifact import Artifact
from mcc.ir.diagnostics import Diagnostic, error, nearest
from mcc.ir.hardware import Target
from mcc.ir.network import Certificate
from mcc.ir.program.assembly import disassemble

if TYPE_CHECKING:
    from mcc.cli.proofs import Check


@final
class Program:
    """A compiled network."""

    def __init__(self, artifact: Artifact, findings: tuple[Diagnostic, ...] = ()) -> None:
        """Hold the content of a compiled file, and what was found while it was made."""
        self.artifact = artifact
        self.findings = findings

    @property
    def target(self) -> Target:
        """The chip it is for."""
        return self.artifact.program.target

    @property
    def certificates(self) -> tuple[Certificate, ...]:
        """One proof for the capture, each pass, and the program."""
        return self.artifact.certificates

    def save(self, path: str | Path) -> None:
        """Write the compiled file, completely or not at all."""
        artifacts.save(self.artifact, path)

    def report(self) -> Mapping[str, Any]:
        """Return cycles, energy, area, use and places as plain data."""
        return self.artifact.report

    def explain(self, node: str | None = None) -> list[dict[str, Any]]:
        """Return where every node went and why.

        Args:
            node: Only those whose name, operator or place in the source holds this.

        Raises:
            MccError: `usage`, where there is none.
        """
        from mcc.cli.explanation import explanations

        rows = explanations(self.artifact, None if node is None else str(node))
        if node is not None and not rows:
            text = f"no operator of the network has `{node}` in its name or source"
            names = (row["node"] for row in explanations(self.artifact))
            raise error("usage", text, nearest(str(node), names))
        return rows

    def verify(self) -> list[Check]:
        """Prove again everything that the file claims."""
        from mcc.cli.proofs import verify

        return list(verify(self.artifact))

    def disassemble(self) -> str:
        """Return the instructions as text."""
        return disassemble(self.artifact.program)


def load(path: str | Path) -> Program:
    """Read a compiled file; nothing of it is executed."""
    return Program(artifacts.load(path))
