"""Hypothesis strategies for arbitrary instructions, from the declarations of their fields."""

from __future__ import annotations

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st

from mcc.ir.program import DType, Stream, Unit
from mcc.ir.program.declarations import fields_of
from mcc.ir.program.instructions import INSTRUCTIONS
from mcc.ir.program.instructions.base import Instruction
from mcc.ir.program.kinds import (
    COUNT,
    INTEGER,
    NUMBER,
    OPTIONAL_STREAM,
    STREAM,
    UNITS,
    Choice,
    Kind,
)

SEEDED = settings(derandomize=True, deadline=None)
"""The same examples in every run."""
UNSIGNED = st.integers(0, 2**32 - 1)
SIGNED = st.integers(-(2**31), 2**31 - 1)
STREAMS = st.builds(
    Stream,
    st.sampled_from(DType),
    UNSIGNED,
    st.lists(st.tuples(st.integers(1, 2**32 - 1), SIGNED), max_size=5).map(tuple),
    st.lists(SIGNED, max_size=4).map(tuple),
)
UNIT_SETS = st.frozensets(st.integers(0, 2**16 - 1).map(Unit.of), max_size=6)
KINDS: dict[int, st.SearchStrategy[Any]] = {
    id(COUNT): UNSIGNED,
    id(INTEGER): SIGNED,
    id(NUMBER): st.floats(allow_nan=False),
    id(STREAM): STREAMS,
    id(OPTIONAL_STREAM): st.none() | STREAMS,
    id(UNITS): UNIT_SETS,
}


def values(kind: Kind[Any]) -> st.SearchStrategy[Any]:
    """Return the values of a kind of field."""
    return st.sampled_from(kind.members) if isinstance(kind, Choice) else KINDS[id(kind)]


def instructions_of(cls: type[Instruction]) -> st.SearchStrategy[Instruction]:
    """Return arbitrary instructions of one class."""
    return st.builds(cls, **{item.name: values(item.kind) for item in fields_of(cls)})


ANY_INSTRUCTION = st.sampled_from(INSTRUCTIONS).flatmap(instructions_of)
