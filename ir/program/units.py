"""The units of a core: what executes instructions side by side."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import final


@final
class UnitKind(StrEnum):
    """Which kind of unit; the value is its letter in assembly text."""

    VECTOR = "v"
    """Elementwise arithmetic and reductions."""
    MOVER = "m"
    """Copies between memories and messages between cores."""
    HOST = "h"
    """The host's subgraphs; only core 0 has this unit."""
    ARRAY = "a"
    """One macro; the index says which."""


@final
@dataclass(frozen=True, slots=True)
class Unit:
    """One unit of a core."""

    kind: UnitKind
    index: int = 0

    @property
    def code(self) -> int:
        """Number of the unit inside its core: vector 0, mover 1, host 2, macro i 3 + i."""
        return _CODES[self.kind] + self.index

    @staticmethod
    def of(code: int) -> Unit:
        """Return the unit with this number."""
        return _FIXED[code] if code < len(_FIXED) else array(code - len(_FIXED))

    def __str__(self) -> str:
        return f"{self.kind}{self.index}" if self.kind is UnitKind.ARRAY else str(self.kind)


_CODES = {UnitKind.VECTOR: 0, UnitKind.MOVER: 1, UnitKind.HOST: 2, UnitKind.ARRAY: 3}

VECTOR = Unit(UnitKind.VECTOR)
"""The vector unit of the core."""
MOVER = Unit(UnitKind.MOVER)
"""The mover of the core."""
HOST = Unit(UnitKind.HOST)
"""The host, on core 0."""
_FIXED = (VECTOR, MOVER, HOST)


@cache
def array(index: int) -> Unit:
    """Return the unit of macro `index` of the core."""
    return Unit(UnitKind.ARRAY, index)
