"""Finds instructions of a core that can be in flight together although they must not.

Units work side by side: an instruction and a later one of another unit can overlap in time unless
something between them waited for the unit of the first. This walks through the code of each core,
every loop body twice (the second time for what the iteration before left in flight), and compares
addresses. What is in flight is bounded by the queues: of each unit, the instruction it executes and
`queue_depth` more. Sums of products commute, so two products may add to the same sums.

An instruction may write where it reads itself only element by element in place.

The comparison errs on the safe side: it may ask for a wait that is not needed.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import final

from mcc.ir.diagnostics import Diagnostic, MccError
from mcc.ir.program.instructions.array import Mvm
from mcc.ir.program.instructions.base import Access, Instruction, Space
from mcc.ir.program.instructions.control import EndLoop, Halt, Loop, Post
from mcc.ir.program.overlap import Footprint, may_overlap
from mcc.ir.program.program import Program
from mcc.ir.program.streams import Stream
from mcc.ir.program.units import Unit

MOST_REPORTED = 20


@final
@dataclass(eq=False)
class OpenLoop:
    """A loop that the walk is inside of."""

    count: int


@final
@dataclass(frozen=True, slots=True)
class Extent:
    """An access, and the bytes between which it stays over all iterations."""

    space: Space
    stream: Stream
    low: int
    high: int


@final
@dataclass(eq=False, slots=True)
class Flight:
    """An instruction that may be in flight."""

    index: int
    instruction: Instruction
    loops: tuple[OpenLoop, ...]
    """Loops around it when it issued."""
    ages: list[tuple[int, int]]
    """By loop: how many iterations ago it issued, from and to."""
    reads: tuple[Extent, ...]
    writes: tuple[Extent, ...]


def check_hazards(program: Program) -> None:
    """Refuse a program in which instructions can disturb each other.

    Raises:
        MccError: `program-hazard`, with the first hazards.
    """
    found = hazards(program)
    if found:
        raise MccError(found[:MOST_REPORTED])


def hazards(program: Program) -> list[Diagnostic]:
    """Return a diagnostic for every pair of instructions that can disturb each other."""
    found: list[Diagnostic] = []
    for core in range(len(program.cores)):
        found += Walk(program, core).diagnostics()
    return found


@final
class Walk:
    """The walk through the code of one core."""

    def __init__(self, program: Program, core: int) -> None:
        self.program = program
        self.core = core
        self.code = program.cores[core]
        self.context = program.context(core)
        self.depth = program.target.core.queue_depth + 1
        self.loops: list[OpenLoop] = []
        self.flights: dict[Unit, deque[Flight]] = {}
        self.ends = matching_ends(self.code)
        self.pairs: dict[tuple[int, int], str] = {}
        self.extents: dict[int, tuple[tuple[Extent, ...], tuple[Extent, ...]]] = {}

    def diagnostics(self) -> list[Diagnostic]:
        """Walk, and return what was found."""
        self.walk(0, len(self.code))
        return [self._diagnostic(*pair, what) for pair, what in self.pairs.items()]

    def walk(self, begin: int, end: int) -> None:
        """Walk through the instructions from `begin` to before `end`."""
        index = begin
        while index < end:
            instruction = self.code[index]
            for unit in self.flights if clears_all(instruction) else instruction.wait:
                if unit in self.flights:
                    self.flights[unit].clear()
            if isinstance(instruction, Loop):
                self._loop(index + 1, self.ends[index], instruction.count)
                index = self.ends[index]
            else:
                self._instruction(index, instruction)
            index += 1

    def _loop(self, begin: int, end: int, count: int) -> None:
        loop = OpenLoop(count)
        self.loops.append(loop)
        self.walk(begin, end)
        if count > 1:
            body = self.code[begin : end + 1]
            for unit, flights in self.flights.items():
                waited = any(clears_all(item) or unit in item.wait for item in body)
                oldest = 1 if waited else count - 1
                for flight in flights:
                    _set_age(flight, loop, (1, oldest))
            self.walk(begin, end)
        self.loops.pop()

    def _instruction(self, index: int, instruction: Instruction) -> None:
        unit = instruction.unit(self.context)
        if unit is None:
            return
        new = index not in self.extents
        if new:
            self.extents[index] = self._extents(instruction)
        reads, writes = self.extents[index]
        ages = [(0, 0)] * len(self.loops)
        flight = Flight(index, instruction, tuple(self.loops), ages, reads, writes)
        if new:
            self._compare_with_itself(flight)
        for other, flights in self.flights.items():
            if other != unit:
                for earlier in flights:
                    self._compare(earlier, flight)
        self.flights.setdefault(unit, deque(maxlen=self.depth)).append(flight)

    def _extents(self, instruction: Instruction) -> tuple[tuple[Extent, ...], tuple[Extent, ...]]:
        reads = tuple(self._extent(access) for access in instruction.reads(self.context))
        writes = tuple(self._extent(access) for access in instruction.writes(self.context))
        return reads, writes

    def _extent(self, access: Access) -> Extent:
        stream = access.stream
        low, high = stream.span
        for step, loop in zip(stream.steps, self.loops, strict=False):
            reach = step * (loop.count - 1)
            low, high = (low + reach, high) if reach < 0 else (low, high + reach)
        return Extent(access.space, stream, stream.base + low, stream.base + high)

    def _compare(self, earlier: Flight, later: Flight) -> None:
        pair = (earlier.index, later.index)
        if pair in self.pairs:
            return
        both_add = isinstance(earlier.instruction, Mvm) and isinstance(later.instruction, Mvm)
        for writes in earlier.writes:
            for other in later.reads if not both_add else later.reads[:1]:
                self._meet(earlier, writes, later, other, "reads what is being written")
            for other in later.writes if not both_add else ():
                self._meet(earlier, writes, later, other, "writes what is being written")
        for reads in earlier.reads if not both_add else earlier.reads[:1]:
            for other in later.writes:
                self._meet(earlier, reads, later, other, "writes what is being read")

    def _compare_with_itself(self, flight: Flight) -> None:
        for writes in flight.writes:
            for reads in flight.reads:
                if not in_place(writes.stream, reads.stream):
                    self._meet(flight, writes, flight, reads, "reads")

    def _meet(self, earlier: Flight, left: Extent, later: Flight, right: Extent, what: str) -> None:
        if left.space is not right.space or left.high <= right.low or right.high <= left.low:
            return
        if may_overlap(*footprints(earlier, left.stream, later, right.stream)):
            self.pairs.setdefault((earlier.index, later.index), what)

    def _diagnostic(self, earlier: int, later: int, what: str) -> Diagnostic:
        first, second = self._name(earlier), self._name(later)
        if earlier == later:
            message = f"core {self.core}: {first} writes where it still has to read"
            return Diagnostic("program-hazard", message, "let it write elsewhere")
        unit = self.code[earlier].unit(self.context)
        message = f"core {self.core}: {second} {what} by {first}, which may not be done"
        return Diagnostic("program-hazard", message, f"let it wait for unit {unit}")

    def _name(self, index: int) -> str:
        node = self.program.node(self.core, index)
        of_node = f" of {node}" if node else ""
        return f"instruction {index} ({self.code[index].MNEMONIC}{of_node})"


def clears_all(instruction: Instruction) -> bool:
    """Say whether an instruction issues only when all units are idle."""
    return isinstance(instruction, Post | Halt)


def in_place(result: Stream, source: Stream) -> bool:
    """Say whether every element is written where the same element was read."""
    same = (result.base, result.dims, result.steps) == (source.base, source.dims, source.steps)
    return same and result.dtype.itemsize == source.dtype.itemsize


def matching_ends(code: tuple[Instruction, ...]) -> dict[int, int]:
    """Return where the `end` of each loop is."""
    ends: dict[int, int] = {}
    begins: list[int] = []
    for index, instruction in enumerate(code):
        if isinstance(instruction, Loop):
            begins.append(index)
        elif isinstance(instruction, EndLoop):
            ends[begins.pop()] = index
    return ends


def footprints(
    earlier: Flight, left: Stream, later: Flight, right: Stream
) -> tuple[Footprint, Footprint]:
    """Return where two accesses can be, the iteration of loops around both being the same.

    Where both advance alike in a loop around them, only the distance between their iterations
    counts; otherwise each may be in any iteration.
    """
    left_dims, right_dims = list(left.dims), list(right.dims)
    right_base = right.base
    for level in range(max(len(earlier.loops), len(later.loops))):
        mine, yours = _step(left, level), _step(right, level)
        age = _age(earlier, later, level)
        if age is not None and mine == yours:
            right_base += yours * age[0]
            right_dims.append((age[1] - age[0] + 1, yours))
            continue
        if level < len(earlier.loops):
            left_dims.append((earlier.loops[level].count, mine))
        if level < len(later.loops):
            right_dims.append((later.loops[level].count, yours))
    return (
        Footprint.of(left.base, left_dims, left.dtype.itemsize),
        Footprint.of(right_base, right_dims, right.dtype.itemsize),
    )


def _step(stream: Stream, level: int) -> int:
    return stream.steps[level] if level < len(stream.steps) else 0


def _age(earlier: Flight, later: Flight, level: int) -> tuple[int, int] | None:
    inside = level < len(earlier.loops) and level < len(later.loops)
    if inside and earlier.loops[level] is later.loops[level]:
        return earlier.ages[level]
    return None


def _set_age(flight: Flight, loop: OpenLoop, age: tuple[int, int]) -> None:
    for level, own in enumerate(flight.loops):
        if own is loop:
            flight.ages[level] = age
