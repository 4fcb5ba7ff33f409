"""Which macro of which core holds which tile, and when: dedicated, packed, or in turns.

A tile gets a macro of its own while there are enough. Else small tiles share macros. What still
does not fit is written in rounds, one after another.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

from mcc.backends.crossbar.seating import Chip, Piece, Seat
from mcc.ir.diagnostics import error
from mcc.ir.hardware import Target


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


Columns = Sequence[Sequence[Piece]]
"""The pieces of each column block of a contraction."""


def assign(contractions: Sequence[Columns], target: Target) -> list[list[Turn]]:
    """Seat the tiles of all contractions; every one gets one turn or more.

    Raises:
        MccError: `tile-too-large`, where one tile is larger than a macro.
    """
    _check(contractions, target)
    for shared in (False, True):
        chip = Chip(target, shared, 0)
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


def _whole(chip: Chip, columns: Columns, first: int = 0) -> Turn | None:
    """Seat a whole contraction in one round, or nothing of it."""
    before = chip.save()
    shares: list[Share] = []
    start, number = 0, len(columns)
    while start < number:
        share = _run_of_blocks(chip, columns, start, first)
        if share is not None:
            shares.append(share)
            start = share.blocks.stop - first
            continue
        parts, left = _split_block(chip, columns[start], first + start)
        if left:
            chip.restore(before)
            return None
        shares += parts
        start += 1
    return Turn(tuple(shares))


def _run_of_blocks(chip: Chip, columns: Columns, start: int, first: int) -> Share | None:
    """Give the emptiest core as many of the next column blocks as it takes."""
    for core in chip.by_room():
        seats: list[Seat] = []
        stop = start
        while stop < len(columns):
            more = chip.seat_all(core, columns[stop])
            if more is None:
                break
            seats += more
            stop += 1
        if stop > start:
            return Share(core, range(first + start, first + stop), tuple(seats), core)
    return None


def _split_block(
    chip: Chip, column: Sequence[Piece], block: int
) -> tuple[list[Share], Sequence[Piece]]:
    """Spread the tiles of one column block over cores; the first one adds up.

    Returns:
        The shares, and the tiles for which the chip has no room: the last ones.
    """
    found: list[tuple[int, list[Seat]]] = []
    left = column
    for core in chip.by_room():
        if not left:
            break
        seats = chip.seat_some(core, left)
        if seats:
            found.append((core, seats))
            left = left[len(seats) :]
    primary = found[0][0] if found else 0
    others = tuple(core for core, _ in found[1:])
    blocks = range(block, block + 1)
    shares = [
        Share(core, blocks, tuple(seats), primary, others if core == primary else ())
        for core, seats in found
    ]
    return shares, left


def _rounds(contractions: Sequence[Columns], target: Target) -> list[list[Turn]]:
    """Seat contractions in their order, starting a round when the chip is full."""
    chip = Chip(target, True, 0)
    found: list[list[Turn]] = []
    for columns in contractions:
        turn = _whole(chip, columns)
        if turn is None and not chip.empty:
            chip = Chip(target, True, chip.number + 1)
            turn = _whole(chip, columns)
        if turn is not None:
            found.append([turn])
            continue
        turns, chip = _in_parts(chip, columns, target)
        found.append(turns)
    return found


def _in_parts(chip: Chip, columns: Columns, target: Target) -> tuple[list[Turn], Chip]:
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
            chip = Chip(target, True, chip.number + 1)
    return turns, chip


def _most_blocks(chip: Chip, columns: Columns) -> int:
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
    chip: Chip, column: Sequence[Piece], index: int, target: Target
) -> tuple[list[Turn], Chip]:
    """Seat one column block whose tiles alone are more than the chip holds."""
    turns: list[Turn] = []
    left = column
    while left:
        if turns:
            chip = Chip(target, True, chip.number + 1)
        shares, left = _split_block(chip, left, index)
        turns.append(Turn(tuple(shares), first=not turns, last=not left))
    return turns, chip
