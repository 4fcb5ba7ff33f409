"""The least cycles of a program: counted by hand, and far from what a stalled clock says."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mcc.backends.crossbar import targets
from mcc.ir.program import MOVER, VECTOR, DType, Program, Stream, Tile
from mcc.ir.program import array as macro
from mcc.ir.program.instructions import (
    EndLoop,
    Fill,
    Halt,
    Instruction,
    Loop,
    Mvm,
    Recv,
    Send,
    Unary,
    UnaryOperation,
)
from mcc.runtime.clock import clock
from mcc.runtime.cycles import units_per_core
from mcc.runtime.least import bound, work

F32 = DType.FLOAT32
PORT_BYTES = 32
FLOATS = Stream.dense(F32, 0, (800,))
FILL = Fill(FLOATS, 0.0)
FILL_CYCLES = 1 + 800 * 4 // PORT_BYTES
RELU = Unary(UnaryOperation.RELU, FLOATS, FLOATS)


def two_cores(
    first: Sequence[Instruction], second: Sequence[Instruction], ports: int = 1
) -> Program:
    target = targets.load("rram40nm").with_values(
        {
            "chip.mesh_rows": 1,
            "chip.mesh_cols": 2,
            "core.macros": 1,
            "core.memory.ports": ports,
            "core.memory.port_bytes": PORT_BYTES,
        }
    )
    tile = Tile(0, 0, 0, 0, 64, 16, 8, 8, False, 0, b"", 0, "fc", (0, 0))
    return Program(
        target=target,
        cores=((*first, Halt()), (*second, Halt())),
        tiles=(tile,),
        memory_bytes=(4096, 4096),
    )


def cycles(instruction: Instruction, program: Program) -> int:
    pipeline = instruction.timing(program.context(0))
    assert pipeline is not None
    (stage,) = pipeline.stages
    return stage.cycles


def test_waiting_for_a_port_is_no_work() -> None:
    stalled, free = (two_cores([FILL, RELU] * 5, [], ports) for ports in (1, 2))
    expected = [5 * cycles(RELU, free), 5 * FILL_CYCLES]
    for program in (stalled, free):
        assert work(program).units[[VECTOR.code, MOVER.code]].tolist() == expected
    assert clock(free).unit_busy[[VECTOR.code, MOVER.code]].tolist() == expected
    assert (clock(stalled).unit_busy[[VECTOR.code, MOVER.code]] > expected).any()


def test_a_part_that_is_busy_without_pause_gives_the_bound() -> None:
    program = two_cores([FILL, RELU] * 5, [])
    ports = 5 * (FILL_CYCLES + cycles(RELU, program))
    assert (bound(program).cycles, bound(program).part) == (ports, "core0.memory")
    assert ports <= clock(program).cycles <= ports + 2
    mover = two_cores([FILL] * 5, [], ports=2)
    assert (bound(mover).cycles, bound(mover).part) == (5 * FILL_CYCLES, "core0.m")
    assert clock(mover).cycles == 5 * FILL_CYCLES + 1


def test_loops_multiply_and_need_no_walk() -> None:
    nest = [Loop(4), FILL, Loop(5), FILL, EndLoop(), EndLoop()]
    assert bound(two_cores(nest, [], 2)).cycles == 4 * 6 * FILL_CYCLES
    for_ever = [Loop(10**6), Loop(10**6), FILL, EndLoop(), EndLoop()]
    assert bound(two_cores(for_ever, [], 2)).cycles == 10**12 * FILL_CYCLES


def test_a_pipeline_is_as_fast_as_its_slowest_stage() -> None:
    codes, sums = Stream.dense(DType.UINT8, 0, (50, 64)), Stream.dense(DType.INT32, 0, (50, 16))
    product = Mvm(0, codes, 1, sums)
    program = two_cores([product], [], 2)
    load, convert, add = product.timing(program.context(0)).stages
    least = load.cycles + 50 * convert.cycles + add.cycles
    assert convert.cycles > load.cycles + add.cycles
    assert work(program).units[macro(0).code] == least == bound(program).cycles
    assert clock(program).unit_busy[macro(0).code] == least


def test_a_message_is_the_work_of_both_movers() -> None:
    program = two_cores([Send(1, FLOATS)], [Recv(0, FLOATS)])
    needed = work(program).units
    receiver = units_per_core(program) + MOVER.code
    assert needed[receiver] == needed[MOVER.code] > 0
    assert np.array_equal(needed, clock(program).unit_busy)


def test_a_clock_that_leaves_out_a_turn_of_a_loop_is_too_fast() -> None:
    def program(turns: int) -> Program:
        return two_cores([Loop(turns), FILL, RELU, EndLoop()], [])

    assert clock(program(99)).cycles < bound(program(100)).cycles <= clock(program(100)).cycles
