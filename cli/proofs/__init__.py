"""What a compiled file claims, and the proof of it from nothing but the file."""

from __future__ import annotations

from mcc.cli.proofs.checks import Check
from mcc.cli.proofs.verification import verify

__all__ = ["Check", "verify"]
