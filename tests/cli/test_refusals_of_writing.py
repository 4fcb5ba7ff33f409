"""Files are written completely or not at all, and never over what a command reads."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import numpy as np
import onnx
import pytest

from tests.cli.runner import Shell, contents, diagnostics
from tests.cli.samples import data, linear, write

COMPILE = ("compile", "net.onnx", "--calibration", "x.npz")
RUN = ("run", "net.mcc", "--input", "x.npz")
MCC = (sys.executable, "-m", "mcc.cli.main")
PATIENCE = 60


@pytest.mark.parametrize("command", [COMPILE, RUN, (*RUN, "--trace")])
@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("elsewhere/new", "there is no folder `elsewhere`"),
        (".", "`.` is a folder"),
        ("net.onnx/new", "there is no folder `net.onnx`"),
        ("pipe", "`pipe` is no plain file"),
    ],
)
def test_places_where_nothing_can_be_written(
    shell: Shell, command: tuple[str, ...], place: str, message: str
) -> None:
    os.mkfifo("pipe")
    try:
        option = () if command[-1] == "--trace" else ("-o",)
        before = sorted(os.listdir())
        done = shell(*command, *option, place)
        (said,) = diagnostics(done.err)
    finally:
        os.remove("pipe")
    assert (done.code, done.out, said.code) == (1, "", "write-failed")
    assert message in said.message
    assert said.help
    assert sorted([*os.listdir(), "pipe"]) == before


def test_nothing_is_replaced_that_a_command_reads(shell: Shell) -> None:
    os.symlink("x.npz", "link.npz")
    for arguments in (
        (*COMPILE, "-o", "net.onnx"),
        (*COMPILE, "-o", "../work/net.onnx"),
        (*COMPILE, "-o", "x.npz"),
        (*RUN, "-o", "net.mcc"),
        (*RUN, "-o", "x.npz"),
        (*RUN, "-o", "link.npz"),
        (*RUN, "--trace", "net.mcc"),
        (*RUN, "-o", "new.npz", "--trace", "new.npz"),
    ):
        said = shell.refusal(*arguments)
        assert said.code == "usage"
        assert "would replace" in said.message


def test_nothing_is_replaced_that_a_network_or_a_target_is_read_from(shell: Shell) -> None:
    save: Any = cast(Any, onnx).save
    save(linear(), "net.onnx", save_as_external_data=True, location="w.bin", size_threshold=0)
    Path("base.yaml").write_text(shell.succeed("targets", "show", "rram40nm"))
    Path("my.yaml").write_text("name: my\ndescription: mine\nextends: base\n")
    Path("dump").mkdir()
    Path("net.onnx").rename("dump/00-after-canonicalize.onnx")
    Path("w.bin").rename("dump/w.bin")
    compiling = ("compile", "dump/00-after-canonicalize.onnx", "--target", "my.yaml")
    for arguments in (
        ("-o", "dump/w.bin"),
        ("-o", "my.yaml"),
        ("-o", "base.yaml"),
        ("-o", "new.mcc", "--dump-dir", "dump"),
        ("-o", "new/02-after-place.onnx", "--dump-dir", "new/../new"),
    ):
        Path("new").mkdir(exist_ok=True)
        said = shell.refusal(*compiling, *arguments)
        assert said.code == "usage"
        assert "would replace" in said.message
        assert arguments[-2] in said.help
    shell.succeed(*compiling, "-o", "new.mcc", "--dump-dir", "new")


def test_networks_of_passes_need_a_folder(shell: Shell) -> None:
    for place in ("x.npz", "x.npz/dumps", "/proc/dumps"):
        said = shell.refusal(*COMPILE, "-o", "new.mcc", "--dump-dir", place)
        assert said.code == "write-failed"


def test_a_link_stays_a_link(shell: Shell) -> None:
    Path("real.mcc").write_bytes(b"old")
    os.symlink("real.mcc", "link.mcc")
    shell.succeed(*COMPILE, "-o", "link.mcc")
    assert Path("link.mcc").is_symlink()
    assert Path("real.mcc").read_bytes() == Path("net.mcc").read_bytes()


@contextmanager
def largest_file(size: int) -> Generator[None]:
    """Let no file of this process grow beyond some bytes, as where a disk is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("old", [False, True])
@pytest.mark.parametrize(
    ("arguments", "size"),
    [
        ((*COMPILE, "-o", "new"), 4096),
        ((*COMPILE, "-o", "new", "--dump-dir", "."), 100),
        ((*RUN, "-o", "new"), 100),
        ((*RUN, "--trace", "new"), 1000),
    ],
)
def test_a_disk_that_is_full_in_the_middle(
    shell: Shell, arguments: tuple[str, ...], size: int, old: bool
) -> None:
    if old:
        Path("new").write_bytes(b"what was there")
    with largest_file(size):
        said = shell.refusal(*arguments)
    assert said.code == "write-failed"
    assert "File too large" in said.message


