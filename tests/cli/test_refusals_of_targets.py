"""Mistakes of target files: every command that reads one tells them with file and line."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.runner import Shell

COMMANDS = [
    ["targets", "check", "chip.yaml"],
    ["targets", "show", "chip.yaml", "--resolved"],
    ["ops", "--target", "chip.yaml", "--json"],
    ["compile", "net.onnx", "--calibration", "x.npz", "--target", "chip.yaml", "-o", "new.mcc"],
]
ORIGIN = "kind: assumed, source: a guess"


def write(*lines: str) -> None:
    """Write `chip.yaml`; the first of these lines is its third."""
    Path("chip.yaml").write_text("\n".join(["name: mine", "extends: rram40nm", *lines]) + "\n")


@pytest.mark.parametrize("command", COMMANDS)
def test_a_right_target_serves_every_command(shell: Shell, command: list[str]) -> None:
    write("cell:", f"  g_max_siemens: {{value: 40, unit: uS, {ORIGIN}}}")
    shell.succeed(*command)


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("line", "code", "message", "help"),
    [
        (
            f"  g_mx_siemens: {{value: 40, unit: uS, {ORIGIN}}}",
            "target-unknown-key",
            "unknown key `cell.g_mx_siemens`",
            "did you mean `g_max_siemens`?",
        ),
        (
            f"  g_max_siemens: {{value: 40, unit: ohm, {ORIGIN}}}",
            "target-unit",
            "`cell.g_max_siemens` has the wrong unit `ohm`",
            "it measures conductance: S, pS, nS, uS, mS",
        ),
        (
            f"  g_min_siemens: {{value: -1, unit: uS, {ORIGIN}}}",
            "target-invalid",
            "must be greater than or equal to 0 S: `-1 uS`",
            "`mcc targets show rram40nm --resolved`",
        ),
        (
            f"  g_min_siemens: {{value: 29, unit: uS, {ORIGIN}}}",
            "target-invalid",
            "The lowest conductance must be below the highest",
            "change `cell.g_min_siemens` or `cell.g_max_siemens`",
        ),
        (
            "  g_max_siemens: 40",
            "target-bare-number",
            "`cell.g_max_siemens` is a bare value",
            "write `g_max_siemens: {value:",
        ),
        (
            "  g_max_siemens: {value: many, unit: uS, kind: assumed, source: a guess}",
            "target-invalid",
            "is not a number: `many`",
            "a decimal number",
        ),
        ("  g_max_siemens: [", "target-syntax", "not YAML", "`mcc targets show rram40nm`"),
    ],
)
def test_mistakes(
    shell: Shell, command: list[str], line: str, code: str, message: str, help: str
) -> None:
    write("cell:", line)
    said = shell.refusal(*command)
    assert said.code == code
    assert message in said.message
    assert help in said.help
    assert said.place == f"chip.yaml:{5 if code == 'target-syntax' else 4}"


def test_impossible_combinations(shell: Shell) -> None:
    write("macro:", f"  active_rows: {{value: 513, unit: '1', {ORIGIN}}}")
    said = shell.refusal("targets", "check", "chip.yaml")
    assert (said.code, said.place) == ("target-invalid", "chip.yaml:4")
    assert "No more rows can be driven at once than the macro has; here 513 of 512" in said.message
    write("macro:", "  column_flip: {value: true, kind: assumed, source: a guess}")
    said = shell.refusal("targets", "check", "chip.yaml")
    assert (said.code, said.place) == ("target-invalid", "chip.yaml:4")
    assert "only in the offset encoding; here the encoding is differential" in said.message


def test_all_mistakes_are_told_at_once(shell: Shell) -> None:
    write(
        "cell:",
        f"  g_min_siemens: {{value: -1, unit: uS, {ORIGIN}}}",
        f"  g_max_siemens: {{value: 28, unit: us, {ORIGIN}}}",
        "crore: {}",
    )
    said = shell.refusals("targets", "check", "chip.yaml")
    assert {item.place: item.code for item in said} == {
        "chip.yaml:4": "target-invalid",
        "chip.yaml:5": "target-unit",
        "chip.yaml:6": "target-unknown-key",
    }


def test_files_that_are_no_targets(shell: Shell) -> None:
    for content, code in (
        (b"", "target-syntax"),
        (b"\xff\xfe\x00", "target-syntax"),
        (b"a: &x 1\nb: *x\n", "target-syntax"),
        (b"name: mine\nextends: nothing\n", "target-unknown"),
        (b"name: mine\nextends: chip\n", "target-invalid"),
        (bytes(2**21), "target-syntax"),
    ):
        Path("chip.yaml").write_bytes(content)
        said = shell.refusal("targets", "check", "chip.yaml")
        assert said.code == code
        assert said.place.startswith("chip.yaml")


def test_a_target_that_states_too_little(shell: Shell) -> None:
    Path("chip.yaml").write_text("name: mine\ndescription: hardly any\n")
    said = shell.refusals("targets", "check", "chip.yaml")
    assert {item.code for item in said} == {"target-missing-key"}
    assert len(said) > 50
