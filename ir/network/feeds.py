"""What a network is proved with: calibration inputs, random ones, and extreme ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import onnx_ir as ir

from mcc.ir.network.reference import Feeds
from mcc.ir.network.values import Array, dtype_of, shape_of

_RANDOM = 2
_SATURATION = 16.0
"""Extreme floats are this many times the largest that calibration has seen."""


@final
@dataclass(frozen=True, kw_only=True)
class Evidence:
    """The inputs of a proof."""

    calibration: tuple[Feeds, ...] = ()
    random: tuple[Feeds, ...] = ()
    extreme: tuple[Feeds, ...] = ()

    def __iter__(self) -> Iterator[tuple[str, Feeds]]:
        """Go through all inputs with the name of their kind."""
        for kind in ("calibration", "random", "extreme"):
            for feeds in getattr(self, kind):
                yield kind, feeds


def evidence_for(
    network: ir.Model, calibration: Sequence[Feeds], seed: int = 0, limit: int = 4
) -> Evidence:
    """Make the inputs that `network` is proved with, the same for the same arguments.

    Random inputs have the mean and deviation of the calibration inputs; extreme ones are zeros and
    values far outside what calibration has seen. Integers (such as token ids) and truth values
    always stay within what calibration has seen.

    Args:
        network: whose inputs to make.
        calibration: the user's inputs; the first `limit` of them become part of the proof.
        seed: of the random inputs.
        limit: how many calibration inputs to prove with.
    """
    generator = np.random.default_rng(seed)
    inputs = [item for item in network.graph.inputs if item.name and not item.is_initializer()]
    seen = {value.name or "": _seen(value, calibration) for value in inputs}
    random = [
        {value.name or "": _random(value, seen[value.name or ""], generator) for value in inputs}
        for _ in range(_RANDOM)
    ]
    extreme = [
        {value.name or "": make(value, seen[value.name or ""], generator) for value in inputs}
        for make in (_zeros, _saturating)
    ]
    return Evidence(
        calibration=tuple(calibration[:limit]), random=tuple(random), extreme=tuple(extreme)
    )


def _seen(value: ir.Value, calibration: Sequence[Feeds]) -> Array:
    """Everything that calibration feeds to `value`, or a stand-in where it feeds nothing."""
    name, dtype = value.name or "", dtype_of(value).numpy()
    found = [np.asarray(feeds[name]).ravel() for feeds in calibration if name in feeds]
    joined = np.concatenate(found) if found else np.zeros(0, dtype)
    if joined.size:
        return joined
    return np.asarray([-1.0, 1.0] if np.issubdtype(dtype, np.floating) else [0]).astype(dtype)


def _random(value: ir.Value, seen: Array, generator: np.random.Generator) -> Array:
    shape, dtype = shape_of(value), seen.dtype
    if np.issubdtype(dtype, np.floating):
        wide = seen.astype(np.float64)
        drawn = generator.normal(wide.mean(), wide.std() or 1.0, shape)
        return _finite(drawn, dtype)
    return _pick(seen, shape, generator)


def _zeros(value: ir.Value, seen: Array, generator: np.random.Generator) -> Array:
    if np.issubdtype(seen.dtype, np.floating):
        return np.zeros(shape_of(value), seen.dtype)
    return np.full(shape_of(value), seen.min(), seen.dtype)


def _saturating(value: ir.Value, seen: Array, generator: np.random.Generator) -> Array:
    if np.issubdtype(seen.dtype, np.floating):
        largest = (float(np.abs(seen).max()) or 1.0) * _SATURATION
        signs = generator.choice([-1.0, 1.0], shape_of(value))
        return _finite(signs * largest, seen.dtype)
    return np.full(shape_of(value), seen.max(), seen.dtype)


def _finite(wide: Array, dtype: np.dtype[Any]) -> Array:
    """Narrow float64 numbers; what is too large becomes the largest number there is."""
    largest = float(np.finfo(dtype).max)
    return np.clip(wide, -largest, largest).astype(dtype)


def _pick(seen: Array, shape: tuple[int, ...], generator: np.random.Generator) -> Array:
    if np.issubdtype(seen.dtype, np.integer):
        return generator.integers(int(seen.min()), int(seen.max()), shape, seen.dtype, True)
    return generator.choice(np.unique(seen), shape)
