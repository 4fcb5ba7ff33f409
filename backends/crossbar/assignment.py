"""Which macro of which core holds which tile, and when: dedicated, packed, or in turns.

A tile gets a macro of its own while there are enough. Else small tiles share macros. What still
does not fit is written in rounds, one after another.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import final

from mcc.ir.diagnostics import error
from mcc.ir.hardware import Target
from mcc.ir.hardware.derived import cores as core_count


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


@final
@dataclass(frozen=True, slots=True)
class Share:
    """What one core does for some column blocks of a contraction."""

    core: int
    blocks: range
    """Column blocks."""
    seats: tuple[Seat, ...]
    primary: int
    """The core that adds the partial sums up; itself where it needs no other's."""
    others: tuple[int, ...] = ()
    """Cores whose partial sums it adds."""


@final
@dataclass(frozen=True, slots=True)
class Turn:
    """What of a contraction is done while the chip holds one set of tiles."""

    shares: tuple[Share, ...]
    first: bool = True
    """Whether its sums start afresh; else from those of the turn before."""
    last: bool = True
    """Whether its sums are complete."""


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
class _Chip:
    """Free cells of all cores in one round."""

    def __init__(self, target: Target, shared: bool, number: int) -> None:
        self.number = number
        rows, cols = target.macro.rows, target.macro.cols
        self.cores = [
            [_Macro(rows, cols, shared) for _ in range(target.core.macros)]
            for _ in range(core_count(target))
        ]
        self._used = [0] * len(self.cores)
        """Rows in use, by core."""

    @property
    def empty(self) -> bool:
        """Whether nothing is seated yet."""
        return not any(self._used)

    def by_room(self) -> list[int]:
        """Return the cores, the emptiest first."""
        return sorted(range(len(self.cores)), key=self._used.__getitem__)

    def seat(self, core: int, pieces: Sequence[Piece]) -> list[Seat] | None:
        """Take cells of a core for all pieces, or for none."""
        macros = [macro.copy() for macro in self.cores[core]]
        seats: list[Seat] = []
        for piece in pieces:
            seat = self._seat_one(macros, core, piece)
            if seat is None:
                return None
            seats.append(seat)
        self.cores[core] = macros
        self._used[core] = sum(macro.used for macro in macros)
        return seats

    def _seat_one(self, macros: list[_Macro], core: int, piece: Piece) -> Seat | None:
        for index, macro in enumerate(macros):
            place = macro.place(piece)
            if place is not None:
                return Seat(piece, core, index, *place, self.number)
        return None

    def save(self) -> tuple[list[list[_Macro]], list[int]]:
        """Return the state, to go back to; macros are replaced, never changed."""
        return list(self.cores), list(self._used)

    def restore(self, state: tuple[list[list[_Macro]], list[int]]) -> None:
        """Go back to a saved state."""
        self.cores, self._used = list(state[0]), list(state[1])


Columns = Sequence[Sequence[Piece]]
"""The pieces of each column block of a contraction."""


def assign(contractions: Sequence[Columns], target: Target) -> list[list[Turn]]:
    """Seat the tiles of all contractions; every one gets one turn or more.

    Raises:
        MccError: `tile-too-large`, where one tile is larger than a macro.
    """
    _check(contractions, target)
    for shared in (False, True):
        chip = _Chip(target, shared, 0)
        turns = [_whole(chip, columns) for columns in contractions]
        found = [[turn] for turn in turns if turn is not None]
        if len(found) == len(contractions):
            return found
    return _rounds(contractions, target)


def _check(contractions: Sequence[Columns], target: Target) -> None:
    macro = target.macro
    for columns in contractions:
        for piece in (piece for column in columns for piece in column):
            if piece.rows > macro.rows or piece.cols > macro.cols:
                raise error(
                    "tile-too-large",
                    f"a tile of {piece.rows} rows and {piece.cols} physical columns does not fit "
                    f"into a macro of {macro.rows} x {macro.cols}",
                )


