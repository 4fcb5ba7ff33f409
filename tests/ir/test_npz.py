"""Archives of arrays: reproducible, and bounded when they are read."""

from __future__ import annotations

import io
import zipfile
from typing import Any

import numpy as np
import pytest

from mcc.ir import npz
from mcc.ir.diagnostics import MccError


def test_arrays_come_back_as_they_were() -> None:
    arrays: dict[str, Any] = {
        "b/strided": np.arange(12, dtype=np.int16).reshape(3, 4)[:, ::2],
        "a": np.array(-0.0, np.float32),
        "empty": np.zeros((0, 3), bool),
    }
    data = npz.pack_arrays(arrays)
    assert data == npz.pack_arrays(dict(reversed(arrays.items())))
    found = npz.unpack_arrays("x.npz", data)
    assert list(found) == sorted(arrays)
    for name, array in arrays.items():
        assert (found[name].dtype, found[name].shape) == (array.dtype, array.shape)
        assert found[name].tobytes() == array.tobytes()


def test_the_hash_is_of_what_the_arrays_hold() -> None:
    array = np.arange(6, dtype=np.float32)
    found = npz.hash_arrays({"x": array, "y": array})
    assert found == npz.hash_arrays({"y": array[::-1][::-1], "x": array.copy()})
    others = [array.reshape(2, 3), array.view(np.int32), np.negative(array)]
    assert found not in [npz.hash_arrays({"x": array, "y": other}) for other in others]
    assert found != npz.hash_arrays({"x": array, "z": array})


def archive_of(name: str, content: bytes) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return target.getvalue()


def header(shape: tuple[int, ...], dtype: type[Any] = np.uint8) -> bytes:
    target = io.BytesIO()
    fields = {"descr": np.dtype(dtype).str, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(target, fields)
    return target.getvalue()


@pytest.mark.parametrize(
    "data",
    [
        archive_of("x.npy", header((1 << 50,))),
        archive_of("x.npy", header((4,)) + b"\0" * 1000),
        archive_of("x.npy", header((1,), object) + b"\x80\x04N."),
        archive_of("x.npy", b"\x93NUMPY\x03\x00"),
        archive_of("x.txt", header((0,))),
        archive_of("x.npy", header((4,)) + b"\0" * 4)[:-40],
    ],
)
def test_arrays_that_promise_something_else_are_refused(data: bytes) -> None:
    with pytest.raises(MccError, match=r"vectors\.npz"):
        npz.unpack_arrays("vectors.npz", data)


def test_a_bomb_of_arrays_is_refused_before_it_unpacks() -> None:
    bomb = npz.pack_arrays({"x": np.zeros(1 << 24, np.uint8)})
    assert len(bomb) < 1 << 18
    with pytest.raises(MccError, match="larger than they may be"):
        npz.unpack_arrays("vectors.npz", bomb, most_bytes=1 << 20)


def test_a_bomb_that_lies_about_its_size_is_refused() -> None:
    bomb = bytearray(npz.pack_arrays({"x": np.zeros(1 << 24, np.uint8)}))
    real = (1 << 24) + 128
    at = bomb.rindex(real.to_bytes(4, "little"))
    bomb[at : at + 4] = (1000).to_bytes(4, "little")
    with pytest.raises(MccError, match=r"vectors\.npz"):
        npz.unpack_arrays("vectors.npz", bytes(bomb), most_bytes=1 << 20)


def test_what_does_not_belong_is_not_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = npz.pack_arrays({"x": np.zeros(1 << 24, np.uint8)})
    monkeypatch.delattr(npz, "read_elements")
    with pytest.raises(MccError, match="`x` is not of the form"):
        npz.unpack_arrays("cells.npz", bomb, belongs=lambda _, form: form.shape == (4, 4))


def test_the_order_of_elements_is_that_of_the_file() -> None:
    array = np.arange(12, dtype=np.int16).reshape(3, 4)
    target = io.BytesIO()
    np.savez_compressed(target, x=np.asfortranarray(array))
    [found] = npz.unpack_arrays("x.npz", target.getvalue()).values()
    assert np.array_equal(found, array)
