"""Files laid over each other: chips with cards of devices, and what is wrong in them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mcc.backends.crossbar import targets
from mcc.ir.diagnostics import Diagnostic, MccError
from mcc.ir.hardware import target_from_dict

Write = Callable[..., Path]

CELL = ["cell:", "  read_noise: {value: 3, unit: percent, kind: assumed, source: a guess}"]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a file that extends others and adds lines to them."""

    def write(*lines: str, extends: str = "rram40nm", name: str = "mine.yaml") -> Path:
        path = tmp_path / name
        path.write_text("\n".join([f"extends: {extends}", *lines]) + "\n")
        return path

    return write


def refusal(path: Path) -> list[Diagnostic]:
    with pytest.raises(MccError) as caught:
        targets.load(path)
    assert caught.value.exit_code == 1
    return list(caught.value.diagnostics)


def test_a_list_of_files_is_laid_over_each_other(write: Write) -> None:
    path = write("name: mine", *CELL, extends="[rram40nm, devices/pcm_joshi]")
    target, chip = targets.load(path), targets.load("rram40nm")
    card = targets.load_device("pcm_joshi")
    assert target.name == "mine"
    assert target.description == chip.description
    assert target.macro == chip.macro
    assert target.cell.write.linear_siemens == card.values["cell.write.linear_siemens"]
    assert target.cell.g_max_siemens == 25e-6
    assert target.cell.write_error == 0, "the card says so, through the card it extends"
    assert target.cell.write_pulses == chip.cell.write_pulses
    assert target.cell.read_noise == 0.03
    assert target.provenance["cell.write.linear_siemens"].file == "pcm_joshi.yaml"
    reverse = write("name: other", extends="[devices/pcm_joshi, rram40nm]", name="other.yaml")
    assert targets.load(reverse).cell == chip.cell
    names = [file.name for file in targets.files(path)]
    assert sorted(names) == sorted(
        ["linear.yaml", "rram40nm_binary.yaml", "rram40nm.yaml", "pcm_joshi.yaml", "mine.yaml"]
    )


@pytest.mark.parametrize("name", targets.cards())
def test_every_card_fits_every_chip(name: str) -> None:
    card = targets.load_device(name)
    for chip in targets.names():
        target = targets.load(chip, device=name.partition("/")[2])
        assert target.name == f"{chip}+{card.name}"
        assert {key: target.values()[key] for key in card.values} == card.values
        assert target_from_dict(target.to_dict()) == target
    assert all(len(item.source) > 20 for item in card.provenance.values())


def test_a_card_alone_is_no_chip_and_a_chip_no_card(write: Write, tmp_path: Path) -> None:
    for path in (targets.path("devices/pcm_joshi"), tmp_path / "card.yaml"):
        (tmp_path / "card.yaml").write_text("\n".join(["description: mine", *CELL]))
        [found] = refusal(path)
        assert found.code == "target-card"
        assert "extends: [rram40nm, FILE]" in found.help
    assert targets.load("isaac", device=tmp_path / "card.yaml").cell.read_noise == 0.03
    chip = write("name: mine")
    with pytest.raises(MccError) as caught:
        targets.load_device(chip)
    assert caught.value.diagnostics[0].code == "target-card"
    with pytest.raises(MccError) as caught:
        targets.load("isaac", device=chip)
    assert caught.value.diagnostics[0].code == "target-card"
    with pytest.raises(MccError, match="did you mean `pcm_joshi`"):
        targets.load("isaac", device="pcm_josi")


def test_what_is_wrong_in_a_card_has_its_line(tmp_path: Path) -> None:
    path = tmp_path / "card.yaml"
    path.write_text(
        "extends: devices/linear\n"
        "cell:\n"
        "  write:\n"
        "    linear_siemens: {value: -1, unit: uS, kind: assumed, source: a guess}\n"
        "  drift:\n"
        "    exponent_lowest: {value: 2, unit: '1', kind: assumed, source: a guess}\n"
        "  variation:\n"
        "    correlation_cells: {value: 300, unit: cell, kind: assumed, source: a guess}\n"
    )
    with pytest.raises(MccError) as caught:
        targets.load_device(path)
    found = {
        item.location.line: item.message
        for item in caught.value.diagnostics
        if item.location.file == str(path)
    }
    assert "must give one somewhere" in " ".join(item.message for item in caught.value.diagnostics)
    assert "cannot be above its upper bound; here 2 and 0" in found[6]
    assert "at most 256 cells" in found[8]


@pytest.mark.parametrize("text", ["[]", "[rram40nm, {}]", "[rram40nm, '']", "{a: b}"])
def test_extends_is_a_name_or_names(write: Write, text: str) -> None:
    path = write("name: mine", extends=text)
    found = refusal(path)[0]
    assert (found.code, found.location.file) == ("target-invalid", str(path))
    assert found.location.line == 1
    assert "neither a name nor a list of names" in found.message


def test_lists_of_lists_end(write: Write, tmp_path: Path) -> None:
    write("name: a", name="a0.yaml")
    for level in range(1, 4):
        write("name: a", extends=f"[{', '.join([f'a{level - 1}'] * 4)}]", name=f"a{level}.yaml")
    assert "more than 64 files" in refusal(tmp_path / "a3.yaml")[0].message
