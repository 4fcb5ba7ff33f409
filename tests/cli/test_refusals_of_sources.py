"""Networks that cannot be compiled: damaged, dangerous, incomplete or senseless files."""

from __future__ import annotations

import random
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import helper

from tests.cli.runner import Shell
from tests.cli.samples import INPUTS, OUTPUTS, linear, model, write
from tests.cli.torch_samples import save_module, save_program, save_script, save_state

WEIGHT = np.ones((INPUTS, OUTPUTS), np.float32)
DATA = ("--calibration", "x.npz")


FACTORIES = f"""
from torch import nn

def network():
    return nn.Sequential(nn.Linear({INPUTS}, {OUTPUTS}), nn.ReLU()).eval()

def other():
    return nn.Linear(3, 3)

def number():
    return 3

def failing():
    raise RuntimeError("no weights today")
"""


@pytest.mark.parametrize("kept", [1, 0.2, 0.5, 0.9])
@pytest.mark.parametrize("suffix", [".onnx", ".pt", ".pt2"])
def test_truncated_files(shell: Shell, suffix: str, kept: float) -> None:
    path = Path(f"cut{suffix}")
    if suffix == ".onnx":
        data = Path("net.onnx").read_bytes()
    else:
        save_module(path)
        data = path.read_bytes()
    path.write_bytes(data[: int(kept if kept == 1 else kept * len(data))])
    assert shell.refusal("compile", path, *DATA, "--trust-pickle").code == "file-damaged"


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("empty.onnx", b"", "file-damaged"),
        ("empty.pt", b"", "file-damaged"),
        ("text.onnx", b"hello", "file-damaged"),
        ("text.pt", b"hello", "file-damaged"),
        ("net.tflite", b"hello", "file-kind"),
    ],
)
def test_other_files(shell: Shell, name: str, content: bytes, code: str) -> None:
    Path(name).write_bytes(content)
    assert shell.refusal("compile", name).code == code


def test_a_compiled_file_or_data_are_no_network(shell: Shell) -> None:
    for name in ("net.mcc", "x.npz"):
        said = shell.refusal("compile", name)
        assert (said.code, said.help) == ("file-kind", "known: .pt, .pth, .pt2 and .onnx")


def test_one_wrong_byte(shell: Shell) -> None:
    """Whatever byte is wrong, a file is refused or compiled, and the tool never breaks."""
    data = Path("net.onnx").read_bytes()
    drawn = random.Random(0)
    for position in drawn.sample(range(len(data)), 12):
        changed = bytearray(data)
        changed[position] ^= 1 << drawn.randrange(8)
        Path("bad.onnx").write_bytes(changed)
        done = shell("compile", "bad.onnx", *DATA)
        assert done.code in (0, 1), done.err


