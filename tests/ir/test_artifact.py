"""Compiled files: the same bytes for the same content, and nothing damaged gets through."""

from __future__ import annotations

import dataclasses
import errno
import hashlib
import io
import json
import os
import random
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import numpy as np
import onnx.parser
import pytest
from numpy.typing import NDArray

from mcc.backends.crossbar import targets
from mcc.ir import artifact, container, npz
from mcc.ir.artifact import Artifact
from mcc.ir.diagnostics import MccError
from mcc.ir.manifest import MANIFEST, plain_json
from mcc.ir.network.certificate import Certificate, Contract
from mcc.ir.program import Constant, DType, HostCall, Image, Program, Region, Stream, Tile
from mcc.ir.program.checks import check
from mcc.ir.program.instructions import CallHost, Fill, Halt, Load, Mvm, Store
from mcc.ir.program.places import Place
from mcc.ir.signature import Parameter, Signature
from mcc.ir.structure import Leaf

F32, I32, U8 = DType.FLOAT32, DType.INT32, DType.UINT8
CODES = Stream.dense(U8, 0, (4,))
SUMS = Stream.dense(I32, 64, (2,))
GRAPH = """<ir_version: 9, opset_import: ["": 18]>
    g (int32[2] sums) => (float[2] y) { f = Cast <to = 1> (sums) y = Relu(f) }"""


def small_program() -> Program:
    """Multiply four codes with two columns, then let the host convert the sums."""
    values: dict[str, Any] = {"chip.mesh_rows": 1, "chip.mesh_cols": 1, "core.macros": 1}
    macro = {"macro.rows": 4, "macro.cols": 32, "macro.active_rows": 4}
    target = targets.load("rram40nm").with_values(values | macro)
    place: dict[str, Any] = {"core": 0, "macro": 0, "row": 0, "col": 0, "rows": 4, "cols": 2}
    bits: dict[str, Any] = {"weight_bits": 2, "input_bits": 8, "input_signed": False, "shift": 0}
    cells = np.random.default_rng(0).integers(0, 2, (4, 32)).astype(np.uint8)
    sums, y = Region("sums", 64, I32, (2,)), Region("y", 96, F32, (2,))
    program = Program(
        target=target,
        cores=(
            (
                Load(CODES, CODES),
                Fill(SUMS, 0.0),
                Mvm(0, CODES, 1, SUMS),
                Store(SUMS, SUMS),
                CallHost(0),
                Halt(),
            ),
        ),
        tiles=(Tile(**place, **bits, flips=b"", image=0, node="fc", block=(0, 0)),),
        images=(Image(0, 0, cells),),
        constants=(Constant.of("unused", 128, np.arange(3, dtype=np.float32)),),
        host_calls=(HostCall(0, (sums,), (y,), 2),),
        host_graphs=(onnx.parser.parse_model(GRAPH).SerializeToString(),),
        inputs=(Region("x", 0, U8, (4,)),),
        outputs=(y,),
        buffer_bytes=192,
        memory_bytes=(192,),
        source_map=(("", "", "fc", "fc", "relu", ""),),
    )
    check(program)
    return program


def small_artifact() -> Artifact:
    x = np.array([[1, 2, 3, 4]], np.uint8)
    proof: dict[str, Any] = {"subject": "tile", "contract": Contract.EXACT, "bound": 0.0}
    return Artifact(
        program=small_program(),
        signature=Signature(
            (Parameter("x", Leaf("x", "uint8", (1, 4))),), Leaf("y", "float32", (1, 2)), True
        ),
        network=onnx.parser.parse_model(GRAPH).SerializeToString(),
        stages={"captured": b"another network"},
        places={(0, 3): Place("sums", (2,), Stream.dense(I32, 0, (2,)))},
        certificates=(Certificate(**proof, measured=0.0, inputs="8 random", passed=True),),
        vectors={"inputs/x": x, "outputs/y": np.array([[0.5, -0.0]], np.float32)},
        report={"cycles": {"value": 12, "kind": "simulated"}},
        provenance={"file": "fc.onnx", "passes": "tile", "calibration_samples": 1},
    )


@pytest.fixture(scope="module")
def data() -> bytes:
    return artifact.to_bytes(small_artifact())


def refusal(data: bytes) -> str:
    """Return what is said about a file that must not be accepted."""
    with pytest.raises(MccError) as caught:
        artifact.from_bytes(data)
    assert caught.value.diagnostics[0].code in ("artifact-damaged", "artifact-version")
    return str(caught.value)


def spans(data: bytes) -> dict[str, tuple[int, int]]:
    """Return where the bytes of every member begin and end."""
    found: dict[str, tuple[int, int]] = {}
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for item in archive.infolist():
            begin = item.header_offset + 30 + len(item.filename)
            found[item.filename] = (begin, begin + item.file_size)
    return found


