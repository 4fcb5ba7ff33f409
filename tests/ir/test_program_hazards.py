"""Hazards: what must be found, what must not, across units, loops and strides."""

from __future__ import annotations

import random

import pytest

from mcc.backends.crossbar import targets
from mcc.ir.diagnostics import MccError
from mcc.ir.program import MOVER, VECTOR, DType, HostCall, Program, Region, Stream, Tile
from mcc.ir.program.hazards import check_hazards, hazards
from mcc.ir.program.instructions import (
    Binary,
    BinaryOperation,
    CallHost,
    Copy,
    EndLoop,
    Halt,
    Instruction,
    Load,
    Loop,
    Mvm,
    Post,
    Store,
    Unary,
    UnaryOperation,
)
from mcc.ir.program.overlap import Footprint, may_overlap
from mcc.ir.program.units import Unit, array

F32 = DType.FLOAT32
RELU = UnaryOperation.RELU
TARGET = targets.load("rram40nm")


def dense(base: int, count: int, step: int = 0) -> Stream:
    return Stream.dense(F32, base, (count,), (step,) if step else ())


def program(*code: Instruction) -> Program:
    tiles = tuple(
        Tile(0, macro, 0, 0, 4, 4, 8, 8, False, 0, b"", 0, "fc", (0, 0)) for macro in (0, 1)
    )
    regions = (Region("x", 0, F32, (8,)),), (Region("y", 64, F32, (8,)),)
    return Program(
        target=TARGET,
        cores=((*code, Halt()),),
        tiles=tiles,
        host_calls=(HostCall(0, *regions, 1),),
    )


def pairs(*code: Instruction) -> set[tuple[int, int]]:
    found: set[tuple[int, int]] = set()
    for item in hazards(program(*code)):
        words = item.message.split()
        numbers = [int(words[i + 1]) for i, word in enumerate(words) if word == "instruction"]
        found.add((numbers[-1], numbers[0]))
    return found


def load(base: int, count: int = 4, step: int = 0, wait: frozenset[Unit] = frozenset()) -> Load:
    return Load(dense(base, count, step), Stream.dense(F32, 1024, (count,)), wait=wait)


def test_read_of_what_is_being_loaded_needs_a_wait() -> None:
    relu = Unary(RELU, dense(64, 4), dense(0, 4))
    assert pairs(load(0), relu) == {(0, 1)}
    waiting = Unary(RELU, dense(64, 4), dense(0, 4), wait=frozenset({MOVER}))
    assert not pairs(load(0), waiting)


def test_an_error_names_both_instructions_and_the_unit() -> None:
    with pytest.raises(MccError) as caught:
        check_hazards(program(load(0), Unary(RELU, dense(64, 4), dense(0, 4))))
    item = caught.value.diagnostics[0]
    assert item.code == "program-hazard"
    assert "instruction 1 (unary) reads what is being written by instruction 0" in item.message
    assert item.help == "let it wait for unit m"


def test_overwriting_what_is_being_read_or_written_is_found() -> None:
    relu = Unary(RELU, dense(64, 4), dense(0, 4))
    assert pairs(relu, load(0)) == {(0, 1)}
    assert pairs(relu, load(64)) == {(0, 1)}
    assert not pairs(relu, load(16))


def test_a_unit_does_its_own_instructions_in_order() -> None:
    again = Copy(dense(64, 4), dense(0, 4))
    assert not pairs(load(0), again, load(0))


def test_waiting_of_anything_between_counts() -> None:
    other = Unary(RELU, dense(256, 4), dense(300, 4), wait=frozenset({MOVER}))
    relu = Unary(RELU, dense(64, 4), dense(0, 4))
    assert not pairs(load(0), other, relu)
    assert not pairs(load(0), Post(0), relu)


def test_products_may_add_to_the_same_sums_but_not_overwrite_codes() -> None:
    def mvm(tile: int, source: int) -> Mvm:
        codes = Stream.dense(DType.UINT8, source, (2, 4))
        return Mvm(tile, codes, 1, Stream.dense(DType.INT32, 64, (2, 4)))

    assert not pairs(mvm(0, 0), mvm(1, 0))
    assert pairs(mvm(0, 0), mvm(1, 64)) == {(0, 1), (1, 1)}
    store = Store(Stream.dense(DType.INT32, 0, (2, 4)), Stream.dense(DType.INT32, 64, (2, 4)))
    assert pairs(mvm(0, 0), mvm(1, 0), store) == {(0, 2), (1, 2)}


def test_what_the_iteration_before_left_in_flight_is_seen() -> None:
    waiting = Unary(RELU, dense(64, 4), dense(0, 4), wait=frozenset({MOVER}))
    assert pairs(Loop(2), load(0), waiting, EndLoop()) == {(2, 1)}
    both = load(0, wait=frozenset({VECTOR}))
    assert not pairs(Loop(2), both, waiting, EndLoop())
    assert not pairs(Loop(1), load(0), waiting, EndLoop())


