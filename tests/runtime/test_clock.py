"""The clock against the stepper, its bounds, and what it says about programs that never end."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from mcc.backends.crossbar import targets
from mcc.ir.diagnostics import MccError
from mcc.ir.program import MOVER, VECTOR, DType, Program, Stream, Tile, trip_counts
from mcc.ir.program.checks import check
from mcc.ir.program.instructions import (
    EndLoop,
    Fill,
    Halt,
    Instruction,
    Loop,
    Mvm,
    Post,
    Recv,
    Send,
    Unary,
    UnaryOperation,
    Wait,
)
from mcc.runtime._kernels import run_clock
from mcc.runtime.clock import clock
from mcc.runtime.cycles import Cycles, units_per_core
from mcc.runtime.least import bound, work
from mcc.runtime.machine import Machine
from mcc.runtime.stepper import Stepper, step_through
from tests.program_generator import random_program

F32 = DType.FLOAT32
HERE = Stream.dense(F32, 0, (4,))


def two_cores(*cores: Sequence[Instruction], **changes: int) -> Program:
    target = targets.load("rram40nm").with_values(
        {
            "chip.mesh_rows": 1,
            "chip.mesh_cols": 2,
            "core.macros": 2,
            **{key.replace("__", "."): value for key, value in changes.items()},
        }
    )
    code = tuple((*core, Halt()) for core in cores)
    tile = Tile(0, 0, 0, 0, 64, 16, 8, 8, False, 0, b"", 0, "fc", (0, 0))
    return Program(
        target=target,
        cores=code + ((Halt(),),) * (2 - len(code)),
        tiles=(tile,),
        semaphores=2,
        memory_bytes=(4096, 4096),
    )


def rows(result: Cycles) -> list[list[int]]:
    return [[int(number) for number in record] for record in result.records]


def both(program: Program) -> Cycles:
    fast, slow = clock(program, trace=True), step_through(program)
    assert fast.cycles == slow.cycles
    assert np.array_equal(fast.unit_busy, slow.unit_busy)
    assert np.array_equal(fast.resource_busy, slow.resource_busy)
    assert np.array_equal(fast.records, slow.records)
    return fast


@pytest.mark.parametrize("first", range(0, 300, 20))
def test_clock_and_stepper_agree_to_the_cycle(first: int) -> None:
    for seed in range(first, first + 20):
        program = random_program(seed)
        check(program)
        result = both(program)
        needed = work(program)
        assert (result.unit_busy >= needed.units).all()
        assert np.array_equal(result.resource_busy, needed.resources)
        assert result.cycles >= bound(program).cycles
        assert clock(program).cycles == result.cycles
        executed = sum(
            trips
            for core, code in enumerate(program.cores)
            for item, trips in zip(code, trip_counts(code), strict=True)
            if item.unit(program.context(core)) is not None
        )
        assert len(result.records) == executed


def test_no_rule_applies_in_the_cycles_that_the_stepper_passes_at_rest() -> None:
    rested = 0
    for seed in range(40):
        program = random_program(seed)
        chip = Stepper(program)
        while chip.running:
            rested += not (chip.stirred or chip.now in chip.due)
            chip.stirred = True
            chip.step()
        plain = step_through(program)
        assert chip.now == plain.cycles
        assert sorted(chip.records) == sorted(map(tuple, rows(plain)))
    assert rested > 1000


def test_random_programs_contend_for_everything() -> None:
    names: set[str] = set()
    stalled = 0
    for seed in range(60):
        program = random_program(seed)
        result = clock(program, trace=True)
        names.add(bound(program).part.partition(".")[2] or "shared")
        for core, index, start, end in rows(result):
            pipeline = program.cores[core][index].timing(program.context(core))
            if pipeline is not None and len(pipeline.stages) == 1:
                stalled += end - start > pipeline.stages[0].cycles
    assert {"v", "a0", "h", "memory", "shared"} <= names
    assert stalled > 100


def test_a_single_instruction_takes_its_time_and_its_slots() -> None:
    fill = Fill(HERE, 0.0)
    program = two_cores([fill])
    pipeline = fill.timing(program.context(0))
    result = both(program)
    # Issue and start in cycle 0, and the halt issues in the cycle in which the mover is idle.
    assert rows(result) == [[0, 0, 0, pipeline.stages[0].cycles]]
    assert result.cycles == pipeline.stages[0].cycles + 1
    assert bound(program).cycles == pipeline.stages[0].cycles
    assert bound(program).part in ("core0.m", "core0.memory")


def test_control_takes_one_cycle_each() -> None:
    loop = [Loop(5), Loop(3), EndLoop(), EndLoop()]
    assert both(two_cores(loop)).cycles == 1 + 5 * (1 + 3 + 1) + 1


def test_a_product_pipelines_its_positions() -> None:
    mvm = Mvm(0, Stream.dense(DType.UINT8, 0, (50, 64)), 1, Stream.dense(DType.INT32, 0, (50, 16)))
    program = two_cores([mvm])
    load, array, add = mvm.timing(program.context(0)).stages
    assert array.cycles > load.cycles + add.cycles
    assert both(program).cycles == load.cycles + 50 * array.cycles + add.cycles + 1


def test_waits_for_units_keep_the_order() -> None:
    relu = Unary(UnaryOperation.RELU, HERE, HERE, wait=frozenset({MOVER}))
    free = both(two_cores([Fill(HERE, 0.0), replace(relu, wait=frozenset())]))
    kept = both(two_cores([Fill(HERE, 0.0), relu]))
    assert free.records[1, 2] < free.records[0, 3]
    assert kept.records[1, 2] == kept.records[0, 3]


def test_messages_start_and_end_together() -> None:
    late = [Fill(HERE, 0.0), Recv(0, HERE)]
    result = both(two_cores([Send(1, HERE)], late))
    send, _, recv = rows(result)
    assert send[2:] == recv[2:]
    assert send[2] == result.records[1, 3]


def test_a_post_is_seen_after_the_sync_cycles() -> None:
    program = two_cores([Post(0)], [Wait(0)], chip__sync_cycles=9)
    assert both(program).cycles == 9 + 2


@pytest.mark.parametrize(
    ("cores", "blocked"),
    [
        ([[Wait(0)]], ["core 0 at instruction 0 (wait)"]),
        ([[Post(0), Wait(0, 2)]], ["core 0 at instruction 1 (wait)"]),
        ([[Send(1, HERE)]], ["core 0 at instruction 1 (halt)"]),
        (
            [[Send(1, HERE), Recv(1, HERE)], [Send(0, HERE), Recv(0, HERE)]],
            ["core 0 at instruction 2 (halt)", "core 1 at instruction 2 (halt)"],
        ),
        ([[Wait(0), Post(1)], [Wait(1), Post(0)]], ["core 0 at", "core 1 at"]),
    ],
)
def test_deadlocks_name_the_blocked_cores(
    cores: list[list[Instruction]], blocked: list[str]
) -> None:
    program = two_cores(*cores)
    for engine in (clock, step_through):
        with pytest.raises(MccError) as caught:
            engine(program)
        item = caught.value.diagnostics[0]
        assert item.code == "program-deadlock"
        assert all(text in item.message for text in blocked)
        assert ("core 1 at" in item.message) == any("core 1" in text for text in blocked)


def test_busy_cycles_fill_the_busiest_part() -> None:
    fills = [Fill(Stream.dense(F32, 0, (1000,)), 0.0) for _ in range(9)]
    program = two_cores([*fills, Unary(UnaryOperation.RELU, HERE, HERE)])
    result = both(program)
    per_core = units_per_core(program)
    assert result.unit_busy[MOVER.code] == 9 * (1 + 125)
    assert result.unit_busy[VECTOR.code] > 0
    assert result.unit_busy[per_core:].sum() == 0
    assert result.cycles == bound(program).cycles + 1


def for_ever() -> Program:
    """Return a program that would run for hours."""
    return two_cores([Loop(2**31 - 1), Fill(HERE, 0.0), EndLoop()])


def test_a_trace_is_bounded() -> None:
    with pytest.raises(MccError, match="at most 16,777,216 instructions") as caught:
        clock(for_ever(), trace=True)
    assert caught.value.diagnostics[0].code == "memory-exhausted"
    assert "2,147,483,647" in str(caught.value)
    with pytest.raises(MccError, match="at most"):
        Machine(for_ever()).run({}, trace=True)


INTERRUPTED = """
import signal, sys
from mcc.runtime.clock import clock
from tests.runtime.test_clock import for_ever