def flipped(data: bytes, position: int, bit: int) -> bytes:
    changed = bytearray(data)
    changed[position] ^= 1 << bit
    return bytes(changed)


def rewritten(data: bytes, change: Callable[[dict[str, bytes]], None]) -> bytes:
    """Return a file whose members were changed by somebody who makes every hash right."""
    members = dict(container.members_of(data))
    change(members)
    manifest = json.loads(members.pop(MANIFEST))
    manifest["members"] = {
        name: {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        for name, content in sorted(members.items())
    }
    manifest.pop("digest")
    manifest["digest"] = hashlib.sha256(plain_json(manifest)).hexdigest()
    ordered = {MANIFEST: plain_json(manifest), **dict(sorted(members.items()))}
    return b"".join(container.pieces(ordered))


def test_everything_comes_back(data: bytes) -> None:
    wanted, found = small_artifact(), artifact.from_bytes(data)
    assert found.program == wanted.program
    assert found.program.target == wanted.program.target
    for name in ("signature", "network", "stages", "places", "certificates", "report"):
        assert getattr(found, name) == getattr(wanted, name)
    assert found.provenance == wanted.provenance
    assert found.vectors.keys() == wanted.vectors.keys()
    for name, array in wanted.vectors.items():
        assert found.vectors[name].dtype == array.dtype
        assert found.vectors[name].tobytes() == array.tobytes()


def test_the_same_content_gives_the_same_bytes(data: bytes, tmp_path: Path) -> None:
    artifact.save(small_artifact(), tmp_path / "a.mcc")
    assert (tmp_path / "a.mcc").read_bytes() == data
    artifact.save(artifact.load(tmp_path / "a.mcc"), tmp_path / "b.mcc")
    assert (tmp_path / "b.mcc").read_bytes() == data
    assert sorted(os.listdir(tmp_path)) == ["a.mcc", "b.mcc"]


def test_any_zip_tool_and_numpy_read_it(data: bytes) -> None:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        assert archive.namelist()[:4] == [
            MANIFEST,
            "cells.npz",
            "certificates.json",
            "host/0000.onnx",
        ]
        with np.load(io.BytesIO(archive.read("cells.npz")), allow_pickle=False) as cells:
            image = small_program().images[0]
            assert np.array_equal(cells["000000-core0-macro0"], image.cells)


@pytest.mark.parametrize("name", [*artifact.REQUIRED, "host/0000.onnx", "stages/captured.onnx"])
def test_one_byte_of_a_member_is_noticed_and_the_member_named(data: bytes, name: str) -> None:
    begin, end = spans(data)[name]
    generator = random.Random(name)
    for position in {begin, end - 1, *(generator.randrange(begin, end) for _ in range(20))}:
        assert name in refusal(flipped(data, position, generator.randrange(8)))


def test_every_byte_between_the_members_is_noticed(data: bytes) -> None:
    inside = {at for begin, end in spans(data).values() for at in range(begin, end)}
    for position in sorted(set(range(len(data))) - inside):
        refusal(flipped(data, position, position % 8))


@pytest.mark.parametrize("fraction", [0.0, 0.01, 0.3, 0.9, 0.999])
def test_a_file_that_is_cut_off_is_refused(data: bytes, fraction: float) -> None:
    refusal(data[: int(len(data) * fraction)])


@pytest.mark.parametrize("around", [(b"", b"\0"), (b"\0", b""), (b"PK", b"PK")])
def test_bytes_around_the_archive_are_refused(data: bytes, around: tuple[bytes, bytes]) -> None:
    refusal(around[0] + data + around[1])


STRANGERS = ["notes.txt", "../evil", "/etc/passwd", "host/../../x.onnx", "host/00001.onnx"]
MORE = ["host/\u0660\u0660\u0660\u0660.onnx", "stages/A.onnx", "cells.npz/", "a\nb"]


@pytest.mark.parametrize("name", [*STRANGERS, *MORE])
def test_other_members_are_refused_by_name(data: bytes, name: str) -> None:
    changed = rewritten(data, lambda members: members.update({name: b"x"}))
    text = refusal(changed)
    assert "no such member" in text
    assert (name if name.isprintable() else ascii(name)) in text


@pytest.mark.parametrize("name", [*artifact.REQUIRED, "host/0000.onnx"])
def test_a_missing_member_is_named(data: bytes, name: str) -> None:
    members = dict(container.members_of(data))
    del members[name]
    assert name in refusal(b"".join(container.pieces(members)))
    if name != MANIFEST:
        changed = rewritten(data, lambda members: members.__delitem__(name))
        assert name in refusal(changed) or "program.bin" in refusal(changed)


def test_a_doubled_member_is_named(data: bytes) -> None:
    members = container.members_of(data)
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for name, content in members:
            archive.writestr(name, content)
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr(*members[3])
    assert f"{members[3][0]}: it is there twice" in refusal(target.getvalue())


def test_compressed_members_are_refused(data: bytes) -> None:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(MANIFEST, b"\0" * (1 << 24))
    assert len(target.getvalue()) < 1 << 17
    assert "compressed" in refusal(target.getvalue())


@pytest.mark.parametrize("text", [b"", b"no zip", b"PK\x05\x06" + b"\0" * 18, b"PK\3\4" * 100])
def test_what_is_no_archive_is_refused(text: bytes) -> None:
    refusal(text)


def test_another_version_is_told_from_damage(data: bytes) -> None:
    def later(members: dict[str, bytes]) -> None:
        members[MANIFEST] = members[MANIFEST].replace(b'"version": 1', b'"version": 2', 1)

    assert "artifact-version" in refusal(rewritten(data, later))


CHANGES: dict[str, Callable[[dict[str, bytes]], None]] = {
    "program.bin": lambda m: m.update({"program.bin": m["program.bin"][:-1] + b"\1"}),
    "cells.npz": lambda m: m.update({"cells.npz": npz.pack_arrays({"x": np.zeros(3)})}),
    "source_map.json": lambda m: m.update({"source_map.json": b"[[0, 1]]"}),
    "certificates.json": lambda m: m.update({"certificates.json": b"[{}]"}),
    "report.json": lambda m: m.update({"report.json": b"["}),
    "vectors.npz": lambda m: m.update({"vectors.npz": b"[" * 100}),
}


@pytest.mark.parametrize("name", list(CHANGES))
def test_senseless_members_with_right_hashes_are_refused(data: bytes, name: str) -> None:
    assert name in refusal(rewritten(data, CHANGES[name]))


@pytest.mark.parametrize("name", ["cells.npz", "vectors.npz"])
def test_arrays_that_nothing_can_need_are_not_unpacked(
    data: bytes, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unpack(file: IO[bytes], form: npz.Form) -> NDArray[Any]:
        assert form.bytes < 1 << 20
        return read_elements(file, form)

    read_elements = npz.read_elements
    monkeypatch.setattr(npz, "read_elements", unpack)
    bomb = npz.pack_arrays({"000000-core0-macro0": np.zeros(1 << 24, np.uint8)})
    said = refusal(rewritten(data, lambda members: members.update({name: bomb})))
    assert f"{name}: `000000-core0-macro0` is not of the form that it must have" in said


@pytest.mark.parametrize("entry", [{"target_digest": "0" * 64}, {"more": 1}])
def test_a_manifest_says_nothing_else(data: bytes, entry: dict[str, Any]) -> None:
    def other(members: dict[str, bytes]) -> None:
        members[MANIFEST] = plain_json(json.loads(members[MANIFEST]) | entry)

    assert MANIFEST in refusal(rewritten(data, other))


def test_one_cell_belongs_to_the_program(data: bytes) -> None:
    def other(members: dict[str, bytes]) -> None:
        cells = npz.unpack_arrays("cells.npz", members["cells.npz"])
        next(iter(cells.values()))[0, 0] ^= 1
        members["cells.npz"] = npz.pack_arrays(cells)

    assert "program.bin" in refusal(rewritten(data, other))


def test_a_full_disk_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(MccError, match="No space left on device") as caught:
        artifact.save(small_artifact(), tmp_path / "model.mcc")
    assert caught.value.diagnostics[0].code == "write-failed"
    assert os.listdir(tmp_path) == []


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(MccError) as caught:
        artifact.load(tmp_path / "model.mcc")
    assert caught.value.diagnostics[0].code == "file-missing"


RUN = """
import sys
sys.modules["torch"] = None
import numpy as np
from mcc.ir import artifact
from mcc.runtime.machine import Machine
found = artifact.load(sys.argv[1])
run = Machine(found.program).run({"x": found.vectors["inputs/x"]})
print(run.outputs["y"].tolist())
assert not any(name.startswith("torch.") for name in sys.modules)
"""


def test_a_file_runs_where_torch_is_not(tmp_path: Path) -> None:
    artifact.save(small_artifact(), tmp_path / "model.mcc")
    command = [sys.executable, "-c", RUN, str(tmp_path / "model.mcc")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    cells = small_program().images[0].cells[:, :4].astype(int)
    weights = np.stack([cells[:, 0] - cells[:, 1], cells[:, 2] - cells[:, 3]], axis=1)
    wanted = np.maximum(np.array([1, 2, 3, 4]) @ weights, 0)
    assert json.loads(done.stdout) == [[float(value) for value in wanted]]


def test_infinite_numbers_are_not_written() -> None:
    with pytest.raises(ValueError, match="Out of range float"):
        artifact.to_bytes(dataclasses.replace(small_artifact(), report={"x": float("inf")}))
