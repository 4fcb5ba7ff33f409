"""Every command on a network that is right."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import numpy as np
import onnx
import pytest
from onnx import helper

import mcc
from mcc.backends.crossbar import targets
from mcc.ir.codes import CODES
from tests.cli.runner import Shell, diagnostics
from tests.cli.samples import INPUTS, OUTPUTS, data, linear, model, write
from tests.cli.torch_samples import save_module, save_program, save_script

COMPILE = ("compile", "net.onnx", "--calibration", "x.npz", "-o", "new.mcc")
COMMANDS = [
    COMPILE,
    ("run", "net.mcc", "--input", "x.npz"),
    ("verify", "net.mcc"),
    ("explain", "net.mcc"),
    ("explain", "net.mcc", "fc"),
    ("explain", "unknown-pass"),
    ("report", "net.mcc"),
    ("inspect", "net.mcc"),
    ("disassemble", "net.mcc"),
    ("targets", "list"),
    ("targets", "show", "isaac"),
    ("targets", "show", "isaac", "--resolved"),
    ("targets", "check", "chip.yaml"),
    ("ops",),
    ("ops", "--target", "isaac"),
    ("passes",),
]


@pytest.fixture(autouse=True)
def chip(shell: Shell) -> None:
    shell.folder.joinpath("chip.yaml").write_text("name: mine\nextends: rram40nm\n")


def printed(shell: Shell, *arguments: object) -> Any:
    """Return the JSON that a command prints, which is all of its stdout."""

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    return json.loads(shell.succeed(*arguments, "--json"), parse_constant=refuse)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_prints_on_stdout_and_json_where_asked(
    shell: Shell, command: tuple[str, ...]
) -> None:
    text = shell.succeed(*command)
    assert text.strip()
    assert "\x1b" not in text
    assert printed(shell, *command)


def test_without_a_command_there_is_help(shell: Shell) -> None:
    assert shell.succeed() == shell.succeed("--help")
    assert shell.succeed("targets") == shell.succeed("targets", "list")
    for command in sorted({command[0] for command in COMMANDS}):
        assert shell.succeed(command, "-h").startswith(f"Usage: mcc {command} ")


def test_compile_writes_what_the_library_writes(shell: Shell, compiled: bytes) -> None:
    summary = printed(shell, *COMPILE)
    assert Path("new.mcc").read_bytes() == compiled
    assert summary["file"] == "new.mcc"
    assert summary["bytes"] == len(compiled)
    assert summary["operators"] == {"crossbar": 1, "vector": 3}
    shell.succeed("compile", "net.onnx", "--calibration", "x.npz")
    assert Path("net.mcc").read_bytes() == compiled


def test_findings_go_to_stderr(shell: Shell) -> None:
    done = shell("compile", "net.onnx", "-o", "new.mcc", "--json")
    said = {item.code: item.severity for item in diagnostics(done.err)}
    assert said["calibration-default"] == "warning"
    assert set(said) <= set(CODES)
    assert json.loads(done.out)["findings"]


def test_data_without_names_and_more_data_than_shapes(shell: Shell, compiled: bytes) -> None:
    np.savez("plain.npz", data())
    for options in (("plain.npz",), ("x.npz", "--input", f"x=1x{INPUTS}:float32")):
        shell.succeed("compile", "net.onnx", "-o", "new.mcc", "--calibration", *options)
        assert mcc.load("new.mcc").artifact.vectors["input/0/x"].shape == (1, INPUTS)
    shell.succeed("run", "net.mcc", "--input", "plain.npz", "-o", "new.npz")


def test_shapes_with_types(shell: Shell) -> None:
    nodes = [
        helper.make_node("Gather", ["table", "x"], ["rows"]),
        helper.make_node("MatMul", ["rows", "w"], ["y"]),
    ]
    constants = {"table": data(), "w": data()[:OUTPUTS].T}
    content = model(nodes, constants, ["n", "m"], ["n", "m", OUTPUTS])
    content.graph.input[0].type.tensor_type.elem_type = onnx.TensorProto.INT64
    write(Path("table.onnx"), content)
    shell.succeed("compile", "table.onnx", "--input", "x=1x3:int64", "-o", "new.mcc")
    (leaf,) = mcc.load("new.mcc").artifact.signature.input_leaves
    assert (leaf.name, leaf.dtype, leaf.shape) == ("x", "int64", (1, 3))


@pytest.mark.parametrize("kind", ["program", "script", "module"])
def test_torch_files_with_named_data(shell: Shell, kind: str) -> None:
    np.savez("named.npz", input=data())
    save = {"program": save_program, "script": save_script, "module": save_module}[kind]
    save("net.pt")
    options = ("--trust-pickle", "--calibration", "named.npz", "-o", "new.mcc")
    shell.succeed("compile", "net.pt", *options)
    shell.succeed("run", "new.mcc", "--input", "named.npz", "-o", "new.npz")
    with np.load("new.npz") as outputs:
        (array,) = (outputs[key] for key in outputs.files)
    assert array.shape == (8, OUTPUTS)


def test_values_of_the_target_are_set(shell: Shell) -> None:
    shell.succeed(*COMPILE, "--set", "macro.adc.bits=6", "--set", "cell.g_max_siemens=40 uS")
    target = mcc.load("new.mcc").target
    assert (target.macro.adc.bits, target.cell.g_max_siemens) == (6, 40e-6)
    shell.succeed(*COMPILE, "--target", "chip.yaml")
    assert mcc.load("new.mcc").target.name == "mine"


def test_passes_are_chosen_printed_dumped_and_timed(shell: Shell) -> None:
    pipeline = "canonicalize,quantize{weight_bits=4},place,tile"
    options = ("--print-after", "quantize", "--print-after", "tile", "--dump-dir", "a/b")
    done = shell(*COMPILE, "--passes", pipeline, *options, "--time-passes")
    assert done.code == 0
    assert [line for line in done.err.splitlines() if line.startswith("# after")] == [
        "# after quantize",
        "# after tile",
    ]
    assert "weight_bits: int = 4" in done.err
    assert "pass          rewrite [s]  proof [s]" in done.err
    assert sorted(path.name for path in Path("a/b").iterdir()) == [
        "00-after-canonicalize.onnx",
        "01-after-quantize.onnx",
        "02-after-place.onnx",
        "03-after-tile.onnx",
    ]
    for path in Path("a/b").iterdir():
        cast(Any, onnx.checker).check_model(str(path))


def test_run_writes_outputs_and_a_trace(shell: Shell) -> None:
    options = ("--fidelity", "device", "--seed", "7", "--threads", "1")
    plain = printed(
        shell, "run", "net.mcc", "--input", "x.npz", *options, "-o", "y.npz", "--trace", "t.json"
    )
    assert (plain["fidelity"], plain["seed"], plain["samples"]) == ("device", 7, 8)
    assert plain["cycles"] > 0
    assert plain["outputs"] == {"y": {"dtype": "float32", "shape": [8, OUTPUTS]}}
    assert printed(shell, "run", "net.mcc", "--input", "x.npz")["seed"] is None
    machine = mcc.Machine(mcc.load("net.mcc"), fidelity="device", seed=7)
    with np.load("y.npz") as outputs:
        assert np.array_equal(outputs["y"], machine(data()))
    assert json.loads(Path("t.json").read_text())


def test_verify_proves_every_pass(shell: Shell) -> None:
    plain = printed(shell, "verify", "net.mcc")
    assert plain["passed"]
    names = {check["name"] for check in plain["checks"]}
    assert {"pass canonicalize", "pass quantize", "pass place", "pass tile"} <= names


def test_explain_finds_operators_and_codes(shell: Shell) -> None:
    (row,) = [item for item in printed(shell, "explain", "net.mcc") if item["unit"] == "crossbar"]
    assert row["node"] in shell.succeed("explain", "net.mcc", "fc")
    assert mcc.load("net.mcc").explain("fc")[0]["node"]
    with pytest.raises(mcc.MccError, match="did you mean `fc/sums`"):
        mcc.load("net.mcc").explain("fc/sumz")
    for code in ("unknown-pass", "UNKNOWN-PASS", "error[unknown-pass]"):
        assert printed(shell, "explain", code) == {"unknown-pass": CODES["unknown-pass"]}
        assert shell.succeed("explain", code) == CODES["unknown-pass"] + "\n"
    assert printed(shell, "explain") == CODES
    assert all(code in shell.succeed("explain") for code in ("activation-not-finite", "usage"))


def test_report_is_that_of_the_library(shell: Shell) -> None:
    assert printed(shell, "report", "net.mcc") == mcc.load("net.mcc").report()
    assert " /s " in shell.succeed("report", "net.mcc")
    assembly = printed(shell, "disassemble", "net.mcc")["assembly"]
    assert assembly == shell.succeed("disassemble", "net.mcc") == mcc.load("net.mcc").disassemble()


def test_inspect_lists_the_members(shell: Shell) -> None:
    plain = printed(shell, "inspect", "net.mcc")
    assert plain["provenance"]["file"] == "net.onnx"
    assert "program.bin" in plain["members"]


def test_targets_are_listed_shown_and_checked(shell: Shell) -> None:
    listed = printed(shell, "targets")
    chips = [item["name"] for item in listed if item["kind"] == "chip"]
    assert chips == ["isaac", "rram40nm"]
    assert "devices/pcm_joshi" in [item["name"] for item in listed if item["kind"] == "device"]
    card = printed(shell, "targets", "show", "devices/pcm_joshi")
    assert card["quantities"]["cell.write.linear_siemens"][0] == "0.07585724"
    assert shell.refusal("targets", "--json", "list").help == "write `mcc targets list --json`"
    assert shell.succeed("targets", "show", "chip.yaml") == Path("chip.yaml").read_text()
    resolved = printed(shell, "targets", "show", "chip.yaml", "--resolved")
    assert resolved["quantities"]["macro.rows"][0] == "512"
    assert printed(shell, "targets", "check", "chip.yaml")["digest"] == resolved["digest"]
    shipped = printed(shell, "targets", "check", "rram40nm")
    assert shipped["digest"] == printed(shell, "targets", "show", "rram40nm")["digest"]
    unknown = shell.refusal("targets", "show", "pcm_joshy")
    assert (unknown.code, "devices/pcm_joshi" in unknown.help) == ("target-unknown", True)


def test_device_cards_are_checked(shell: Shell) -> None:
    assert printed(shell, "targets", "check", "devices/pcm_joshi")["name"] == "pcm_joshi"
    card = Path("card.yaml")
    right = "cell:\n  g_max_siemens: {value: 40, unit: uS, kind: assumed, source: a guess}\n"
    card.write_text(right)
    assert shell.succeed("targets", "check", "card.yaml") == "card: right (1 assumed)\n"
    assert printed(shell, "targets", "show", "card.yaml")["name"] == "card"
    for part, wrong, code in (
        ("unit: uS, ", "", "target-missing-key"),
        (", source: a guess", "", "target-missing-key"),
        ("uS", "ohm", "target-unit"),
        ("cell:", "cell:\n  g_max_ohm: 1", "target-unknown-key"),
    ):
        card.write_text(right.replace(part, wrong))
        said = shell.refusal("targets", "check", "card.yaml")
        assert (said.code, said.place) == (code, "card.yaml:2")


def test_the_largest_numbers_there_are(shell: Shell) -> None:
    np.savez("large.npz", x=np.full((4, INPUTS), 3e38, np.float32))
    shell.succeed("compile", "net.onnx", "--calibration", "large.npz", "-o", "new.mcc")
    shell.succeed("run", "net.mcc", "--input", "large.npz")


def test_lists_name_what_there_is(shell: Shell) -> None:
    operators = {row["operator"] for row in printed(shell, "ops")["operators"]}
    assert {"mcc.Linear", "Relu"} <= operators
    names = {row["name"] for row in printed(shell, "passes")["passes"]}
    assert names == {"canonicalize", "quantize", "place", "tile"}


def test_operators_are_those_of_the_target(shell: Shell) -> None:
    assert shell.succeed("ops") != shell.succeed("ops", "--target", "isaac")
    extents = {"rram40nm": (512, 36), "isaac": (128, 32)}
    for name, extent in extents.items():
        plain = printed(shell, "ops", "--target", name)
        able = {row["operator"]: row["on_chip"] for row in plain["operators"]}
        target = targets.load(name)
        assert (able["mcc.Linear"]["rows"], able["mcc.Linear"]["columns"]) == extent
        assert able["Div"]["cycles"] == target.core.vector.cycles.divide
        assert able["Transpose"] is None
        assert plain["host"]["operations_per_second"] == target.host.operations_per_second
        assert plain["host"]["origin"] == "estimate"


def test_a_network_of_one_sample_is_run_for_each(shell: Shell) -> None:
    write(Path("one.onnx"), linear(batch=1))
    shell.succeed("compile", "one.onnx", "--calibration", "x.npz")
    assert printed(shell, "run", "one.mcc", "--input", "x.npz")["samples"] == 8
