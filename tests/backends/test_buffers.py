from __future__ import annotations

import random

from mcc.backends.crossbar.buffers import ALIGNMENT, Lifetime, aligned, allocate


def drawn(count: int, seed: int) -> list[Lifetime]:
    pick = random.Random(seed)
    found: list[Lifetime] = []
    for key in range(count):
        first = pick.randrange(20)
        found.append(Lifetime(key, pick.randrange(1, 500), first, first + pick.randrange(6)))
    return found


def test_tensors_alive_together_do_not_overlap() -> None:
    for seed in range(20):
        lifetimes = drawn(30, seed)
        layout = allocate(lifetimes, base=100)
        for item in lifetimes:
            start = layout.offsets[item.key]
            assert start % ALIGNMENT == 0
            assert 100 <= start <= start + item.bytes <= layout.bytes
            for other in lifetimes:
                if other.key != item.key and item.meets(other):
                    second = layout.offsets[other.key]
                    assert start + item.bytes <= second or second + other.bytes <= start


def test_every_tensor_has_the_lowest_free_offset_when_the_largest_go_first() -> None:
    for seed in range(20):
        lifetimes = sorted(drawn(40, seed), key=lambda item: -item.bytes)
        offsets = allocate(lifetimes, base=100).offsets
        for index, item in enumerate(lifetimes):
            beside = [other for other in lifetimes[:index] if item.meets(other)]
            ends = [aligned(100), *(offsets[it.key] + aligned(it.bytes) for it in beside)]
            free = [
                end
                for end in ends
                if all(
                    end + aligned(item.bytes) <= offsets[it.key]
                    or offsets[it.key] + aligned(it.bytes) <= end
                    for it in beside
                )
            ]
            assert offsets[item.key] == min(free)


def test_tensors_that_follow_each_other_share_bytes() -> None:
    chain = [Lifetime(step, 1000, step, step + 1) for step in range(10)]
    assert allocate(chain).bytes == 2 * aligned(1000)


def test_nothing_takes_nothing() -> None:
    assert allocate([]).bytes == 0
