"""What a legal program is: every rule has a program that breaks it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from mcc.backends.crossbar import targets
from mcc.ir.diagnostics import MccError
from mcc.ir.program import (
    Constant,
    DType,
    HostCall,
    Image,
    Program,
    Region,
    Stream,
    Tile,
    Unit,
    array,
)
from mcc.ir.program.checks import check
from mcc.ir.program.instructions import (
    Binary,
    BinaryOperation,
    CallHost,
    Copy,
    EndLoop,
    Fill,
    Halt,
    Instruction,
    Load,
    Loop,
    Mvm,
    Post,
    ProgramMacro,
    Quantize,
    Recv,
    Reduce,
    ReduceOperation,
    Send,
    Unary,
    UnaryOperation,
    Wait,
)
from mcc.ir.program.units import HOST
from tests.program_generator import random_program

F32, I32, U8 = DType.FLOAT32, DType.INT32, DType.UINT8
TARGET = targets.load("rram40nm").with_values(
    {"chip.mesh_rows": 1, "chip.mesh_cols": 2, "core.macros": 2}
)
CELLS = np.zeros((512, 512), np.uint8)
TILE = Tile(0, 0, 0, 0, 6, 4, 8, 8, False, 0, b"", 0, "fc", (0, 0))
WHOLE = Stream.dense(I32, 0, (4,))
X = Region("x", 0, F32, (8,))


def floats(count: int, base: int = 0, steps: tuple[int, ...] = ()) -> Stream:
    return Stream.dense(F32, base, (count,), steps)


def program(*code: Instruction, **changes: Any) -> Program:
    legal = Program(
        target=TARGET,
        cores=((*code, Halt()), (Halt(),)),
        tiles=(TILE,),
        images=(Image(0, 0, CELLS), Image(0, 1, CELLS)),
        host_calls=(HostCall(0, (X,), (X,), 1),),
        host_graphs=(b"",),
        semaphores=1,
        buffer_bytes=1024,
        memory_bytes=(1024, 1024),
    )
    return replace(legal, **changes)


def refusal(bad: Program) -> str:
    with pytest.raises(MccError) as caught:
        check(bad)
    assert {item.code for item in caught.value.diagnostics} == {"program-invalid"}
    return str(caught.value)


def mvm(**changes: Any) -> Mvm:
    good = Mvm(0, Stream.dense(U8, 0, (5, 2, 3)), 2, Stream.dense(I32, 64, (5, 4)))
    return replace(good, **changes)


def test_legal_programs_pass() -> None:
    check(program())
    check(program(mvm(), CallHost(0), ProgramMacro(1, 1), Load(floats(4), floats(4))))
    for seed in range(20):
        check(random_program(seed))


@pytest.mark.parametrize(
    ("instruction", "message"),
    [
        (Load(floats(300), floats(300)), "bytes 0 to 1200 of the local memory, of which 1024"),
        (Load(floats(4), floats(4, 1020)), "bytes 1020 to 1036 of the global buffer"),
        (Load(Stream(F32, 0, ((2, -4),)), floats(2)), "bytes -4 to 4"),
        (Load(floats(4, 0, (4,)), floats(4)), "1 steps inside 0 loops"),
        (Load(floats(4), floats(5)), "same type and number"),
        (Load(floats(4), Stream.dense(I32, 0, (4,))), "same type and number"),
        (Copy(Stream(F32, 0, ((4, 0),)), floats(4)), "a place for every element"),
        (Fill(Stream(F32, 0, ((4, 0),)), 0.0), "a place for every element"),
        (Fill(floats(4), 0.0, wait=frozenset({array(2)})), "it waits for a2, not there"),
        (Send(0, floats(4)), "core 0 is not another core"),
        (Send(2, floats(4)), "core 2 is not another core"),
        (Recv(2, floats(4)), "core 2 is not another core"),
        (Post(1), "no semaphore 1"),
        (Wait(1), "no semaphore 1"),
        (Loop(0), "at least once"),
        (Loop(2), "a loop is not closed"),
        (EndLoop(), "it closes no loop"),
        (Halt(), "its only `halt`"),
        (CallHost(1), "no host call 1"),
        (ProgramMacro(2, 0), "no macro 2"),
        (ProgramMacro(0, 2), "no image 2"),
        (ProgramMacro(0, 1), "image 1 belongs to another macro"),
        (mvm(tile=1), "no tile 1"),
        (mvm(row_dims=1), "do not count the 6 rows"),
        (mvm(row_dims=4), "do not count the 6 rows"),
        (mvm(source=Stream.dense(DType.INT8, 0, (5, 2, 3))), "unsigned codes"),
        (mvm(result=Stream.dense(I32, 64, (5, 3))), "the tile's columns"),
        (mvm(result=Stream.dense(I32, 64, (4, 4))), "the positions of the source"),
        (mvm(result=Stream.dense(F32, 64, (5, 4))), "sums must be int32"),
        (mvm(result=Stream(I32, 64, ((5, 0), (4, 4)))), "each at its own place"),
        (Binary(BinaryOperation.ADD, floats(4), floats(4), floats(5)), "same counts"),
        (Binary(BinaryOperation.ADD, *[Stream.dense(U8, 0, (4,))] * 3), "uint8 where float32 or"),
        (Binary(BinaryOperation.DIV, WHOLE, WHOLE, WHOLE), "div is for float32"),
        (Unary(UnaryOperation.SQRT, WHOLE, WHOLE), "int32 where float32"),
        (Quantize(floats(4), floats(4), floats(4), 0, 0, 9), "float32 where int8 or uint8"),
        (
            Quantize(Stream.dense(U8, 0, (4,)), floats(4), floats(4), 0, -1, 9),
            "from -1 to 9 do not fit uint8",
        ),
        (Reduce(ReduceOperation.ADD, floats(4), floats(4), 1), "those to combine"),
        (Reduce(ReduceOperation.ADD, floats(4), floats(4), 0), "those to combine"),
    ],
)
def test_illegal_instructions_are_named(instruction: Instruction, message: str) -> None:
    text = refusal(program(instruction))
    assert message in text
    assert f"({instruction.MNEMONIC})" in text or "is not closed" in text


def test_steps_of_all_loops_count_for_the_bounds() -> None:
    inside = Load(floats(4, 0, (16,)), floats(4))
    check(program(Loop(64), Loop(1), Load(floats(4, 0, (16, 999)), floats(4)), *[EndLoop()] * 2))
    check(program(Loop(63), inside, EndLoop()))
    assert "bytes 0 to 1040" in refusal(program(Loop(65), inside, EndLoop()))


def test_only_core_0_has_the_host_and_only_its_own_tiles() -> None:
    def other(*code: Instruction) -> Program:
        return program(cores=((Halt(),), (*code, Halt())))

    assert "only core 0" in refusal(other(CallHost(0)))
    assert "tile 0 is in core 0" in refusal(other(mvm()))
    assert "waits for h" in refusal(other(Fill(floats(4), 0.0, wait=frozenset({HOST}))))


def test_a_semaphore_has_one_core_that_waits() -> None:
    code = (Post(0), Post(0), Wait(0), Halt())
    assert "core 0 waits for the same" in refusal(program(cores=(code, (Wait(0), Halt()))))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"cores": ((Halt(),),)}, "the target has 2 cores, the program 1"),
        ({"cores": ((), (Halt(),))}, "there is no `halt`"),
        ({"memory_bytes": (1024, 2**30)}, "core 1 uses 1073741824 bytes"),
        ({"buffer_bytes": 2**40}, "of a buffer of"),
        ({"source_map": (("a",), ())}, "does not name every instruction"),
        ({"inputs": (replace(X, address=1000),)}, "input x: it lies outside"),
        ({"outputs": (replace(X, shape=(400,)),)}, "output x: it lies outside"),
        ({"constants": (Constant(X, b"1234"),)}, "its data has another size"),
        ({"constants": (Constant(replace(X, address=2000), bytes(32)),)}, "constant x"),
        ({"host_calls": (HostCall(1, (), (), 1),)}, "there is no host graph 1"),
        ({"host_calls": (HostCall(0, (replace(X, address=-4),), (), 1),)}, "host call 0 x"),
        ({"images": (Image(0, 0, CELLS[:9]),)}, "not that of the macro"),
        ({"images": (Image(0, 0, CELLS + 2),)}, "higher than a cell has"),
        ({"images": (Image(0, 0, CELLS), Image(0, 2, CELLS))}, "no macro 2 in a core 0"),
        ({"tiles": (replace(TILE, image=2),)}, "there is no image 2"),
        ({"tiles": (replace(TILE, image=1),)}, "image 1 belongs to another macro"),
        ({"tiles": (replace(TILE, rows=0),)}, "it is empty"),
        ({"tiles": (replace(TILE, row=507),)}, "over the edge"),
        ({"tiles": (replace(TILE, cols=37),)}, "over the edge"),
        ({"tiles": (replace(TILE, flips=b"123"),)}, "its flips have another size"),
    ],
)
def test_illegal_tables_are_named(changes: dict[str, Any], message: str) -> None:
    assert message in refusal(program(**changes))


def test_many_problems_are_reported_at_once_but_not_all() -> None:
    with pytest.raises(MccError) as caught:
        check(program(*[Post(7)] * 50))
    assert len(caught.value.diagnostics) == 20


@pytest.mark.parametrize("make", [Unit.of, array])
def test_units_have_numbers(make: Callable[[int], Unit]) -> None:
    for code in range(20):
        unit = make(code)
        assert Unit.of(unit.code) == unit
