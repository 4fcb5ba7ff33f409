"""Jobs wait for those whose bytes they touch, in whatever order the cores run."""

from __future__ import annotations

import random
from collections import Counter

from mcc.backends.crossbar.synchronisation import Job, Range, Signals
from mcc.backends.crossbar.writer import Line
from mcc.ir.program.instructions import CallHost, Post, Wait

CORES = 4


def drawn(pick: random.Random, count: int) -> list[Job]:
    """Jobs on some cores that touch some bytes; instruction `i` stands for the work of job i."""

    def spans(most: int) -> tuple[Range, ...]:
        starts = [pick.randrange(60) for _ in range(pick.randint(0, most))]
        return tuple((start, start + pick.randint(1, 12)) for start in starts)

    found: list[Job] = []
    for number in range(count):
        cores = sorted(pick.sample(range(CORES), pick.randint(1, CORES)))
        code = {core: [Line(CallHost(number), "")] for core in cores}
        found.append(Job(str(number), code, spans(2), spans(1)))
    return found


def run(code: list[list[Line]], pick: random.Random) -> list[int]:
    """Run the cores one instruction at a time in random order; return the work as it was done."""
    raised: Counter[int] = Counter()
    places = [0] * len(code)
    done: list[int] = []
    while True:
        ready: list[int] = []
        for core, lines in enumerate(code):
            if places[core] < len(lines):
                following = lines[places[core]].instruction
                if not isinstance(following, Wait) or raised[following.semaphore]:
                    ready.append(core)
        if not ready:
            assert places == [len(lines) for lines in code], "deadlock"
            return done
        core = pick.choice(ready)
        instruction = code[core][places[core]].instruction
        places[core] += 1
        if isinstance(instruction, Post):
            raised[instruction.semaphore] += 1
        elif isinstance(instruction, Wait):
            raised[instruction.semaphore] -= 1
        elif isinstance(instruction, CallHost):
            done.append(instruction.call)


def meet(some: tuple[Range, ...], others: tuple[Range, ...]) -> bool:
    return any(set(range(*a)) & set(range(*b)) for a in some for b in others)


def test_jobs_that_touch_the_same_bytes_keep_their_order() -> None:
    for seed in range(40):
        pick = random.Random(seed)
        jobs = drawn(pick, 25)
        signals = Signals(CORES)
        for job in jobs:
            signals.add(job)
        code = signals.finished()
        for _ in range(4):
            done = run(code, pick)
            first = {number: done.index(number) for number in done}
            last = {number: place for place, number in enumerate(done)}
            for later, job in enumerate(jobs):
                for earlier, other in enumerate(jobs[:later]):
                    if (
                        meet(job.reads, other.writes)
                        or meet(job.writes, other.writes)
                        or meet(job.writes, other.reads)
                    ):
                        assert last[earlier] < first[later]


def test_jobs_that_share_no_bytes_need_no_signal() -> None:
    signals = Signals(2)
    for number in range(8):
        span = (number * 8, number * 8 + 8)
        signals.add(Job("", {number % 2: [Line(CallHost(number), "")]}, (), (span,)))
    assert not signals.semaphores
