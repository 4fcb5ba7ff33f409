"""A compiled file apart from the process that made it: the same anywhere, and free of torch."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mcc
from mcc.ir.network import save
from tests.acceptance.apart import compile_torch
from tests.acceptance.small import compile_small, compiled, network, samples

ROOT = Path(__file__).parents[2]
REFUSED = ("torch", "torchvision", "transformers", "sklearn")
WITHOUT_TORCH = f"""
import sys
for name in {REFUSED!r}:
    sys.modules[name] = None
"""


def run(script: str, *arguments: object, **environment: str) -> str:
    """Run a script in a process of its own, in the root of the repository."""
    command = [sys.executable, "-c", script, *map(str, arguments)]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


COMPILE = """
import sys
from tests.acceptance.apart import compile_torch
compile_torch(threads=int(sys.argv[2])).save(sys.argv[1])
"""


def test_compiling_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    compiled().save(tmp_path / "a.mcc")
    compile_small().save(tmp_path / "b.mcc")
    assert (tmp_path / "a.mcc").read_bytes() == (tmp_path / "b.mcc").read_bytes()


def test_other_hash_seeds_and_threads_give_the_same_bytes(tmp_path: Path) -> None:
    """A module of torch, whose own sums depend on the number of its threads."""
    compile_torch(threads=1).save(tmp_path / "here")
    run(COMPILE, tmp_path / "there", 2, PYTHONHASHSEED="12345", OMP_NUM_THREADS="2")
    assert (tmp_path / "here").read_bytes() == (tmp_path / "there").read_bytes()


USE = f"""{WITHOUT_TORCH}
import json
import numpy as np
import mcc
program = mcc.load(sys.argv[1])
x = np.load(sys.argv[2])["x"]
print(json.dumps({{
    "outputs": {{
        name: mcc.Machine(program, name, seed)(x).tolist()
        for name, seed in (("exact", None), ("converter", None), ("device", 7))
    }},
    "verify": [[it.name, it.passed, it.detail] for it in program.verify()],
    "report": program.report(),
    "explain": program.explain(),
    "disassemble": program.disassemble(),
}}))
assert not any(name.split(".")[0] in {REFUSED!r} and sys.modules[name] for name in sys.modules)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("apart")
    compiled().save(found / "model.mcc")
    save(network(), found / "model.onnx")
    np.savez(found / "x.npz", x=samples(3, 5))
    np.savez(found / "calibration.npz", x=samples(6, 1))
    return found


def test_a_process_without_torch_does_the_same(folder: Path) -> None:
    found = json.loads(run(USE, folder / "model.mcc", folder / "x.npz"))
    program = mcc.load(folder / "model.mcc")
    outputs: dict[str, Any] = {
        name: mcc.Machine(program, name, seed)(samples(3, 5)).tolist()
        for name, seed in (("exact", None), ("converter", None), ("device", 7))
    }
    assert found["outputs"] == outputs
    assert found["verify"] == [[it.name, it.passed, it.detail] for it in program.verify()]
    assert all(passed for _, passed, _ in found["verify"])
    assert found["report"] == program.report()
    assert found["explain"] == program.explain()
    assert found["disassemble"] == program.disassemble()


COMMANDS = f"""{WITHOUT_TORCH}
import json
from mcc.cli.main import main
for arguments in json.loads(sys.argv[1]):
    try:
        main(arguments)
    except SystemExit as end:
        assert not end.code, arguments
"""


def test_every_command_works_without_torch(folder: Path) -> None:
    model, again = str(folder / "model.mcc"), str(folder / "again.mcc")
    source = [str(folder / "model.onnx"), "--calibration", str(folder / "calibration.npz")]
    arguments = [
        *([name, model] for name in ("verify", "report", "explain", "inspect", "disassemble")),
        ["run", model, "--input", str(folder / "x.npz"), "-o", str(folder / "y.npz")],
        ["compile", *source, "-o", again],
        ["verify", again],
        ["targets", "list"],
        ["ops"],
        ["passes"],
    ]
    printed = run(COMMANDS, json.dumps(arguments))
    assert "recorded  capture" in printed
    assert "FAILED" not in printed
    with np.load(folder / "y.npz") as file:
        assert np.array_equal(file["y"], mcc.Machine(compiled())(samples(3, 5)))
