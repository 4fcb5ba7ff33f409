"""Example inputs: made from shapes, or checked."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

import numpy as np

from mcc.ir.diagnostics import Diagnostic, MccError, error
from mcc.ir.tensors import Array

DTYPES = frozenset({"float32", "float64", "int8", "int16", "int32", "int64", "uint8", "bool"})
"""Element types of inputs and outputs: those that the digital reference computes with."""


_MOST = 2**28
"""Elements of an input that is made up."""


@final
@dataclass(frozen=True)
class InputSpec:
    """The shape and element type of an input for which no data is given."""

    shape: tuple[int, ...]
    dtype: str | None = None
    """What the network says if None, and float32 where it says nothing."""


def make_example(name: str, spec: InputSpec, seed: int) -> Array:
    """Draw an input: normal floats, or whole numbers 0 and 1, which every table has."""
    generator = np.random.Generator(np.random.Philox(seed))
    size = "x".join(map(str, spec.shape))
    if any(extent < 1 for extent in spec.shape):
        raise error("input-shape", f"input `{name}` is empty: {size}", "every size is at least 1")
    if math.prod(spec.shape) > _MOST:
        text = f"input `{name}` has more than {_MOST} elements: {size}"
        raise error("input-shape", text, "give the shape of a few samples, best of one")
    dtype = np.dtype(spec.dtype or "float32")
    if dtype.kind == "f":
        return generator.standard_normal(spec.shape).astype(dtype)
    return generator.integers(0, 2, spec.shape).astype(dtype)


def refuse_bad_examples(examples: Mapping[str, Array]) -> None:
    """Refuse examples that are empty, or not numbers.

    Raises:
        MccError: Every problem that was found.
    """
    problems: list[Diagnostic] = []
    for name, array in examples.items():
        if array.size == 0:
            axis = array.shape.index(0)
            text = f"input `{name}` is empty: its axis {axis} has no elements"
            help = "give at least one sample" if axis == 0 else "give what the network is used on"
            problems.append(Diagnostic("input-shape", text, help))
        elif array.dtype.kind == "f" and not np.isfinite(array).all():
            bad = int(array.size - np.isfinite(array).sum())
            text = f"input `{name}` is NaN or infinite in {bad} of {array.size} elements"
            problems.append(Diagnostic("input-not-finite", text, "clean the data first"))
    if problems:
        raise MccError(problems)