def test_streams_that_advance_alike_are_compared_by_their_distance() -> None:
    def relu(source: int, step: int) -> Unary:
        return Unary(RELU, dense(4096, 4), dense(source, 4, step), wait=frozenset({MOVER}))

    assert not pairs(Loop(9), load(0, 4, 16), relu(0, 16), EndLoop())
    assert pairs(Loop(9), load(16, 4, 16), relu(32, 16), EndLoop()) == {(2, 1)}
    assert pairs(Loop(9), load(0, 4, 0), relu(0, 16), EndLoop()) == {(2, 1)}
    # The load of an iteration reaches what the reading of the one after next will read.
    assert not pairs(Loop(9), load(48, 4, 16), relu(0, 16), EndLoop())


def test_without_any_wait_every_earlier_iteration_counts() -> None:
    relu = Unary(RELU, dense(0, 4, 16), dense(4096, 4))
    store = Store(Stream.dense(F32, 0, (4,)), dense(48, 4, 16))
    # Iteration 3 of the relu writes what iteration 0 of the store reads.
    assert pairs(Loop(9), store, relu, EndLoop()) == {(1, 2)}
    assert not pairs(Loop(3), store, relu, EndLoop())


def test_inner_loops_are_swept_when_the_outer_one_goes_round() -> None:
    relu = Unary(RELU, dense(4096, 4), Stream.dense(F32, 0, (4,), (0, 16)))
    inner = (Loop(4), relu, EndLoop())
    assert pairs(Loop(2), load(48, wait=frozenset()), *inner, EndLoop()) == {(1, 3), (3, 1)}
    assert not pairs(Loop(2), load(64), *inner, EndLoop())


def test_columns_that_interleave_do_not_meet() -> None:
    left = Stream(F32, 0, ((8, 64), (4, 4)))
    right = Stream(F32, 16, ((8, 64), (4, 4)))
    write = Load(left, Stream.dense(F32, 0, (8, 4)))
    read = Unary(RELU, Stream.dense(F32, 4096, (8, 4)), right)
    assert not pairs(write, read)
    assert pairs(write, Unary(RELU, Stream.dense(F32, 4096, (8, 4)), left)) == {(0, 1)}


def test_the_host_and_the_mover_share_the_buffer() -> None:
    store = Store(dense(0, 4), dense(0, 4))
    assert pairs(store, CallHost(0)) == {(0, 1)}
    assert not pairs(store, CallHost(0, wait=frozenset({MOVER})))
    assert pairs(CallHost(0), Load(dense(0, 4), dense(64, 4))) == {(0, 1)}
    assert not pairs(CallHost(0), Load(dense(0, 4), dense(32, 4)))


def test_an_instruction_may_work_in_place_but_not_shifted() -> None:
    assert not pairs(Unary(RELU, dense(0, 4), dense(0, 4)))
    assert pairs(Copy(dense(4, 4), dense(0, 4))) == {(0, 0)}


def test_old_instructions_leave_the_bounded_queue() -> None:
    deep = TARGET.core.queue_depth + 1
    relu = Unary(RELU, dense(4096, 4), dense(0, 4))
    others = [load(1024 + 16 * index) for index in range(deep)]
    assert pairs(load(0), *others[1:], relu) == {(0, deep)}
    assert not pairs(load(0), *others, relu)
    assert not pairs(load(0), *others, Unary(RELU, dense(4096, 4), dense(0, 4)))


def test_overlap_agrees_with_sets_of_bytes() -> None:
    def footprint(base: int, dims: list[tuple[int, int]], width: int) -> set[int]:
        places = {base}
        for count, stride in dims:
            places = {place + index * stride for place in places for index in range(count)}
        return {place + byte for place in places for byte in range(width)}

    draw = random.Random(5)
    separated = 0
    for _ in range(3000):
        sides: list[tuple[int, list[tuple[int, int]], int]] = []
        for _ in range(2):
            dims = [(draw.randint(1, 4), draw.choice([-16, -4, 0, 4, 8, 16, 32])) for _ in "ab"]
            sides.append((draw.randint(0, 80), dims, draw.choice([1, 4])))
        meet = bool(footprint(*sides[0]) & footprint(*sides[1]))
        claimed = may_overlap(Footprint.of(*sides[0]), Footprint.of(*sides[1]))
        assert claimed or not meet
        separated += not claimed and bool(meet is False)
    assert separated > 300


def test_arrays_are_units_of_their_own() -> None:
    sums = Stream.dense(DType.INT32, 64, (2, 4))
    product = Mvm(1, Stream.dense(DType.UINT8, 0, (2, 4)), 1, sums)
    zero = Binary(BinaryOperation.SUB, sums, sums, sums)
    assert pairs(zero, product) == {(0, 1)}
    assert pairs(product, zero) == {(0, 1)}
    after = Binary(BinaryOperation.SUB, sums, sums, sums, wait=frozenset({array(1)}))
    assert not pairs(product, after)
