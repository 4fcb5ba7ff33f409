"""Compiled files that are not as they were written: no command takes anything from them."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from mcc.ir.container import members_of, pieces
from mcc.ir.manifest import MANIFEST
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
