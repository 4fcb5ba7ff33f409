"""Semaphores: a core begins a job when all jobs that it depends on are done on other cores.

A job depends on an earlier one where one of them writes bytes of the chip's buffer that the other
reads or writes. Every core counts its jobs; what a core knows of the others' counts it passes on
with every signal, so that no signal says what its receiver knows already.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

from mcc.backends.crossbar.writer import Line
from mcc.ir.program.instructions import Post, Wait

Range = tuple[int, int]
"""First byte and one past the last."""


@final
@dataclass(frozen=True)
class Job:
    """Code of some cores that may run side by side."""

    node: str
    cores: Mapping[int, list[Line]]
    reads: tuple[Range, ...]
    writes: tuple[Range, ...]


Counts = dict[int, int]
"""How many jobs of each core."""


@final
class _Touched:
    """The last jobs that touched each byte: stretches of the buffer with the counts of cores."""

    def __init__(self) -> None:
        self._starts = [0]
        """Where each stretch begins; it ends where the next one begins."""
        self._counts: list[Counts] = [{}]

    def note(self, span: Range, counts: Counts) -> None:
        """Note that a job touches some bytes; counts never fall."""
        first, last = self._cut(span[0]), self._cut(span[1])
        for known in self._counts[first:last]:
            known.update(counts)

    def raise_to(self, needed: Counts, span: Range) -> None:
        """Raise `needed` to what includes every job that touched some of the bytes."""
        first = bisect_right(self._starts, span[0]) - 1
        last = bisect_left(self._starts, span[1])
        for known in self._counts[first:last]:
            for core, count in known.items():
                needed[core] = max(needed.get(core, 0), count)

    def _cut(self, place: int) -> int:
        """Return the index of the stretch that begins at `place`, cutting one if need be."""
        index = bisect_left(self._starts, place)
        if index == len(self._starts) or self._starts[index] != place:
            self._starts.insert(index, place)
            self._counts.insert(index, dict(self._counts[index - 1]))
        return index


@final
class Signals:
    """Assembles the code of all cores from jobs, with the semaphores between them."""

    def __init__(self, cores: int) -> None:
        """Start with empty cores."""
        self.lines: list[list[Line]] = [[] for _ in range(cores)]
        self.semaphores: dict[tuple[int, int], int] = {}
        """Numbers by sender and receiver."""
        self._posts: list[dict[int, list[Line]]] = [{} for _ in range(cores)]
        self._counts = [0] * cores
        self._places: list[list[int]] = [[] for _ in range(cores)]
        self._known: list[dict[int, int]] = [{} for _ in range(cores)]
        self._history: list[list[dict[int, int]]] = [[] for _ in range(cores)]
        self._read, self._written = _Touched(), _Touched()

    def add(self, job: Job) -> None:
        """Append a job behind everything that it depends on."""
        needed: Counts = {}
        for span in (*job.reads, *job.writes):
            self._written.raise_to(needed, span)
        for span in job.writes:
            self._read.raise_to(needed, span)
        self._meet(job, needed)
        counts: Counts = {}
        for core, lines in job.cores.items():
            self.lines[core] += lines
            counts[core] = self._event(core)
        for span in job.reads:
            self._read.note(span, counts)
        for span in job.writes:
            self._written.note(span, counts)

    def finished(self) -> list[list[Line]]:
        """Return the code of all cores, with every signal at its place."""
        found: list[list[Line]] = []
        for core, lines in enumerate(self.lines):
            code: list[Line] = []
            start = 0
            for count, place in enumerate(self._places[core], start=1):
                code += lines[start:place]
                code += self._posts[core].get(count, [])
                start = place
            found.append(code + lines[start:])
        return found

    def _meet(self, job: Job, needed: Mapping[int, int]) -> None:
        """Make every core of a job wait until the counts of other cores are high enough."""
        cores = list(job.cores)
        senders = len([core for core in needed if needed[core]])
        hub = cores[0]
        if senders * len(cores) <= 2 * (senders + len(cores)):
            for core in cores:
                self._wait_all(core, needed, job.node)
            return
        self._wait_all(hub, needed, job.node)
        token = self._event(hub)
        for core in cores[1:]:
            if any(self._known[core].get(p, 0) < n for p, n in needed.items() if p != core):
                self._wait(core, hub, token, job.node)

    def _wait_all(self, core: int, needed: Mapping[int, int], node: str) -> None:
        for other, count in sorted(needed.items()):
            if other != core and self._known[core].get(other, 0) < count:
                self._wait(core, other, count, node)

    def _wait(self, core: int, other: int, count: int, node: str) -> None:
        """Make a core wait until another one has come so far."""
        number = self.semaphores.setdefault((other, core), len(self.semaphores))
        self._posts[other].setdefault(count, []).append(Line(Post(number), node))
        self.lines[core].append(Line(Wait(number), node))
        known = self._known[core]
        for third, reached in self._history[other][count - 1].items():
            known[third] = max(known.get(third, 0), reached)
        known[other] = max(known.get(other, 0), count)

    def _event(self, core: int) -> int:
        """Count that a core has come to here; return the count."""
        self._counts[core] += 1
        self._places[core].append(len(self.lines[core]))
        self._history[core].append(dict(self._known[core]))
        return self._counts[core]
