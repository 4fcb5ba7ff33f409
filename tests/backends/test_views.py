from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mcc.backends.crossbar.views import View
from mcc.ir.program import DType

Array = np.ndarray[Any, Any]


def new(*shape: int) -> tuple[View, Array]:
    array = np.arange(np.prod(shape), dtype=np.int32).reshape(shape)
    return View.new("x", DType.INT32, shape), array


def seen(view: View, array: Array) -> Array:
    """The elements that a view of the storage of `array` shows."""
    raw = np.ascontiguousarray(array)
    return np.ndarray(view.shape, np.int32, raw, view.offset, view.strides)


def test_views_are_numpys() -> None:
    view, array = new(4, 6, 5)
    cases = [
        (view.transpose([2, 0, 1]), array.transpose(2, 0, 1)),
        (view.slice(1, 1, 2, 2), array[:, 1:5:2]),
        (view.slice(0, 3, 1).slice(2, 2, 3), array[3:4, :, 2:5]),
        (view.slice(0, 2, 1).broadcast((3, 6, 5)), np.broadcast_to(array[2:3], (3, 6, 5))),
        (view.broadcast((2, 4, 6, 5)), np.broadcast_to(array, (2, 4, 6, 5))),
    ]
    for found, expected in cases:
        assert np.array_equal(seen(found, array), expected)


@pytest.mark.parametrize(
    "shape", [(24, 5), (4, 2, 3, 5), (4, 1, 6, 5, 1), (120,), (2, 60), (8, 15)]
)
def test_a_contiguous_tensor_takes_any_shape(shape: tuple[int, ...]) -> None:
    view, array = new(4, 6, 5)
    found = view.reshape(shape)
    assert found is not None
    assert found.contiguous
    assert np.array_equal(seen(found, array), array.reshape(shape))


def test_a_strided_tensor_takes_shapes_that_need_no_copy() -> None:
    view, array = new(4, 6, 5)
    turned, expected = view.transpose([1, 0, 2]), array.transpose(1, 0, 2)
    split = turned.reshape((2, 3, 4, 5, 1))
    assert split is not None
    assert np.array_equal(seen(split, array), expected.reshape(2, 3, 4, 5, 1))
    assert turned.reshape((24, 5)) is None
    assert view.slice(2, 0, 3).reshape((24, 3)) is not None
    assert view.slice(2, 0, 3).reshape((72,)) is None


def test_scalars() -> None:
    view = View.new("x", DType.FLOAT32, ())
    assert view.contiguous
    shaped = view.reshape((1, 1))
    assert shaped is not None
    assert shaped.reshape(()) is not None
