"""Free cells of a chip: where a piece of a matrix finds room."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import final

from mcc.ir.hardware import Target
from mcc.ir.program.topology import topology


@final
@dataclass(frozen=True, slots=True)
class Piece:
    """A tile of a contraction, and the cells that it takes."""

    block: tuple[int, int]
    """Row block and column block."""
    rows: int
    cols: int
    """Physical columns."""


@final
@dataclass(frozen=True, slots=True)
class Seat:
    """A piece in a macro."""

    piece: Piece
    core: int
    macro: int
    row: int
    col: int
    round: int


def nearest(target: Target) -> list[int]:
    """Return the cores in the order of their distance from the buffer, where all tensors lie."""
    mesh = topology(target)
    return sorted(range(mesh.cores), key=lambda core: len(mesh.path_to_buffer(core)))


@final
@dataclass
class _Macro:
    """Free cells of a macro: shelves of equal height, filled from the left."""

    rows: int
    cols: int
    shared: bool
    shelves: list[list[int]] = field(default_factory=list[list[int]])
    used: int = 0

    def place(self, piece: Piece) -> tuple[int, int] | None:
        """Take cells for a piece; return its first row and column."""
        if self.shelves and not self.shared:
            return None
        for shelf in self.shelves:
            row, height, taken = shelf
            if piece.rows <= height and taken + piece.cols <= self.cols:
                shelf[2] += piece.cols
                return row, taken
        if self.used + piece.rows > self.rows or piece.cols > self.cols:
            return None
        self.shelves.append([self.used, piece.rows, piece.cols])
        self.used += piece.rows
        return self.used - piece.rows, 0

    def copy(self) -> _Macro:
        """Return an independent copy."""
        shelves = [list(shelf) for shelf in self.shelves]
        return _Macro(self.rows, self.cols, self.shared, shelves, self.used)


@final
class Chip:
    """Free cells of all cores in one round."""

    def __init__(self, target: Target, shared: bool, number: int) -> None:
        """Start empty.

        Args:
            target: The chip.
            shared: Whether a macro may hold several pieces.
            number: The round.
        """
        self.number = number
        self._nearest = nearest(target)
        rows, cols = target.macro.rows, target.macro.cols
        self._cores = [
            [_Macro(rows, cols, shared) for _ in range(target.core.macros)] for _ in self._nearest
        ]
        self._used = [0] * len(self._cores)
        """Rows in use, by core."""

    @property
    def empty(self) -> bool:
        """Whether nothing is seated yet."""
        return not any(self._used)

    def by_room(self) -> list[int]:
        """Return the cores, the emptiest first; of equally empty ones, the nearest."""
        return sorted(self._nearest, key=self._used.__getitem__)

    def seat_all(self, core: int, pieces: Iterable[Piece]) -> list[Seat] | None:
        """Take cells of a core for all pieces, or for none."""
        wanted = list(pieces)
        before = self._cores[core], self._used[core]
        seats = self.seat_some(core, wanted)
        if len(seats) == len(wanted):
            return seats
        self._cores[core], self._used[core] = before
        return None

    def seat_some(self, core: int, pieces: Iterable[Piece]) -> list[Seat]:
        """Take cells of a core for the first pieces, as many as fit."""
        macros = [macro.copy() for macro in self._cores[core]]
        seats: list[Seat] = []
        for piece in pieces:
            seat = self._seat(macros, core, piece)
            if seat is None:
                break
            seats.append(seat)
        self._cores[core] = macros
        self._used[core] = sum(macro.used for macro in macros)
        return seats

    def _seat(self, macros: list[_Macro], core: int, piece: Piece) -> Seat | None:
        for index, macro in enumerate(macros):
            place = macro.place(piece)
            if place is not None:
                return Seat(piece, core, index, *place, self.number)
        return None

    def save(self) -> tuple[list[list[_Macro]], list[int]]:
        """Return the state, to go back to; macros are replaced, never changed."""
        return list(self._cores), list(self._used)

    def restore(self, state: tuple[list[list[_Macro]], list[int]]) -> None:
        """Go back to a saved state."""
        self._cores, self._used = list(state[0]), list(state[1])
