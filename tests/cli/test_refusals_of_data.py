"""Inputs that do not fit, for running and for calibrating, and files that hold none."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from numpy.typing import NDArray

from mcc.cli import arrays
from mcc.ir import npz
from tests.cli.runner import Said, Shell
from tests.cli.samples import data, linear, write

X = data()
OBJECTS: NDArray[Any] = np.array([{}, []], dtype=object)
RUN = ("run", "net.mcc", "--input", "bad.npz", "-o", "new.npz", "--trace", "new.json")
COMPILE = ("compile", "net.onnx", "--calibration", "bad.npz", "-o", "new.mcc")


def changed(position: tuple[int, int], value: float) -> NDArray[np.float32]:
    array = X.copy()
    array[position] = value
    return array


def both(shell: Shell) -> list[Said]:
    """Refuse `bad.npz` to run on and to calibrate with; return the first of each."""
    return [shell.refusals(*RUN)[0], shell.refusals(*COMPILE)[0]]


@pytest.mark.parametrize(
    ("arrays", "code", "message"),
    [
        ({"z": X}, "input-unknown", "there is no input `z`"),
        ({"x": X, "z": X}, "input-unknown", "there is no input `z`"),
        ({"arr_1": X}, "input-unknown", "there is no input `arr_1`"),
        ({"arr_0": X, "arr_1": X}, "input-unknown", "the network takes 1"),
        ({"x": X[:, :15]}, "input-shape", "input `x` is 8x15, the network takes"),
        ({"x": X[0]}, "input-shape", "input `x` is 16, the network takes"),
        ({"x": X[0, 0]}, "input-shape", "input `x` is a scalar, the network takes"),
        ({"x": X[None]}, "input-shape", "input `x` is 1x8x16, the network takes"),
        ({"x": X.astype(np.float64)}, "input-dtype", "is float64, the network takes float32"),
        ({"x": X.astype(np.int64)}, "input-dtype", "is int64, the network takes float32"),
        ({"x": X.astype(np.complex64)}, "input-dtype", "is complex64, the network takes float32"),
        ({"x": np.full(X.shape, "a")}, "input-dtype", "is text, the network takes float32"),
        ({"x": np.zeros(X.shape, "V4")}, "input-dtype", "is records, the network takes float32"),
        ({"x": changed((3, 2), np.nan)}, "input-not-finite", "NaN or infinite in 1 of 128"),
        ({"x": changed((0, 0), -np.inf)}, "input-not-finite", "NaN or infinite in 1 of 128"),
    ],
)
def test_arrays_that_do_not_fit(
    shell: Shell, arrays: dict[str, NDArray[Any]], code: str, message: str
) -> None:
    np.savez("bad.npz", **cast(Any, arrays))
    for said in both(shell):
        assert said.code == code
        assert message in said.message


@pytest.mark.parametrize("arrays", [{}, {"x": X[:0]}, {"arr_0": X[:0]}])
def test_no_samples(shell: Shell, arrays: dict[str, NDArray[Any]]) -> None:
    np.savez("bad.npz", **cast(Any, arrays))
    assert shell.refusal(*COMPILE).code == "calibration-empty"
    assert shell.refusal(*RUN).code in ("input-missing", "input-shape")


def test_another_number_of_samples_than_the_network_is_for(shell: Shell) -> None:
    write(Path("four.onnx"), linear(batch=4))
    np.savez("four.npz", x=X[:4])
    shell.succeed("compile", "four.onnx", "--calibration", "four.npz")
    for arguments in (
        ("compile", "four.onnx", "--calibration", "x.npz"),
        ("run", "four.mcc", "--input", "x.npz"),
    ):
        said = shell.refusal(*arguments)
        assert said.code == "input-shape"
        assert "input `x` is 8x16, the network takes 4x16" in said.message


def test_the_order_of_bytes_is_no_matter(shell: Shell) -> None:
    np.savez("big.npz", x=X.astype(">f4"))
    for name in ("x", "big"):
        shell.succeed("run", "net.mcc", "--input", f"{name}.npz", "-o", f"{name}-out.npz")
    assert Path("x-out.npz").read_bytes() == Path("big-out.npz").read_bytes()


def member(shape: tuple[int, ...], dtype: str = "<f4", size: int = 64) -> bytes:
    """Return an array file whose header says what it likes."""
    file = io.BytesIO()
    header = {"descr": dtype, "fortran_order": False, "shape": shape}
    cast(Any, np.lib.format).write_array_header_1_0(file, header)
    return file.getvalue() + bytes(size)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (member((1 << 40, 16)), "says that it is 1099511627776x16 float32"),
        (member((1 << 62, 1 << 62)), "says that it is"),
        (member((-1, 16)), "says that it is -1x16"),
        (member((8, 16)), "says that it is 8x16 float32, 640 bytes, and has 192"),
        (member((1, 16), size=65), "says that it is 1x16"),
        (member((1, 8), "|O"), "holds Python objects"),
        (b"", "is no array"),
        (b"\x93NUMPY\x01\x00", "is no array"),
        (b"hello", "is no array"),
    ],
)
def test_members_that_are_no_arrays(shell: Shell, content: bytes, message: str) -> None:
    with zipfile.ZipFile("bad.npz", "w") as archive:
        archive.writestr("x.npy", content)
    for said in both(shell):
        assert said.code == "file-damaged"
        assert f"`x.npy` in `bad.npz` {message}" in said.message


def test_other_members(shell: Shell) -> None:
    with zipfile.ZipFile("bad.npz", "w") as archive:
        archive.writestr("x.npy", member((1, 16)))
        archive.writestr("notes.txt", b"hello")
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("x.npy", member((1, 16)))
    for arguments in (RUN, COMPILE):
        said = shell.refusals(*arguments)
        assert [item.code for item in said] == ["file-damaged"] * 2
        assert "`notes.txt` in `bad.npz` is no array" in said[0].message
        assert "is there twice" in said[1].message


def test_a_bomb_is_not_unpacked(shell: Shell) -> None:
    with zipfile.ZipFile("bad.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open("x.npy", "w") as file:
            file.write(member((1 << 34, 16), size=0))
            for _ in range(16):
                file.write(bytes(1 << 20))
    for said in both(shell):
        assert said.code == "file-damaged"


@pytest.mark.parametrize(
    ("name", "dtype"), [("z", np.uint8), ("x", np.float32)], ids=["name", "shape"]
)
def test_what_no_input_can_be_is_not_unpacked(
    shell: Shell, name: str, dtype: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unpack(*_: object) -> None:
        raise AssertionError("something was unpacked")

    with open("bad.npz", "wb") as file:
        file.write(npz.pack_arrays({name: np.zeros((1 << 20, 15), dtype)}))
    monkeypatch.setattr(arrays, "read_elements", unpack)
    said = shell.refusals(*RUN)[0]
    assert said.code == ("input-unknown" if name == "z" else "input-shape")


@pytest.mark.parametrize("size", [1 << 34, 1 << 40])
def test_more_than_fits_a_memory(shell: Shell, size: int) -> None:
    with zipfile.ZipFile("bad.npz", "w") as archive:
        archive.writestr("x.npy", member((size // 64, 16)))
        archive.infolist()[0].file_size = size + 128
    for said in both(shell):
        assert said.code == "file-too-large"
        assert said.help == "give fewer samples at a time"


def test_less_memory_than_the_data_take(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    def exhausted(*_: object) -> None:
        raise MemoryError("Unable to allocate 244. MiB")

    monkeypatch.setattr("mcc.cli.arrays.read_file", exhausted)
    for said in both(shell):
        assert said.code == "memory-exhausted"
        assert said.message == "there is not enough memory: Unable to allocate 244. MiB"


def test_objects_are_not_unpickled(shell: Shell) -> None:
    np.savez("bad.npz", x=OBJECTS)
    for said in both(shell):
        assert said.code == "file-damaged"
        assert "holds Python objects" in said.message


def test_one_array_without_a_name(shell: Shell) -> None:
    np.save("bad.npy", X)
    Path("bad.npy").rename("bad.npz")
    for said in both(shell):
        assert said.code == "file-damaged"
        assert "one array, not an archive of named ones" in said.message
        assert said.help == "write it with `numpy.savez(path, name=array)`"


def test_damaged_files(shell: Shell) -> None:
    whole = Path("x.npz").read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 1
    for content in (b"", b"hello", whole[: len(whole) // 2], whole[:-1], bytes(flipped)):
        Path("bad.npz").write_bytes(content)
        for said in both(shell):
            assert said.code == "file-damaged"
    for name in ("net.onnx", "net.mcc"):
        Path("bad.npz").write_bytes(Path(name).read_bytes())
        for said in both(shell):
            assert said.code == "file-damaged"
