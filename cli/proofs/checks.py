"""What is said of one thing that was proved again, or could not be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final


@final
@dataclass(frozen=True)
class Check:
    """One thing that a compiled file claims."""

    name: str
    passed: bool
    detail: str
    recorded: bool = False
    """Whether it stands as it was written: nothing in the file could prove it."""
