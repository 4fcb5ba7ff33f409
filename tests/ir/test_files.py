"""Files that are written completely or not at all."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from mcc.ir.diagnostics import MccError
from mcc.ir.files import read_file, write_file

FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def failing(cause: BaseException) -> Iterator[bytes]:
    """Yield two pieces, then fail as a disk or a user may."""
    yield b"one"
    yield b"two"
    raise cause


@pytest.mark.parametrize("old", [b"", b"what was there"])
@pytest.mark.parametrize("cause", [FULL, KeyboardInterrupt(), ValueError("x")])
def test_whatever_happens_nothing_is_left_behind(
    tmp_path: Path, old: bytes, cause: BaseException
) -> None:
    path = tmp_path / "model.mcc"
    if old:
        path.write_bytes(old)
    expected = MccError if cause is FULL else type(cause)
    with pytest.raises(expected) as caught:
        write_file(path, failing(cause))
    if isinstance(caught.value, MccError):
        assert caught.value.diagnostics[0].code == "write-failed"
        assert "No space left on device" in str(caught.value)
    assert os.listdir(tmp_path) == (["model.mcc"] if old else [])
    assert not old or path.read_bytes() == old


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_disk_that_fails_at_the_end_leaves_nothing_behind(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, call: str
) -> None:
    def fail(*_: object) -> None:
        raise FULL

    monkeypatch.setattr(os, call, fail)
    with pytest.raises(MccError, match="No space left on device"):
        write_file(tmp_path / "x", [b"all of it"])
    assert os.listdir(tmp_path) == []


def test_a_file_replaces_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "x"
    for content in (b"first", b"second"):
        write_file(path, [content[:2], content[2:]])
        assert read_file(path) == content
    assert os.listdir(tmp_path) == ["x"]


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o755])
def test_a_file_keeps_its_permissions(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"first")
    path.chmod(mode)
    write_file(path, [b"second"])
    assert path.stat().st_mode & 0o7777 == mode


def test_a_file_that_is_read_only_stays(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"first")
    path.chmod(0o444)
    with pytest.raises(MccError, match="x` is read-only"):
        write_file(path, [b"second"])
    assert read_file(path) == b"first"


def test_what_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(MccError, match="no folder") as caught:
        write_file(tmp_path / "missing" / "x", [b""])
    assert caught.value.diagnostics[0].code == "write-failed"
    for path in (tmp_path / "missing", tmp_path):
        with pytest.raises(MccError) as caught:
            read_file(path)
        assert caught.value.diagnostics[0].code == "file-missing"
