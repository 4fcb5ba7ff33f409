"""Products of a programmed matrix, or a part of it, with whatever NumPy would multiply."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, final

import numpy as np

from mcc.cli.crossbar_operands import as_operand, check_length, float_type, like, real_parts
from mcc.ir.tensors import Array
from mcc.runtime.crossbar import RealCrossbar
from mcc.runtime.operands import Floats
from mcc.runtime.placement import Lines


@final
@dataclass(frozen=True)
class View:
    """The part of a programmed matrix that takes part, and which way it is read."""

    outputs: Lines
    inputs: Lines
    transposed: bool = False
    conjugate: bool = False

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns, as the user sees them."""
        rows, cols = len(self.outputs), len(self.inputs)
        return (cols, rows) if self.transposed else (rows, cols)

    @property
    def driven(self) -> Lines:
        """What vectors drive."""
        return self.outputs if self.transposed else self.inputs

    @property
    def sensed(self) -> Lines:
        """What makes up products."""
        return self.inputs if self.transposed else self.outputs

    @property
    def turned(self) -> View:
        """The transposed view."""
        return replace(self, transposed=not self.transposed)

    def block(self, rows: slice, cols: slice) -> View:
        """Return the view of some rows and columns of this one."""
        outputs, inputs = (cols, rows) if self.transposed else (rows, cols)
        return replace(self, outputs=self.outputs[outputs], inputs=self.inputs[inputs])

    def is_whole(self, shape: Sequence[int]) -> bool:
        """Whether it is all of a matrix (outputs, inputs), in its order and direction."""
        lines = (self.outputs, self.inputs)
        ordered = all(np.array_equal(it, np.arange(n)) for it, n in zip(lines, shape, strict=True))
        return ordered and not (self.transposed or self.conjugate)

    def of(self, matrix: Array) -> Array:
        """Return the same part of a matrix (outputs, inputs)."""
        part = matrix[np.ix_(self.outputs, self.inputs)]
        part = part.T if self.transposed else part
        return part.conj() if self.conjugate else part


def vectors_of(operand: Array, view: View, *, left: bool) -> Array:
    """Return the vectors of an operand (batch, elements).

    Raises:
        MccError: `crossbar-input`: they have another length than the matrix takes.
    """
    axis = -1 if left or operand.ndim == 1 else -2
    rows, cols = view.shape
    shape = (cols, rows) if left else (rows, cols)
    check_length(operand.shape[axis], shape, left=left)
    turned = np.moveaxis(operand, axis, -1)
    return turned.reshape(int(np.prod(turned.shape[:-1])), turned.shape[-1])


def product(
    parts: Sequence[RealCrossbar], view: View, operand: Any, dtype: np.dtype[Any], *, left: bool
) -> Any:
    """Return `matrix @ operand`, or `operand @ matrix.T` where the operand stands on the left.

    Args:
        parts: The cells: of a real matrix, or of its real and imaginary part.
        view: What of them takes part.
        operand: NumPy array, torch tensor or sequence.
        dtype: Type of the matrix.
        left: Whether vectors lie along the last axis of the operand, not the one before.
    """
    array = as_operand(operand)
    vectors = vectors_of(array, view, left=left)
    found = _complex(parts, view, vectors)
    if left or array.ndim == 1:
        found = found.reshape(*array.shape[:-1], view.shape[0])
    else:
        found = found.reshape(*array.shape[:-2], array.shape[-1], view.shape[0])
        found = np.moveaxis(found, -1, -2)
    result = np.result_type(dtype, float_type(array.dtype))
    return like(found.astype(result, copy=False), operand)


def _complex(parts: Sequence[RealCrossbar], view: View, vectors: Array) -> Array:
    """Return products (batch, rows); complex ones are made of the real ones of each part."""
    pieces = real_parts(vectors)
    if len(parts) == len(pieces) == 1:
        return _real(parts[0], view, pieces[0])
    found = np.zeros((len(vectors), view.shape[0]), np.complex128)
    for part, factor in zip(parts, (1, -1j if view.conjugate else 1j), strict=False):
        for piece, unit in zip(pieces, (1, 1j), strict=False):
            found += factor * unit * _real(part, view, piece)
    return found


def _real(part: RealCrossbar, view: View, vectors: Floats) -> Floats:
    return part.multiply(vectors, view.sensed, view.driven, view.transposed)