SMALL_DISK = """
mount -t tmpfs -o size=16k none full || exit 99
"$@" -o full/new.mcc
code=$?
ls -A full
exit $code
"""


def test_a_real_disk_that_is_full(shell: Shell) -> None:
    private = ["unshare", "--mount", "--map-root-user", "sh", "-c", SMALL_DISK, "sh"]
    if shutil.which("unshare") is None:
        pytest.skip("there is no unshare")
    Path("full").mkdir()
    done = subprocess.run([*private, *MCC, *COMPILE], capture_output=True, text=True)
    if "error[" not in done.stderr:
        pytest.skip(f"no file system can be mounted here: {done.stderr.strip()}")
    (said,) = diagnostics(done.stderr)
    assert (done.returncode, said.code) == (1, "write-failed")
    assert "No space left on device" in said.message
    assert done.stdout == ""


def test_results_that_nobody_wants(shell: Shell) -> None:
    for closed in (">&-", "2>&-", ">&- 2>&-"):
        for command in ("report net.mcc", "compile net.onnx -o new.mcc", "report missing.mcc"):
            line = f'"$0" -m mcc.cli.main {command} {closed}'
            done = subprocess.run(
                ["sh", "-c", line, sys.executable], capture_output=True, text=True
            )
            assert done.returncode == ("missing" in command), done.stderr
            assert "Traceback" not in done.stderr
        Path("new.mcc").unlink()


@pytest.mark.parametrize("command", ["report net.mcc", "disassemble net.mcc", "targets list"])
def test_results_that_are_read_in_part(shell: Shell, command: str) -> None:
    """The reader is gone before anything is printed; the shell says 141 of such commands."""
    read, written = os.pipe()
    os.close(read)
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    done = subprocess.run(
        [*MCC, *command.split()],
        stdout=written,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )
    os.close(written)
    assert (done.returncode, done.stderr) == (141, "")


def test_results_that_nobody_can_take(shell: Shell) -> None:
    for arguments in (["report", "net.mcc"], ["disassemble", "net.mcc"]):
        with open("/dev/full", "w") as full:
            done = subprocess.run(
                [*MCC, *arguments], stdout=full, stderr=subprocess.PIPE, text=True
            )
        (said,) = diagnostics(done.stderr)
        assert (done.returncode, said.code) == (1, "write-failed")
        assert said.message == "the output could not be written: No space left on device"


def interrupted(process: subprocess.Popen[str], number: signal.Signals) -> str:
    """Send a signal; return what the process still says on stderr."""
    process.send_signal(number)
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert out == ""
    return err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_in_the_middle_of_compiling(shell: Shell, number: signal.Signals) -> None:
    write(Path("net.onnx"), linear(16, 2000))
    np.savez("x.npz", x=data(5000))
    Path("new.mcc").write_bytes(b"what was there")
    before = contents(shell.folder)
    command = [*MCC, *COMPILE, "-o", "new.mcc", "--print-after", "canonicalize"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == "# after canonicalize\n"
        assert interrupted(process, number).splitlines()[-1] == "interrupted"
    assert contents(shell.folder) == before


STARTING = """
import os, signal, sys

class Interrupt:
    def find_spec(self, name, path=None, target=None):
        if name == "click":
            os.kill(os.getpid(), getattr(signal, sys.argv[1]))

sys.meta_path.insert(0, Interrupt())
from mcc.cli.main import main
main(["report", "net.mcc"])
"""


@pytest.mark.parametrize("number", ["SIGINT", "SIGTERM"])
def test_an_interrupt_while_the_command_line_is_imported(shell: Shell, number: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", STARTING, number], cwd=shell.folder, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "interrupted\n")


SLOW_DISK = """
import os, sys, time
from mcc.cli.main import main
os.fsync = lambda file: time.sleep(60)
main(sys.argv[1:])
"""


@pytest.mark.parametrize("arguments", [(*COMPILE, "-o", "new"), (*RUN, "-o", "new")])
def test_an_interrupt_in_the_middle_of_writing(shell: Shell, arguments: tuple[str, ...]) -> None:
    Path("new").write_bytes(b"what was there")
    before = contents(shell.folder)
    command = [sys.executable, "-c", SLOW_DISK, *arguments]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True) as process:
        deadline = time.monotonic() + PATIENCE
        while not (partial := list(shell.folder.glob(".new.*.partial"))):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert partial[0].exists()
        assert interrupted(process, signal.SIGINT).splitlines()[-1] == "interrupted"
    assert contents(shell.folder) == before
