"""Programs without a reported hazard touch shared bytes in the order of the program."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from itertools import count

from mcc.backends.crossbar import targets
from mcc.ir.program import MOVER, VECTOR, DType, Program, Stream
from mcc.ir.program.hazards import hazards
from mcc.ir.program.instructions import EndLoop, Fill, Halt, Instruction, Load, Loop, Store, Unary
from mcc.ir.program.instructions import UnaryOperation as Operation
from mcc.ir.program.instructions.base import Space
from mcc.runtime.clock import clock

F32 = DType.FLOAT32
TARGET = targets.load("rram40nm").with_values(
    {
        "chip.mesh_rows": 1,
        "chip.mesh_cols": 1,
        "chip.hop_cycles": 20,
        "core.queue_depth": 3,
        "core.memory.ports": 2,
    }
)
"""The mover is slow, so that the vector unit runs ahead of it by iterations."""


class Draw:
    """Draws programs of one core whose vector unit and mover share a few bytes."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def stream(self, depth: int, size: int) -> Stream:
        steps = tuple(self.random.choice([0, 16, 16, -16]) for _ in range(depth))
        base = 512 + 16 * self.random.randint(0, 12)
        dims = self.random.choice([((size, 4),), ((size, 8),)])
        return Stream(F32, base, dims, steps)

    def instruction(self, depth: int) -> Instruction:
        size = self.random.choice([1, 4, 8])
        here, there = self.stream(depth, size), self.stream(depth, size)
        outside = Stream.dense(F32, 0, (size,))
        wait = frozenset(unit for unit in (VECTOR, MOVER) if self.random.random() < 0.2)
        kind = self.random.randint(0, 3)
        if kind == 0:
            return Load(here, outside, wait=wait)
        if kind == 1:
            return Store(outside, here, wait=wait)
        if kind == 2:
            return Fill(here, 0.0, wait=wait)
        return Unary(Operation.RELU, here, there, wait=wait)

    def code(self, depth: int) -> list[Instruction]:
        found: list[Instruction] = []
        for _ in range(self.random.randint(1, 2 + depth)):
            if depth < 2 and self.random.random() < (0.9, 0.3)[depth]:
                loop = Loop(self.random.randint(1, 6))
                found += [loop, *self.code(depth + 1), EndLoop()]
            else:
                found.append(self.instruction(depth))
        return found


def touched(stream: Stream, counters: tuple[int, ...]) -> set[int]:
    start = stream.address(counters)
    size, stride = stream.dims[0]
    return {start + index * stride + byte for index in range(size) for byte in range(4)}


def executions(program: Program) -> dict[int, list[tuple[int, tuple[int, ...]]]]:
    """Return when, in program order, and in which iterations every instruction is executed."""
    found: dict[int, list[tuple[int, tuple[int, ...]]]] = {}
    code, place, loops = program.cores[0], 0, list[list[int]]()
    for number in count():
        if place == len(code):
            break
        found.setdefault(place, []).append((number, tuple(loop[1] for loop in loops)))
        item = code[place]
        if isinstance(item, Loop):
            loops.append([place, 0, item.count])
        elif isinstance(item, EndLoop):
            loops[-1][1] += 1
            if loops[-1][1] < loops[-1][2]:
                place = loops[-1][0]
            else:
                loops.pop()
        place += 1
    return found


@dataclass(frozen=True)
class Execution:
    number: int
    start: int
    end: int
    reads: set[int]
    writes: set[int]

    def meets(self, other: Execution) -> bool:
        written = self.writes & (other.reads | other.writes)
        return bool(written or self.reads & other.writes)


def timed(program: Program) -> list[Execution]:
    """Return all executions in program order, with what they touch in local memory."""
    context, order = program.context(0), executions(program)
    found: list[Execution] = []
    for record in clock(program, trace=True).records:
        _, index, start, end = (int(number) for number in record)
        number, counters = order[index].pop(0)
        item, sets = program.cores[0][index], list[set[int]]()
        for accesses in (item.reads(context), item.writes(context)):
            streams = [access.stream for access in accesses if access.space is Space.LOCAL]
            sets.append(set[int]().union(*(touched(stream, counters) for stream in streams)))
        found.append(Execution(number, start, end, sets[0], sets[1]))
    return sorted(found, key=lambda item: item.number)


def conflicts(program: Program) -> int:
    """Count pairs that touch the same bytes although the later one did not wait."""
    found = timed(program)
    return sum(
        later.start < earlier.end and earlier.meets(later)
        for place, later in enumerate(found)
        for earlier in found[:place]
    )


def test_what_passes_the_check_does_not_collide() -> None:
    passed = collided = 0
    for seed in range(3000):
        code = tuple([*Draw(seed).code(0), Halt()])
        program = Program(target=TARGET, cores=(code,), memory_bytes=(4096,), buffer_bytes=4096)
        if not hazards(program):
            assert conflicts(program) == 0, seed
            passed += 1
        else:
            collided += conflicts(program) > 0
    assert passed > 200
    assert collided > 200


def test_a_wait_for_everything_removes_all_hazards_between_units() -> None:
    every = frozenset({VECTOR, MOVER})
    for seed in range(200):
        code = [*Draw(seed).code(0), Halt()]
        waiting = tuple(replace(item, wait=every) for item in code)
        program = Program(target=TARGET, cores=(waiting,), memory_bytes=(4096,), buffer_bytes=4096)
        assert all("still has to read" in item.message for item in hazards(program))
