"""Example inputs: made from shapes, or checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

import numpy as np

from mcc.ir.diagnostics import Diagnostic, MccError, error
from mcc.ir.tensors import Array

DTYPES = frozenset({"float32", "float64", "int8", "int16", "int32", "int64", "uint8", "bool"})
"""Element types of inputs and outputs: those that the digital reference computes with."""


@final
@dataclass(frozen=True)
class InputSpec:
    """The shape and element type of an input for which no data is given."""

    shape: tuple[int, ...]
    dtype: str = "float32"


def make_example(name: str, spec: InputSpec, seed: int) -> Array:
    """Draw an input: normal floats, or whole numbers 0 and 1, which every table has."""
    generator = np.random.Generator(np.random.Philox(seed))
    if any(size < 1 for size in spec.shape):
        raise error("input-shape", f"input `{name}` has an empty shape {spec.shape}")
    dtype = np.dtype(spec.dtype)
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
            problems.append(Diagnostic("input-shape", f"example input `{name}` is empty"))
        elif array.dtype.kind == "f" and not np.isfinite(array).all():
            text = f"example input `{name}` has elements that are NaN or infinite"
            problems.append(Diagnostic("input-not-finite", text, "clean the data first"))
    if problems:
        raise MccError(problems)
