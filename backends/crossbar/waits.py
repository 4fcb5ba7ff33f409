"""Which units each instruction must wait for: the masks that make overlapping work safe.

Units of a core work side by side. An instruction waits for a unit when something that the unit may
still have in flight touches bytes that the instruction touches, and one of them writes. Loops are
walked through until what may be in flight at their begin no longer grows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias, final

from mcc.ir.program import Program, Stream, Unit
from mcc.ir.program.instructions import Access, EndLoop, Halt, Instruction, Loop, Mvm, Post, Space

Flight: TypeAlias = dict[Unit, dict[int, None]]
"""Instructions that may be in flight, by unit."""


@final
@dataclass(frozen=True, slots=True)
class _Span:
    """Bytes that an access stays within, over all iterations."""

    local: bool
    low: int
    high: int

    def meets(self, other: _Span) -> bool:
        """Whether both may touch the same byte."""
        return self.local is other.local and self.low < other.high and other.low < self.high


@final
@dataclass(frozen=True, slots=True)
class _Touch:
    """What an instruction reads and writes."""

    adds: bool
    """Whether it adds to sums, which commutes."""
    reads: tuple[_Span, ...]
    writes: tuple[_Span, ...]

    def conflicts(self, other: _Touch) -> bool:
        """Whether the two must not overlap in time."""
        if self.adds and other.adds:
            return _meet(self.reads[:1], other.writes) or _meet(self.writes, other.reads[:1])
        return (
            _meet(self.reads, other.writes)
            or _meet(self.writes, other.reads)
            or _meet(self.writes, other.writes)
        )


def _meet(some: Sequence[_Span], others: Sequence[_Span]) -> bool:
    return any(one.meets(other) for one in some for other in others)


def with_waits(program: Program) -> Program:
    """Return the program with the masks of all instructions filled in."""
    cores = tuple(_Core(program, core).instructions() for core in range(len(program.cores)))
    return replace(program, cores=cores)


@final
class _Core:
    """Finds the masks of one core."""

    def __init__(self, program: Program, core: int) -> None:
        self._code = program.cores[core]
        self._context = program.context(core)
        self._units = [instruction.unit(self._context) for instruction in self._code]
        self._waits: list[set[Unit]] = [set() for _ in self._code]
        self._touches: list[_Touch] = []
        loops: list[int] = []
        for instruction in self._code:
            self._touches.append(self._touch(instruction, loops))
            if isinstance(instruction, Loop):
                loops.append(instruction.count)
            elif isinstance(instruction, EndLoop):
                loops.pop()

    def instructions(self) -> tuple[Instruction, ...]:
        """Return the code with its masks."""
        self._walk(0, len(self._code), {})
        return tuple(
            replace(instruction, wait=frozenset(units)) if units else instruction
            for instruction, units in zip(self._code, self._waits, strict=True)
        )

    def _touch(self, instruction: Instruction, loops: Sequence[int]) -> _Touch:
        reads = tuple(_span(access, loops) for access in instruction.reads(self._context))
        writes = tuple(_span(access, loops) for access in instruction.writes(self._context))
        return _Touch(isinstance(instruction, Mvm), reads, writes)

    def _walk(self, begin: int, end: int, flight: Flight) -> Flight:
        """Walk from `begin` to before `end`; return what may be in flight then."""
        index = begin
        while index < end:
            instruction = self._code[index]
            if isinstance(instruction, Loop):
                close = self._close(index)
                flight = self._loop(index + 1, close, flight)
                index = close + 1
                continue
            if isinstance(instruction, Post | Halt):
                flight = {}
            unit = self._units[index]
            if unit is not None:
                flight = self._issue(index, unit, flight)
            index += 1
        return flight

    def _loop(self, begin: int, end: int, flight: Flight) -> Flight:
        while True:
            after = self._walk(begin, end, flight)
            union = _union(flight, after)
            if union == flight:
                return after
            flight = union

    def _issue(self, index: int, unit: Unit, flight: Flight) -> Flight:
        """Find what an instruction must wait for; return what is in flight with it."""
        touch, waits = self._touches[index], self._waits[index]
        for other, indices in flight.items():
            if other != unit and other not in waits:
                if any(touch.conflicts(self._touches[earlier]) for earlier in indices):
                    waits.add(other)
        left = {other: found for other, found in flight.items() if other not in waits}
        left[unit] = {**left.get(unit, {}), index: None}
        return left

    def _close(self, index: int) -> int:
        depth = 0
        for position in range(index, len(self._code)):
            if isinstance(self._code[position], Loop):
                depth += 1
            elif isinstance(self._code[position], EndLoop):
                depth -= 1
                if depth == 0:
                    return position
        raise AssertionError("a loop is not closed")


def _union(left: Flight, right: Flight) -> Flight:
    return {
        unit: {**left.get(unit, {}), **right.get(unit, {})}
        for unit in dict.fromkeys((*left, *right))
    }


def _span(access: Access, loops: Sequence[int]) -> _Span:
    stream: Stream = access.stream
    low, high = stream.span
    for step, count in zip(stream.steps, loops, strict=False):
        reach = step * (count - 1)
        low, high = low + min(reach, 0), high + max(reach, 0)
    return _Span(access.space is Space.LOCAL, stream.base + low, stream.base + high)
