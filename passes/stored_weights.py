"""The scale of a weight that came as integers: data on the constant, until quantize takes it.

DequantizeLinear of a constant folds into floats `code * scale`. Who knows the scale gets the codes
back, whatever the rewrites between did to the order of the elements.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import final

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from mcc.ir.network import Array, constant_of, static_shape
from mcc.passes.attributes import integer, integers, is_standard, operand, required

Floats = NDArray[np.float32]

_KEY = "mcc.scale"
_TOLERANCE = 2.0**-21
"""Relative; folding rounds a weight three times at most, and its scale once."""


@final
@dataclass(frozen=True)
class StoredScale:
    """`weight = code * scale` for every element of a weight."""

    scale: Floats
    """As many axes as the weight, to which it broadcasts."""
    bits: int
    """Width of a code."""

    def transposed(self, perm: tuple[int, ...]) -> StoredScale:
        """Return the scale of the transposed weight."""
        return StoredScale(self.scale.transpose(perm), self.bits)

    def times(self, factor: Array | float) -> StoredScale:
        """Return the scale of the weight times `factor`; a sign goes to the codes."""
        product = np.abs(self.scale.astype(np.float64) * factor)
        return StoredScale(product.astype(np.float32), self.bits)


@final
@dataclass(frozen=True)
class StoredWeight:
    """A weight as the integers that it came as."""

    codes: NDArray[np.int8]
    """In the shape of the weight."""
    scale: Floats
    """One for each output channel."""
    bits: int
    """Width of a code in a cell."""


def keep_scale(value: ir.Value, stored: StoredScale | None) -> None:
    """Record the scale of a constant weight."""
    if stored is not None:
        data = [stored.bits, list(stored.scale.shape), stored.scale.ravel().tolist()]
        value.metadata_props[_KEY] = json.dumps(data)


def scale_of(value: ir.Value) -> StoredScale | None:
    """Return the scale that was recorded for a constant."""
    stored = value.metadata_props.get(_KEY)
    if stored is None:
        return None
    bits, shape, scale = json.loads(stored)
    return StoredScale(np.array(scale, np.float32).reshape(shape), bits)


def computed_scale(value: ir.Value) -> StoredScale | None:
    """Return the scale of what DequantizeLinear, or a Transpose after it, makes of constants."""
    node, shape = value.producer(), static_shape(value)
    if node is None or shape is None:
        return None
    rank = len(shape)
    if is_standard(node, "Transpose"):
        found = computed_scale(required(node, 0))
        perm = integers(node, "perm", tuple(reversed(range(rank))))
        return None if found is None else found.transposed(perm)
    if not is_standard(node, "DequantizeLinear") or integer(node, "block_size", 0):
        return None
    scale, codes = constant_of(operand(node, 1)), required(node, 0).dtype
    if scale is None or scale.dtype != np.float32 or codes is None or codes.bitwidth > 8:
        return None
    if scale.size == 1:
        return StoredScale(scale.reshape((1,) * rank), codes.bitwidth)
    axis = integer(node, "axis", 1) % rank
    column = tuple(-1 if place == axis else 1 for place in range(rank))
    return StoredScale(scale.reshape(column), codes.bitwidth)


def stored_weight(value: ir.Value, axis: int) -> StoredWeight | str | None:
    """Return the integers of a constant weight; nothing where it came as floats.

    Args:
        value: The weight, float32.
        axis: The one that counts its output channels.

    Returns:
        The reason, where the weight came as integers that no integer contraction has.
    """
    stored, weight = scale_of(value), constant_of(value)
    if stored is None or weight is None:
        return None
    if any(size != 1 for place, size in enumerate(stored.scale.shape) if place != axis):
        return f"its scales {stored.scale.shape} are not one for each output channel"
    # Only zeros have a scale of zero.
    scale = np.where(stored.scale == 0, np.float32(1), stored.scale)
    codes = np.rint(weight / scale)
    if not np.all(np.abs(codes * scale - weight) <= _TOLERANCE * np.abs(weight)):
        return "it is not a multiple of its scale"
    if np.any(codes.astype(np.int8) != codes):
        return f"its codes, less the zero point, go from {codes.min():.0f} to {codes.max():.0f}"
    scales = np.broadcast_to(scale.ravel(), weight.shape[axis])
    return StoredWeight(codes.astype(np.int8), np.array(scales), stored.bits)