def test_a_zip_bomb(shell: Shell) -> None:
    with zipfile.ZipFile("bomb.pt", "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open("m/data.pkl", "w") as member:
            for _ in range(64):
                member.write(bytes(1 << 20))
    said = shell.refusal("compile", "bomb.pt", *DATA)
    assert said.code == "file-too-large"
    assert str(64 << 20) in said.message


class Bomb:
    def __reduce__(self) -> Any:
        return (Path.touch, (Path("exploded"),))


def test_a_pickle_needs_consent(shell: Shell) -> None:
    torch.save({"weight": Bomb()}, "evil.pt")
    said = shell.refusal("compile", "evil.pt", *DATA)
    assert said.code == "pickle-untrusted"
    assert "--trust-pickle" in said.help
    save_module("net.pt")
    assert "torch.nn.modules.linear.Linear" in shell.refusal("compile", "net.pt", *DATA).message
    np.savez("input.npz", input=np.load("x.npz")["x"])
    consented = ("net.pt", "--trust-pickle", "--calibration", "input.npz", "-o", "new.mcc")
    assert "warning[pickle-trusted]" in shell("compile", *consented).err
    assert Path("new.mcc").exists()


def test_a_state_dict_asks_for_its_module(shell: Shell) -> None:
    Path("factories.py").write_text(FACTORIES)
    save_state("state.pt")
    said = shell.refusal("compile", "state.pt", *DATA)
    assert said.code == "module-factory"
    assert "--module pkg.mod:factory" in said.help
    shapes = ("--input", f"input=1x{INPUTS}", "-o", "new.mcc")
    shell.succeed("compile", "state.pt", "--module", "factories:network", *shapes)
    assert Path("new.mcc").exists()


@pytest.mark.parametrize(
    ("factory", "code", "message"),
    [
        ("nowhere:network", "module-factory", "No module named 'nowhere'"),
        ("factories:netwrk", "module-factory", "has no attribute 'netwrk'"),
        ("factories", "module-factory", "not of the form `pkg.mod:function`"),
        ("../factories:network", "module-factory", "cannot find"),
        ("factories:number", "module-factory", "returns int, no nn.Module"),
        ("factories:failing", "module-factory", "RuntimeError: no weights today"),
        ("factories:other", "state-mismatch", "`weight` is missing in the file"),
    ],
)
def test_a_module_that_is_not_to_be_had(
    shell: Shell, factory: str, code: str, message: str
) -> None:
    Path("factories.py").write_text(FACTORIES)
    save_state("state.pt")
    said = shell.refusals("compile", "state.pt", *DATA, "--module", factory)
    assert {item.code for item in said} == {code}
    assert message in said[0].message


def test_no_module_is_named_in_vain(shell: Shell) -> None:
    save_program("net.pt2")
    save_script("script.pt")
    for name in ("net.onnx", "net.pt2", "script.pt"):
        said = shell.refusal("compile", name, *DATA, "--module", "factories:network")
        assert said.code == "module-factory"
        assert "leave out `--module`" in said.help


def test_a_module_without_inputs_asks_for_them(shell: Shell) -> None:
    save_script("script.pt")
    said = shell.refusal("compile", "script.pt")
    assert said.code == "example-inputs"
    assert "--input name=1x3x32x32" in said.help


@pytest.mark.parametrize(
    ("shape", "code"),
    [(f"input=1x{INPUTS + 1}", "example-inputs"), ("inputs=1x16", "input-unknown")],
)
def test_a_module_that_does_not_run(shell: Shell, shape: str, code: str) -> None:
    save_module("net.pt")
    said = shell.refusal("compile", "net.pt", "--trust-pickle", "--input", shape)
    assert said.code == code


def external(location: str) -> onnx.ModelProto:
    """Return a network whose weights lie in another file."""
    content = linear()
    for tensor in content.graph.initializer:
        size = len(tensor.raw_data)
        tensor.ClearField("raw_data")
        tensor.data_location = onnx.TensorProto.EXTERNAL
        for key, value in (("location", location), ("length", str(size))):
            tensor.external_data.add(key=key, value=value)
    return content


@pytest.mark.parametrize(
    ("location", "code"),
    [
        ("weights.bin", "file-missing"),
        ("../weights.bin", "path-unsafe"),
        ("/etc/passwd", "path-unsafe"),
        ("net.onnx/weights.bin", "file-missing"),
        ("short.bin", "file-damaged"),
    ],
)
def test_external_data(shell: Shell, location: str, code: str) -> None:
    Path("short.bin").write_bytes(bytes(3))
    write(Path("outside.onnx"), external(location))
    said = shell.refusals("compile", "outside.onnx", *DATA)
    assert {item.code for item in said} == {code}
    assert "constant `w` lies in" in said[0].message


NODES = {
    "operator-unknown": [helper.make_node("MatMool", ["x", "w"], ["y"], name="first")],
    "network-cycle": [
        helper.make_node("MatMul", ["x", "w"], ["a"]),
        helper.make_node("Add", ["a", "b"], ["y"], name="first"),
        helper.make_node("Relu", ["y"], ["b"], name="second"),
    ],
    "network-damaged": [helper.make_node("MatMul", ["x", "gone"], ["y"], name="first")],
    "random-operator": [
        helper.make_node("RandomNormalLike", ["x"], ["r"], name="first"),
        helper.make_node("MatMul", ["r", "w"], ["y"]),
    ],
}


@pytest.mark.parametrize("code", list(NODES))
def test_networks_that_cannot_run_name_the_node(shell: Shell, code: str) -> None:
    write(Path("bad.onnx"), model(NODES[code], {"w": WEIGHT}))
    said = shell.refusal("compile", "bad.onnx", *DATA)
    assert (said.code, said.place) == (code, "bad.onnx (first)")


def test_operators_of_another_domain(shell: Shell) -> None:
    node = helper.make_node("Fold", ["x", "w"], ["y"], domain="my.operators")
    write(Path("bad.onnx"), model([node], {"w": WEIGHT}))
    said = shell.refusal("compile", "bad.onnx", *DATA)
    assert said.code == "operator-unknown"
    assert "`my.operators::Fold`" in said.message


def test_a_newer_opset(shell: Shell) -> None:
    content = linear()
    content.opset_import[0].version = 99
    write(Path("new.onnx"), content)
    assert shell.refusal("compile", "new.onnx", *DATA).code == "opset-unsupported"


def test_networks_that_give_nothing(shell: Shell) -> None:
    content = linear()
    content.graph.ClearField("output")
    write(Path("bad.onnx"), content)
    said = shell.refusal("compile", "bad.onnx", *DATA)
    assert (said.code, said.message) == ("network-damaged", "the network has no outputs")
    content = linear()
    content.graph.output[0].name = "z"
    write(Path("bad.onnx"), content)
    said = shell.refusal("compile", "bad.onnx", *DATA)
    assert (said.code, said.message) == ("network-damaged", "nothing computes output `z`")
    node = helper.make_node("MatMul", ["x", "w"], ["y"])
    write(Path("bad.onnx"), model([node], {"w": WEIGHT[:, :0]}, given=["n", 0]))
    said = shell.refusal("compile", "bad.onnx", *DATA)
    assert (said.code, said.message) == ("output-unsupported", "output `y` has no elements: 1x0")


def test_operands_that_do_not_fit(shell: Shell) -> None:
    node = helper.make_node("MatMul", ["x", "w"], ["y"])
    write(Path("bad.onnx"), model([node], {"w": WEIGHT[1:]}))
    assert shell.refusal("compile", "bad.onnx", *DATA).code == "reference-failed"


def test_sizes_that_nobody_knows(shell: Shell) -> None:
    node = helper.make_node("MatMul", ["x", "w"], ["y"])
    write(Path("open.onnx"), model([node], {"w": WEIGHT}, ["n", "m", INPUTS], ["n", "m", OUTPUTS]))
    said = shell.refusal("compile", "open.onnx")
    assert (said.code, said.help) == ("dynamic-shape", "say its shape: `--input x=1x16x16`")
    shell.succeed("compile", "open.onnx", "--input", "x=1x3x16")


def test_a_network_without_contraction(shell: Shell) -> None:
    node = helper.make_node("Relu", ["x"], ["y"])
    write(Path("none.onnx"), model([node], {}, given=["n", INPUTS]))
    assert shell.refusal("compile", "none.onnx", *DATA).code == "no-contraction"


SMALL = [
    *("--set", "chip.mesh_rows=1", "--set", "chip.mesh_cols=1", "--set", "core.macros=1"),
    *("--set", "macro.rows=64", "--set", "macro.cols=16"),
]


def test_a_layer_larger_than_the_chip(shell: Shell) -> None:
    write(Path("large.onnx"), linear(128, 16))
    said = shell.refusal("compile", "large.onnx", *SMALL, "--strict", exit_code=2)
    assert said.code == "chip-too-small"
    assert "the chip has 1" in said.message
    assert "leave out `--strict`" in said.help
    relaxed = shell("compile", "large.onnx", *SMALL)
    assert relaxed.code == 0
    assert "warning[chip-too-small]" in relaxed.err
