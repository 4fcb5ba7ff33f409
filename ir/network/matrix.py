"""The matrix of an integer contraction, as the tiles of a crossbar hold it.

The rows of a convolution run over (channel, kernel indices) of all input channels, the last index
fastest; its groups lie on the diagonal.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mcc.ir.network.operators import IntegerConv, IntegerLinear
from mcc.ir.network.values import Array, constant_of, shape_of


def matrix_block(
    view: IntegerLinear | IntegerConv, rows: tuple[int, int], cols: tuple[int, int]
) -> NDArray[np.int8]:
    """Return a block of the matrix; `rows` and `cols` are (start, stop)."""
    weight = constant_of(view.weight)
    assert weight is not None
    if isinstance(view, IntegerLinear):
        return weight[rows[0] : rows[1], cols[0] : cols[1]]
    flat = weight.reshape(len(weight), -1)
    row_step, col_step = flat.shape[1], len(flat) // view.group
    block = np.zeros((rows[1] - rows[0], cols[1] - cols[0]), np.int8)
    first = max(rows[0] // row_step, cols[0] // col_step)
    last = min((rows[1] - 1) // row_step, (cols[1] - 1) // col_step)
    for group in range(first, last + 1):
        top, bottom = max(rows[0], group * row_step), min(rows[1], (group + 1) * row_step)
        left, right = max(cols[0], group * col_step), min(cols[1], (group + 1) * col_step)
        part = flat[left:right, top - group * row_step : bottom - group * row_step]
        block[top - rows[0] : bottom - rows[0], left - cols[0] : right - cols[0]] = part.T
    return block


def position_count(view: IntegerLinear | IntegerConv) -> int:
    """Return how many vectors are multiplied by the matrix."""
    shape = shape_of(view.codes)
    if isinstance(view, IntegerLinear):
        return math.prod(shape[:-1])
    return shape[0] * math.prod(view.window.output(shape[2:]))


def input_vectors(
    view: IntegerLinear | IntegerConv, codes: Array, positions: Sequence[int]
) -> Array:
    """Return the codes (positions, rows) that meet the matrix at some positions.

    Args:
        view: The contraction.
        codes: The value of `view.codes`.
        positions: Indices into the result, without its columns, in row-major order.
    """
    if isinstance(view, IntegerLinear):
        return codes.reshape(-1, codes.shape[-1])[positions]
    window = view.window
    axes = range(len(window.kernel))
    border = [(window.pads[axis], window.pads[axis + len(axes)]) for axis in axes]
    padded = np.pad(codes, [(0, 0), (0, 0), *border], constant_values=view.zero_point)
    shape = (codes.shape[0], *window.output(codes.shape[2:]))
    found = np.empty((len(positions), codes.shape[1] * math.prod(window.kernel)), codes.dtype)
    for index, place in enumerate(np.stack(np.unravel_index(positions, shape), axis=1)):
        taps = tuple(
            slice(start, start + window.dilations[axis] * (window.kernel[axis] - 1) + 1, step)
            for axis, (start, step) in enumerate(
                zip(place[1:] * window.strides, window.dilations, strict=True)
            )
        )
        found[index] = padded[(place[0], slice(None), *taps)].ravel()
    return found
