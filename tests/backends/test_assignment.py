from __future__ import annotations

from collections.abc import Sequence

import pytest

from mcc.backends.crossbar.assignment import Turn, assign
from mcc.backends.crossbar.seating import Piece, Seat
from mcc.ir.diagnostics import MccError
from mcc.ir.hardware import Target
from tests.mapped_networks import chip


def columns(rows: int, cols: int, height: int, width: int) -> list[list[Piece]]:
    return [[Piece((row, col), height, width) for row in range(rows)] for col in range(cols)]


def small(cores: int, macros: int) -> Target:
    return chip(chip__mesh_rows=1, chip__mesh_cols=cores, core__macros=macros)


def seats(turns: Sequence[Sequence[Turn]]) -> list[Seat]:
    return [
        seat for parts in turns for turn in parts for share in turn.shares for seat in share.seats
    ]


def check(contractions: list[list[list[Piece]]], turns: list[list[Turn]]) -> None:
    """Every piece has its cells, and no two share a cell in the same round."""
    for pieces, parts in zip(contractions, turns, strict=True):
        wanted = [piece for column in pieces for piece in column]
        assert sorted(seat.piece.block for seat in seats([parts])) == sorted(
            piece.block for piece in wanted
        )
        for turn in parts:
            for share in turn.shares:
                assert {seat.core for seat in share.seats} == {share.core}
                blocks = {seat.piece.block[1] for seat in share.seats}
                assert blocks == set(share.blocks)
    cells: set[tuple[int, ...]] = set()
    for seat in seats(turns):
        for row in range(seat.row, seat.row + seat.piece.rows, 64):
            for col in range(seat.col, seat.col + seat.piece.cols, 32):
                key = (seat.round, seat.core, seat.macro, row, col)
                assert key not in cells
                cells.add(key)


def test_every_tile_has_a_macro_while_there_are_enough() -> None:
    contractions = [columns(2, 3, 512, 512), columns(1, 2, 64, 64)]
    turns = assign(contractions, small(4, 4))
    check(contractions, turns)
    found = seats(turns)
    assert len({(seat.core, seat.macro) for seat in found}) == len(found)


def test_a_contraction_stays_on_one_core_where_it_fits() -> None:
    [[turn]] = assign([columns(2, 2, 512, 512)], small(4, 4))
    assert [len(share.seats) for share in turn.shares] == [4]


@pytest.mark.parametrize("sizes", [[1] * 12, [3, 1, 1, 1, 3, 3], [2, 4, 2, 4]])
def test_macros_in_use_are_balanced_over_the_cores(sizes: list[int]) -> None:
    """Every contraction goes to the core with the most free macros at that time."""
    used = [0] * 4
    for [turn] in assign([columns(1, size, 512, 512) for size in sizes], small(4, 4)):
        [share] = turn.shares
        assert used[share.core] == min(used)
        used[share.core] += len(share.seats)
    assert max(used) - min(used) <= max(sizes)


def test_of_equally_empty_cores_the_one_nearest_to_the_buffer_is_taken() -> None:
    target = chip(chip__mesh_rows=2, chip__mesh_cols=2)
    turns = assign([columns(1, 1, 512, 512) for _ in range(6)], target)
    assert [seat.core for seat in seats(turns)] == [0, 2, 1, 3, 0, 2]


def test_small_tiles_share_macros_when_these_run_out() -> None:
    contractions = [columns(2, 4, 128, 128) for _ in range(4)]
    turns = assign(contractions, small(1, 2))
    check(contractions, turns)
    assert len({(seat.core, seat.macro) for seat in seats(turns)}) == 2


def test_a_column_larger_than_a_core_is_added_up_by_one() -> None:
    contractions = [columns(5, 2, 512, 512)]
    turns = assign(contractions, small(5, 2))
    check(contractions, turns)
    shares = turns[0][0].shares
    for share in shares:
        if share.core == share.primary:
            partners = [item for item in shares if item.blocks == share.blocks]
            assert share.others == tuple(item.core for item in partners[1:])


def test_rounds_when_the_chip_is_full() -> None:
    contractions = [columns(2, 2, 512, 512) for _ in range(3)]
    turns = assign(contractions, small(2, 2))
    check(contractions, turns)
    assert [seat.round for seat in seats(turns)] == [0] * 4 + [1] * 4 + [2] * 4
    assert all(len(parts) == 1 for parts in turns)


def test_a_contraction_larger_than_the_chip_takes_turns_by_columns() -> None:
    contractions = [columns(2, 5, 512, 512)]
    turns = assign(contractions, small(2, 2))
    check(contractions, turns)
    assert [len(seats([[turn]])) for turn in turns[0]] == [4, 4, 2]
    assert all(turn.first and turn.last for turn in turns[0])


def test_a_column_larger_than_the_chip_takes_turns_by_rows() -> None:
    contractions = [columns(7, 2, 512, 512)]
    turns = assign(contractions, small(1, 3))
    check(contractions, turns)
    assert [(turn.first, turn.last) for turn in turns[0]] == [
        (True, False),
        (False, False),
        (False, True),
    ] * 2


def test_a_tile_larger_than_a_macro_is_refused() -> None:
    with pytest.raises(MccError, match=r"error\[tile-too-large\].*600 rows"):
        assign([columns(1, 1, 600, 10)], small(1, 1))
