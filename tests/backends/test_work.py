"""Twice as much to place takes twice the work: the steps of Python grow no faster."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import cache
from types import FrameType
from typing import Any

import pytest

from mcc.backends.crossbar.assignment import assign
from mcc.backends.crossbar.buffers import Lifetime, allocate
from mcc.backends.crossbar.seating import Piece
from mcc.backends.crossbar.synchronisation import Job, Signals
from mcc.backends.crossbar.writer import Line
from mcc.ir.hardware import Target
from mcc.ir.program.instructions import CallHost
from mcc.passes.tile_blocks import Extent, cut
from tests.mapped_networks import chip


def bytecodes(action: Callable[[], object]) -> int:
    """Count the bytecodes that an action executes; the same number in every run."""
    count = 0

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal count
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        count += event == "opcode"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        action()
    finally:
        sys.settrace(before)
    return count


def jobs_of_a_chain(count: int) -> Callable[[], object]:
    """Every job reads what the one before wrote, in one of two places."""
    signals = Signals(2)
    spans = [((step % 2) * 8, (step % 2) * 8 + 8) for step in range(count + 1)]
    jobs = [
        Job("", {step % 2: [Line(CallHost(step), "")]}, (spans[step],), (spans[step + 1],))
        for step in range(count)
    ]
    return lambda: [signals.add(job) for job in jobs]


def tensors_of_a_chain(count: int) -> Callable[[], object]:
    lifetimes = [Lifetime(step, 1000, step, step + 1) for step in range(count)]
    return lambda: allocate(lifetimes)


@cache
def small_chip() -> Target:
    """One object, for what is cached by chip compares those that are equal but not the same."""
    return chip(chip__mesh_rows=1, chip__mesh_cols=1, core__macros=2)


def rows_in_turn(count: int) -> Callable[[], object]:
    """A column of tiles of which the chip holds two at a time."""
    target = small_chip()
    column = [Piece((row, 0), 512, 512) for row in range(count)]
    return lambda: assign([[column]], target)


def groups(count: int) -> Callable[[], object]:
    """A grouped convolution, every group of which takes some macros."""
    return lambda: cut(Extent((64 * count, 3, 3), 64 * count, count), 256, 32)


@pytest.mark.parametrize("load", [jobs_of_a_chain, tensors_of_a_chain, rows_in_turn, groups])
def test_work_grows_with_the_load(load: Callable[[int], Callable[[], object]]) -> None:
    small, large = bytecodes(load(50)), bytecodes(load(200))
    assert large < 4.6 * small
