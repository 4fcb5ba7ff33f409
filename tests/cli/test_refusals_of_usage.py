"""What is typed wrongly: commands, options, passes and values."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.runner import Shell

COMPILE = ("compile", "net.onnx", "--calibration", "x.npz", "-o", "new.mcc")
RUN = ("run", "net.mcc", "--input", "x.npz", "-o", "new.npz")


@pytest.mark.parametrize(
    ("arguments", "offer"),
    [
        (["compil", "net.onnx"], "did you mean `compile`?"),
        (["nosuch"], "known: compare, compile, disassemble, explain"),
        (["targets", "lst"], "did you mean `list`?"),
        (["compile", "net.onnx", "--tragte", "isaac"], "did you mean `--target`?"),
        (["report", "net.mcc", "--jsn"], "did you mean `--json`?"),
        (["--vesion"], "did you mean `--version`?"),
        (["compile", "net.onnx", "-z"], "--calibration, --device, --dump-dir"),
        (["explain", "unknown-pas"], "did you mean `unknown-pass`?"),
        (["explain", "net.mcc", "fc/sumz"], "did you mean `fc/sums`?"),
    ],
)
def test_the_nearest_name_is_offered(shell: Shell, arguments: list[str], offer: str) -> None:
    said = shell.refusal(*arguments)
    assert said.code == "usage"
    assert offer in said.help


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["compile"], "missing argument `MODEL`"),
        (["compile", "net.onnx", "x.npz"], "unexpected extra argument (x.npz)"),
        (["run", "net.mcc"], "missing option `--input`"),
        (["targets", "show"], "missing argument `NAME`"),
        (["compile", "net.onnx", "--set"], "option `--set` requires an argument"),
        ([*RUN, "--seed", "-1"], "-1 is not in the range 0<=x<=18446744073709551615"),
        ([*RUN, "--seed", str(2**64)], "is not in the range"),
        ([*RUN, "--seed", "one"], "`one` is not a valid integer"),
        ([*RUN, "--threads", "0"], "0 is not in the range x>=1"),
        (
            [*RUN, "--fidelity", "ideal"],
            "`ideal` is not one of `exact`, `converter`, `device`, `wire`",
        ),
    ],
)
def test_misuse_is_told_with_the_way_to_write_it(
    shell: Shell, arguments: list[str], message: str
) -> None:
    said = shell.refusal(*arguments)
    assert said.code == "usage"
    assert message in said.message
    assert "--help" in said.help


@pytest.mark.parametrize("fidelity", ["exact", "converter"])
def test_a_seed_where_all_chips_are_the_same(shell: Shell, fidelity: str) -> None:
    said = shell.refusal(*RUN, "--fidelity", fidelity, "--seed", "0")
    assert (said.code, said.help) == (
        "usage",
        "add `--fidelity device` or `wire`, or leave out --seed",
    )
    assert "--seed 0 has no effect" in said.message


def test_a_pickle_where_there_is_none(shell: Shell) -> None:
    said = shell.refusal(*COMPILE, "--trust-pickle")
    assert (said.code, said.help[:27]) == ("option-value", "leave out `--trust-pickle`,")


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        ("x", "usage", "`x` is no name with a value"),
        ("x=ax3", "usage", "`ax3` is no shape"),
        ("x=", "usage", "`x=` is no name with a value"),
        ("x=0x16", "usage", "`0x16` is no shape"),
        ("x=-1x16", "usage", "`-1x16` is no shape"),
        ("x=1x16:", "usage", "no type ``"),
        ("x=1x16:flot32", "usage", "no type `flot32`"),
        ("z=1x16", "input-unknown", "there is no input `z`"),
        ("x=1x17", "input-shape", "input `x` is 1x17, the network takes ?x16"),
        ("x=16", "input-shape", "input `x` is 16, the network takes ?x16"),
        ("x=1x16:int64", "input-dtype", "input `x` is int64, the network takes float32"),
        ("x=99999999999x16", "input-shape", "has more than"),
    ],
)
def test_shapes(shell: Shell, text: str, code: str, message: str) -> None:
    said = shell.refusal("compile", "net.onnx", "--input", text)
    assert said.code == code
    assert message in said.message


def test_a_name_is_given_once(shell: Shell) -> None:
    said = shell.refusal("compile", "net.onnx", "--input", "x=1x16", "--input", "x=2x16")
    assert said.message == "--input `x` is given twice"
    twice = ("--set", "macro.adc.bits=6", "--set", "macro.adc.bits=7")
    assert shell.refusal(*COMPILE, *twice).code == "usage"


@pytest.mark.parametrize(
    ("text", "code", "offer"),
    [
        ("nonsense", "usage", "--set macro.adc.bits=6"),
        ("=6", "usage", "--set macro.adc.bits=6"),
        ("macro.adc.bit=6", "target-unknown-key", "did you mean `macro.adc.bits`?"),
        ("macro=6", "target-unknown-key", "did you mean `macro.rows`?"),
        ("macro.adc.bits=abc", "target-invalid", "write a decimal number, such as 6"),
        ("macro.adc.bits=0", "target-invalid", "`mcc targets show rram40nm --resolved`"),
        ("macro.adc.bits=2.5", "target-invalid", "`mcc targets show rram40nm --resolved`"),
        ("macro.adc.bits=6 mm", "target-unit", "it measures bits: bit"),
        ("macro.encoding=diferential", "target-invalid", "did you mean `differential`?"),
        ("macro.active_rows=513", "target-invalid", "change `macro.active_rows` or `macro.rows`"),
    ],
)
def test_values_of_the_target(shell: Shell, text: str, code: str, offer: str) -> None:
    said = shell.refusal(*COMPILE, "--set", text)
    assert said.code == code
    assert offer in said.help


def test_numbers_without_a_unit(shell: Shell) -> None:
    said = shell.refusal(*COMPILE, "--set", "macro.rows=-1")
    assert said.message == "`macro.rows` must be greater than or equal to 1: `-1`"


@pytest.mark.parametrize(
    ("pipeline", "code", "offer"),
    [
        ("canonicalise,quantize,place,tile", "unknown-pass", "did you mean `canonicalize`?"),
        ("nosuch", "unknown-pass", "known: canonicalize, place, quantize, tile"),
        ("canonicalize,quantize{weight_bit=4}", "unknown-option", "did you mean `weight_bits`?"),
        ("quantize{weight_bits=four}", "option-value", "a whole number"),
        ("canonicalize,quantize{weight_bits=9},place,tile", "option-value", "between 2 and 8"),
        ("quantize{minimum_fill=nan}", "option-value", "a number"),
        ("canonicalize,quantize{keep=fd},place,tile", "pattern-unmatched", "known: fc"),
        ("quantize{weight_bits", "pass-syntax", "quantize{weight_bits=4}"),
        ("place,tile", "pass-order", "captured, canonical, quantized, mapped"),
        ("canonicalize,quantize,tile", "pass-order", "run `place` before `tile`"),
        ("canonicalize,quantize,place", "pass-order", "end the pipeline with `place,tile`"),
        ("", "pass-order", "end the pipeline with `place,tile`"),
    ],
)
def test_passes(shell: Shell, pipeline: str, code: str, offer: str) -> None:
    said = shell.refusal(*COMPILE, "--passes", pipeline)
    assert said.code == code
    assert offer in said.help


def test_a_budget_that_is_missed(shell: Shell) -> None:
    pipeline = "canonicalize,quantize{weight_bits=2 minimum_fill=0 budget=0.001},place,tile"
    said = shell.refusal(*COMPILE, "--passes", pipeline, exit_code=3)
    assert said.code == "budget-missed"
    assert "raise the budget" in said.help


def test_a_pass_to_print_after(shell: Shell) -> None:
    said = shell.refusal(*COMPILE, "--print-after", "quantise")
    assert (said.code, said.help) == ("unknown-pass", "did you mean `quantize`?")


@pytest.mark.parametrize(
    ("arguments", "offer"),
    [
        (["compile", "nett.onnx"], "did you mean `net.onnx`?"),
        (["compile", "elsewhere/net.onnx"], "there is no folder `elsewhere` either"),
        (["compile", "net.onnx", "--calibration", "xx.npz"], "did you mean `x.npz`?"),
        (["compile", "net.onnx", "--target", "chip.yaml"], "check the name"),
        (["run", "net.mcc", "--input", "y.npz"], "did you mean `x.npz`?"),
        (["run", "nett.mcc", "--input", "x.npz"], "did you mean `net.mcc`?"),
        *(
            ([command, "nett.mcc"], "did you mean `net.mcc`?")
            for command in ("verify", "explain", "report", "inspect", "disassemble")
        ),
        (["targets", "check", "chip.yaml"], "check the name"),
        (["targets", "show", "./chip.yaml"], "check the name"),
    ],
)
def test_missing_files(shell: Shell, arguments: list[str], offer: str) -> None:
    said = shell.refusal(*arguments)
    assert said.code == "file-missing"
    assert offer in said.help


def test_a_folder_is_no_file(shell: Shell) -> None:
    Path("folder.onnx").mkdir()
    commands = (
        ["compile", "folder.onnx"],
        ["compile", "."],
        ["compile", "net.onnx", "--calibration", "."],
        ["compile", "net.onnx", "--target", "./"],
        ["run", ".", "--input", "x.npz"],
        ["run", "net.mcc", "--input", "."],
    )
    for arguments in commands:
        said = shell.refusal(*arguments)
        assert said.code == "file-missing"
        assert "Is a directory" in said.message


def test_a_name_that_no_system_takes(shell: Shell) -> None:
    name = "n" * 300
    assert shell.refusal("compile", f"{name}.onnx").code == "file-missing"
    assert shell.refusal("compile", "net.onnx", "-o", name).code == "write-failed"


def test_unknown_targets(shell: Shell) -> None:
    for arguments in (COMPILE, ("ops",)):
        said = shell.refusal(*arguments, "--target", "rram")
        assert (said.code, said.help) == ("target-unknown", "did you mean `rram40nm`?")
    assert shell.refusal("targets", "show", "izaac").help == "did you mean `isaac`?"