def _whole(chip: _Chip, columns: Columns, first: int = 0) -> Turn | None:
    """Seat a whole contraction in one round, or nothing of it."""
    before = chip.save()
    shares: list[Share] = []
    start, number = 0, len(columns)
    while start < number:
        made = _run_of_blocks(chip, columns, start, first) or _split_block(
            chip, columns[start], start, first
        )
        if not made:
            chip.restore(before)
            return None
        shares += made
        start = made[0].blocks.stop - first
    return Turn(tuple(shares))


def _run_of_blocks(chip: _Chip, columns: Columns, start: int, first: int) -> list[Share]:
    """Give the emptiest core as many of the next column blocks as it takes."""
    for core in chip.by_room():
        seats: list[Seat] = []
        stop = start
        while stop < len(columns):
            more = chip.seat(core, columns[stop])
            if more is None:
                break
            seats += more
            stop += 1
        if stop > start:
            return [Share(core, range(first + start, first + stop), tuple(seats), core)]
    return []


def _split_block(chip: _Chip, column: Sequence[Piece], index: int, first: int) -> list[Share]:
    """Spread the tiles of one column block over cores; the first one adds up."""
    blocks = range(first + index, first + index + 1)
    found: list[tuple[int, list[Seat]]] = []
    left = list(column)
    for core in chip.by_room():
        seats: list[Seat] = []
        while left:
            more = chip.seat(core, left[:1])
            if more is None:
                break
            seats += more
            left.pop(0)
        if seats:
            found.append((core, seats))
        if not left:
            break
    if left:
        return []
    primary = found[0][0]
    others = tuple(core for core, _ in found[1:])
    return [
        Share(core, blocks, tuple(seats), primary, others if core == primary else ())
        for core, seats in found
    ]


def _rounds(contractions: Sequence[Columns], target: Target) -> list[list[Turn]]:
    """Seat contractions in their order, starting a round when the chip is full."""
    chip = _Chip(target, True, 0)
    found: list[list[Turn]] = []
    for columns in contractions:
        turn = _whole(chip, columns)
        if turn is None and not chip.empty:
            chip = _Chip(target, True, chip.number + 1)
            turn = _whole(chip, columns)
        if turn is not None:
            found.append([turn])
            continue
        turns, chip = _in_parts(chip, columns, target)
        found.append(turns)
    return found


def _in_parts(chip: _Chip, columns: Columns, target: Target) -> tuple[list[Turn], _Chip]:
    """Seat a contraction that is larger than the chip: column blocks, and their rows, in turn."""
    turns: list[Turn] = []
    start = 0
    while start < len(columns):
        stop = start + _most_blocks(chip, columns[start:])
        turn = _whole(chip, columns[start:stop], start)
        if stop > start and turn is not None:
            turns.append(turn)
        else:
            parts, chip = _rows_in_turn(chip, columns[start], start, target)
            turns += parts
            stop = start + 1
        start = stop
        if start < len(columns):
            chip = _Chip(target, True, chip.number + 1)
    return turns, chip


def _most_blocks(chip: _Chip, columns: Columns) -> int:
    """Return how many of the first column blocks an empty chip takes."""
    low, high = 0, len(columns)
    while low < high:
        middle = (low + high + 1) // 2
        before = chip.save()
        taken = _whole(chip, columns[:middle])
        chip.restore(before)
        low, high = (middle, high) if taken is not None else (low, middle - 1)
    return low


def _rows_in_turn(
    chip: _Chip, column: Sequence[Piece], index: int, target: Target
) -> tuple[list[Turn], _Chip]:
    """Seat one column block whose tiles alone are more than the chip holds."""
    turns: list[Turn] = []
    start = 0
    while start < len(column):
        stop = len(column)
        shares: list[Share] = []
        while not shares:
            before = chip.save()
            shares = _split_block(chip, column[start:stop], index, 0)
            if not shares:
                chip.restore(before)
                stop -= 1
        turns.append(Turn(tuple(shares), start == 0, stop == len(column)))
        start = stop
        if start < len(column):
            chip = _Chip(target, True, chip.number + 1)
    return turns, chip
