"""Compiled files that are not as they were written: no command takes anything from them."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mcc.ir.artifact import CONTENT
from mcc.ir.container import members_of, pieces
from mcc.ir.manifest import MANIFEST, hash_of, make_manifest, plain_json
from tests.acceptance.forgeries import under_a_right_manifest
from tests.cli.runner import Shell

COMMANDS = [
    ["run", "bad.mcc", "--input", "x.npz", "-o", "new.npz"],
    ["verify", "bad.mcc"],
    ["verify", "bad.mcc", "--json"],
    ["explain", "bad.mcc"],
    ["report", "bad.mcc"],
    ["inspect", "bad.mcc"],
    ["disassemble", "bad.mcc"],
]
Change = Callable[[dict[str, bytes]], None]


def refused(shell: Shell, content: bytes, code: str = "artifact-damaged") -> set[str]:
    """Refuse `bad.mcc` with every command; return what was said."""
    Path("bad.mcc").write_bytes(content)
    said = [shell.refusal(*command) for command in COMMANDS]
    assert {item.code for item in said} == {code}
    assert {item.place for item in said} == {"bad.mcc"}
    return {item.message for item in said}


def with_member(compiled: bytes, name: str) -> bytes:
    """Return a compiled file that another tool has added something to."""
    Path("bad.mcc").write_bytes(compiled)
    with zipfile.ZipFile("bad.mcc", "a") as archive:
        archive.writestr(name, b"x")
    return Path("bad.mcc").read_bytes()


def rewritten(compiled: bytes, change: Change) -> bytes:
    members = dict(members_of(compiled))
    change(members)
    return b"".join(pieces(members))


@pytest.mark.parametrize("kept", [0.0, 0.01, 0.5, 0.99])
def test_a_file_that_is_cut_off(shell: Shell, compiled: bytes, kept: float) -> None:
    messages = refused(shell, compiled[: int(kept * len(compiled))])
    wanted = "it is cut off" if kept else "this is no compiled file"
    assert all(wanted in text for text in messages)


def test_one_byte_of_every_member(shell: Shell, compiled: bytes) -> None:
    with zipfile.ZipFile("net.mcc") as archive:
        ends = [(item.filename, item.header_offset) for item in archive.infolist()[1:]]
    ends.append(("the directory", archive.start_dir))
    for (_, end), owner in zip(ends, [MANIFEST, *(name for name, _ in ends)], strict=False):
        changed = bytearray(compiled)
        changed[end - 5] ^= 1
        assert all(text.startswith(owner) for text in refused(shell, bytes(changed)))


def test_an_extra_member(shell: Shell, compiled: bytes) -> None:
    messages = refused(shell, with_member(compiled, "notes.txt"))
    assert messages == {"notes.txt: a compiled file has no such member"}
    messages = refused(shell, with_member(compiled, "host/9999.onnx"))
    assert messages == {"host/9999.onnx: the manifest does not name it"}


@pytest.mark.parametrize("name", ["../evil.onnx", "/evil.onnx", "host/../../evil.onnx"])
def test_a_name_that_leads_outside(shell: Shell, compiled: bytes, name: str) -> None:
    assert refused(shell, with_member(compiled, name)) == {
        f"{name}: a compiled file has no such member"
    }


def test_a_missing_member(shell: Shell, compiled: bytes) -> None:
    content = rewritten(compiled, lambda members: members.__delitem__("cells.npz"))
    assert refused(shell, content) == {"cells.npz: it is missing"}


def test_another_version(shell: Shell, compiled: bytes) -> None:
    def later(members: dict[str, bytes]) -> None:
        members[MANIFEST] = members[MANIFEST].replace(b'"version": 1', b'"version": 2', 1)

    messages = refused(shell, rewritten(compiled, later), "artifact-version")
    assert messages == {"manifest.json: the format is 2, here 1 is read"}


@pytest.mark.parametrize("name", ["net.onnx", "x.npz"])
def test_other_files(shell: Shell, name: str) -> None:
    refused(shell, Path(name).read_bytes())


def put(*path: str | int, value: object) -> Callable[[Any], Any]:
    """Return what changes one value of plain data."""

    def change(data: Any) -> Any:
        if not path:
            return value
        inner = data
        for key in path[:-1]:
            inner = inner[key]
        inner[path[-1]] = value
        return data

    return change


X = ("signature", "parameters", 0)


@pytest.mark.parametrize(
    "change",
    [
        put("provenance", value=[]),
        put("provenance", value={}),
        put("provenance", "passes", value=None),
        put("provenance", "calibration_samples", value="8"),
        put("provenance", "file", value=["net.onnx"]),
        put("signature", value=None),
        put("signature", "samples", value="yes"),
        put(*X, "name", value=5),
        put(*X, "optional", value=0),
        put(*X, "structure", "shape", value="16"),
        put(*X, "structure", "shape", 1, value=-16),
        put(*X, "structure", "shape", value=[]),
        put(*X, "structure", "dtype", value="float33"),
        put("target", value=[]),
        put("target_digest", value={}),
    ],
)
def test_a_manifest_of_other_types(
    shell: Shell, compiled: bytes, change: Callable[[Any], Any]
) -> None:
    members = dict(members_of(compiled))
    content = change(json.loads(members.pop(MANIFEST)))
    manifest = make_manifest({name: content[name] for name in CONTENT}, members)
    messages = refused(shell, b"".join(pieces({MANIFEST: manifest, **members})))
    assert all(text.startswith(f"{MANIFEST}: ") for text in messages)


@pytest.mark.parametrize("member", ["program.bin", "report.json"])
def test_a_manifest_that_says_nothing_of_a_member(
    shell: Shell, compiled: bytes, member: str
) -> None:
    members = dict(members_of(compiled))
    manifest = json.loads(members[MANIFEST])
    manifest["members"][member] = None
    del manifest["digest"]
    manifest["digest"] = hash_of(plain_json(manifest))
    members[MANIFEST] = plain_json(manifest)
    [message] = refused(shell, b"".join(pieces(members)))
    assert message.startswith(f"{member}: ")


@pytest.mark.parametrize(("name", "value"), [("passed", "yes"), ("subject", 5), ("detail", None)])
def test_a_certificate_of_other_types(
    shell: Shell, compiled: bytes, name: str, value: object
) -> None:
    members = dict(members_of(compiled))
    certificates = json.loads(members["certificates.json"])
    certificates[0][name] = value
    members["certificates.json"] = plain_json(certificates)
    [message] = refused(shell, under_a_right_manifest(members))
    assert message.startswith("certificates.json: ")


@pytest.mark.parametrize("content", [None, [], "report", 5])
def test_a_report_that_is_none(shell: Shell, compiled: bytes, content: object) -> None:
    members = {**dict(members_of(compiled)), "report.json": plain_json(content)}
    [message] = refused(shell, under_a_right_manifest(members))
    assert message.startswith("report.json: it cannot be read: ")


@pytest.mark.parametrize(
    ("command", "change"),
    [
        ("report", put(value={})),
        ("report", put("time", value=None)),
        ("report", put("time", "cycles", "value", value="many")),
        ("report", put("energy", "components", value=[])),
        ("report", put("operators", value=[None])),
        ("inspect", put(value={})),
    ],
)
def test_a_report_that_lacks_what_is_shown(
    shell: Shell, compiled: bytes, command: str, change: Callable[[Any], Any]
) -> None:
    members = dict(members_of(compiled))
    members["report.json"] = plain_json(change(json.loads(members["report.json"])))
    Path("bad.mcc").write_bytes(under_a_right_manifest(members))
    said = shell.refusal(command, "bad.mcc")
    assert (said.code, said.place) == ("artifact-damaged", "bad.mcc")
    assert said.message.startswith("report.json: ")


def test_what_verify_finds_is_an_exit_code(shell: Shell, compiled: bytes) -> None:
    """A file whose hashes were made right again fails in a proof, and tells which."""
    from dataclasses import replace

    from mcc.ir.artifact import from_bytes, to_bytes

    artifact = from_bytes(compiled)
    vectors = {name: array + 1 for name, array in artifact.vectors.items()}
    Path("bad.mcc").write_bytes(to_bytes(replace(artifact, vectors=vectors)))
    done = shell("verify", "bad.mcc")
    assert done.code == 1
    assert "FAILED" in done.out
    assert done.err == ""
    assert shell("verify", "bad.mcc", "--json").code == 1