signal.signal(signal.SIGALRM, lambda *_: sys.exit(17))
signal.setitimer(signal.ITIMER_REAL, 0.2)
clock(for_ever())
"""


def test_the_clock_obeys_signals() -> None:
    done = subprocess.run([sys.executable, "-c", INTERRUPTED], timeout=120)
    assert done.returncode == 17


def test_damaged_tables_are_refused() -> None:
    good = [[0, 0, 0, 2, 0], [1, 0, 0, 0, 0], [4, 0, 0, 0, 0]]

    def run(operations: list[list[int]], **changes: Sequence[int]) -> int:
        tables: dict[str, Sequence[int]] = {
            "operation_offsets": [0, len(operations)],
            "wait_offsets": [0] * (len(operations) + 1),
            "wait_units": [],
            "pipeline_counts": [1],
            "step_offsets": [0, 1],
            "step_cycles": [3],
            "resource_offsets": [0, 1],
            "step_resources": [0],
            "capacities": [1],
            **changes,
        }
        arrays = {name: np.array(values, np.int64) for name, values in tables.items()}
        return run_clock(
            np.array(operations, np.int64).reshape(-1),
            **arrays,
            units_per_core=4,
            semaphores=1,
            queue_depth=1,
            sync_cycles=1,
            traced=False,
        )[0]

    assert run(good) == 4
    for wrong in ([good[0], good[2]], [good[1], good[2]], good[:2], [good[2], good[2]]):
        with pytest.raises(ValueError, match="loops or halts"):
            run(wrong)
    for operation in ([9, 0, 0, 0, 0], [5, 4, 0, 0, 0], [5, 0, 1, 0, 0], [2, 0, 0, 1, 0]):
        with pytest.raises(ValueError, match="damaged"):
            run([operation, good[2]])
    for name, values in {
        "step_cycles": [0],
        "step_resources": [1],
        "capacities": [0],
        "operation_offsets": [0, 2],
        "pipeline_counts": [0],
        "step_offsets": [0, 0, 1],
    }.items():
        with pytest.raises(ValueError, match=r"clock|step|pipeline"):
            run(good, **{name: values})
