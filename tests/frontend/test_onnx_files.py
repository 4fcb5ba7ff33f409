"""ONNX files and the data beside them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from mcc.frontend import capture
from mcc.ir.diagnostics import MccError
from mcc.ir.network import ReferenceExecutor, to_bytes

WEIGHT = np.arange(6, dtype=np.float32).reshape(3, 2)


def write(folder: Path, location: str = "weights.bin", offset: int = 0, length: int = 24) -> Path:
    """Write a network whose weight lies in another file."""
    tensor = TensorProto(
        name="weight", data_type=TensorProto.FLOAT, dims=(3, 2), data_location=TensorProto.EXTERNAL
    )
    for key, value in (("location", location), ("offset", offset), ("length", length)):
        tensor.external_data.add(key=key, value=str(value))
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "weight"], ["y"])],
        "outside",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 2])],
        [tensor],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)])
    path = folder / "model.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def code_of(path: Path) -> str:
    with pytest.raises(MccError) as caught:
        capture(path)
    return caught.value.diagnostics[0].code


def test_external_data_is_read(tmp_path: Path) -> None:
    path = write(tmp_path, offset=8)
    (tmp_path / "weights.bin").write_bytes(bytes(8) + WEIGHT.tobytes())
    captured = capture(path)
    found = ReferenceExecutor(captured.network).run({"x": np.ones((1, 3), np.float32)})["y"]
    np.testing.assert_array_equal(found, [[6, 9]])
    assert WEIGHT.tobytes() in to_bytes(captured.network)
    assert captured.provenance["file"] == "model.onnx"


def test_missing_external_file(tmp_path: Path) -> None:
    assert code_of(write(tmp_path)) == "file-missing"


@pytest.mark.parametrize("size", [0, 23])
def test_truncated_external_file(size: int, tmp_path: Path) -> None:
    path = write(tmp_path)
    (tmp_path / "weights.bin").write_bytes(bytes(size))
    assert code_of(path) == "file-damaged"


def test_external_size_that_contradicts_the_shape(tmp_path: Path) -> None:
    path = write(tmp_path, length=12)
    (tmp_path / "weights.bin").write_bytes(bytes(24))
    assert code_of(path) == "file-damaged"


@pytest.mark.parametrize("location", ["../weights.bin", "a/../../weights.bin", "C:\\weights.bin"])
def test_paths_that_leave_the_folder(location: str, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (tmp_path / "weights.bin").write_bytes(WEIGHT.tobytes())
    assert code_of(write(folder, location)) == "path-unsafe"


def test_absolute_paths(tmp_path: Path) -> None:
    (tmp_path / "weights.bin").write_bytes(WEIGHT.tobytes())
    assert code_of(write(tmp_path, str(tmp_path / "weights.bin"))) == "path-unsafe"


def test_links_that_leave_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (tmp_path / "secret").write_bytes(WEIGHT.tobytes())
    (folder / "weights.bin").symlink_to(tmp_path / "secret")
    assert code_of(write(folder)) == "path-unsafe"


def test_external_data_of_a_model_in_memory(tmp_path: Path) -> None:
    proto = onnx.ModelProto.FromString(write(tmp_path, "no-such-file.bin").read_bytes())
    with pytest.raises(MccError, match="file-missing"):
        capture(proto)


def test_constant_that_is_shorter_than_its_shape(tmp_path: Path) -> None:
    path = write(tmp_path)
    proto = onnx.ModelProto.FromString(path.read_bytes())
    proto.graph.initializer[0].CopyFrom(
        TensorProto(
            name="weight", data_type=TensorProto.FLOAT, dims=(3000000, 200000), raw_data=bytes(24)
        )
    )
    path.write_bytes(proto.SerializeToString())
    assert code_of(path) == "file-damaged"


@pytest.mark.parametrize("data", [b"", b"hello, this is no model", b"\x08\x09"])
def test_what_is_no_model(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(data)
    assert code_of(path) == "file-damaged"


@pytest.mark.parametrize("kept", [0.3, 0.7, 0.95])
def test_truncated_models(kept: float, tmp_path: Path) -> None:
    path = write(tmp_path)
    (tmp_path / "weights.bin").write_bytes(WEIGHT.tobytes())
    data = path.read_bytes()
    path.write_bytes(data[: int(kept * len(data))])
    assert code_of(path) == "file-damaged"
