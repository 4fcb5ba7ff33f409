"""The execution of a program as a Chrome trace, which Perfetto and chrome://tracing draw."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from mcc.ir.program import Program
from mcc.runtime.cycles import Cycles

MICROSECONDS = 1e6


def trace_events(program: Program, timing: Cycles) -> Iterator[dict[str, Any]]:
    """Yield the events of a trace: names of cores and units, then every executed instruction.

    Args:
        program: The program.
        timing: Of a clock that kept its records.
    """
    contexts = [program.context(core) for core in range(len(program.cores))]
    named: set[tuple[int, int]] = set()
    scale = MICROSECONDS / program.target.chip.clock_hertz
    for record in timing.records:
        core, index, start, end = map(int, record)
        instruction = program.cores[core][index]
        unit = instruction.unit(contexts[core])
        assert unit is not None
        if (core, unit.code) not in named:
            yield from _names(core, unit.code, str(unit), (core, -1) not in named)
            named |= {(core, unit.code), (core, -1)}
        yield {
            "name": program.node(core, index) or instruction.MNEMONIC,
            "cat": instruction.MNEMONIC,
            "ph": "X",
            "ts": start * scale,
            "dur": (end - start) * scale,
            "pid": core,
            "tid": unit.code,
            "args": {"instruction": index, "start_cycle": start, "cycles": end - start},
        }


def trace_text(program: Program, timing: Cycles) -> Iterator[str]:
    """Yield the lines of the trace file, so that it never lies in memory as a whole."""
    yield '{"displayTimeUnit": "ns", "traceEvents": [\n'
    separator = ""
    for event in trace_events(program, timing):
        yield separator + json.dumps(event)
        separator = ",\n"
    yield "\n]}\n"


def _names(core: int, code: int, unit: str, first: bool) -> Iterator[dict[str, Any]]:
    if first:
        yield _name("process_name", core, 0, f"core {core}")
    yield _name("thread_name", core, code, unit)


def _name(kind: str, core: int, code: int, text: str) -> dict[str, Any]:
    return {"name": kind, "ph": "M", "pid": core, "tid": code, "args": {"name": text}}
