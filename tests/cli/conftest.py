"""A folder with a network, its data and its compiled file, and a shell in it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import mcc
from tests.cli.runner import Shell
from tests.cli.samples import data, linear, write


@pytest.fixture(scope="session")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Return the compiled file of the tiny network."""
    folder = tmp_path_factory.mktemp("compiled")
    write(folder / "net.onnx", linear())
    program = mcc.compile(folder / "net.onnx", data(), calibration=data())
    program.save(folder / "net.mcc")
    return (folder / "net.mcc").read_bytes()


@pytest.fixture
def shell(
    compiled: bytes,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> Shell:
    """Return a shell in a folder with `net.onnx`, `x.npz` and `net.mcc`."""
    folder = tmp_path / "work"
    folder.mkdir()
    write(folder / "net.onnx", linear())
    np.savez(folder / "x.npz", x=data())
    (folder / "net.mcc").write_bytes(compiled)
    monkeypatch.chdir(folder)
    return Shell(folder, capfd)
