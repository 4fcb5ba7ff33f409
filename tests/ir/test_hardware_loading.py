"""Reading target files: provenance, inheritance, overrides, and every refusal with its place."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mcc.backends.crossbar import targets
from mcc.ir.diagnostics import Diagnostic, MccError
from mcc.ir.hardware import Kind, RangePolicy, load_target, resolved_text, target_from_dict
from mcc.ir.hardware.fields import leaves

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a file that extends a shipped target and adds lines to it."""

    def write(*lines: str, extends: str = "rram40nm", name: str = "mine.yaml") -> Path:
        path = tmp_path / name
        path.write_text("\n".join([f"extends: {extends}", *lines]) + "\n")
        return path

    return write


def refusal(path: Path, **overrides: str) -> list[Diagnostic]:
    with pytest.raises(MccError) as caught:
        targets.load(path, {key.replace("__", "."): text for key, text in overrides.items()})
    assert caught.value.exit_code == 1
    return list(caught.value.diagnostics)


def line(diagnostic: Diagnostic, path: Path) -> int:
    assert diagnostic.location.file == str(path)
    return diagnostic.location.line


@pytest.mark.parametrize("name", targets.names())
def test_shipped_target_gives_the_origin_of_every_leaf(name: str) -> None:
    target = targets.load(name)
    assert target.name == name
    assert list(target.provenance) == list(leaves()) == list(target.values())
    texts = {file.name: file.read_text().splitlines() for file in targets.files(name)}
    for path, quantity in target.provenance.items():
        line = texts[quantity.file][quantity.line - 1]
        assert line.split(":")[0].strip() == path.rpartition(".")[2]
        assert len(quantity.source) > 20


def test_numbers_are_exact_in_their_natural_unit() -> None:
    target = targets.load("rram40nm")
    assert target.cell.g_max_siemens == 28e-6
    assert target.cell.write_error == 0.15
    assert target.core.memory.bytes == 256 * 1024
    assert target.chip.clock_hertz == 1e8
    assert target.provenance["cell.g_max_siemens"].kind is Kind.MEASURED
    assert target.provenance["macro.adc.bits"].kind is Kind.ASSUMED


@pytest.mark.parametrize("name", targets.names())
def test_resolved_text_and_plain_data_load_to_the_same_target(name: str, tmp_path: Path) -> None:
    target = targets.load(name, {"macro.adc.bits": "6"})
    path = tmp_path / "resolved.yaml"
    path.write_text(resolved_text(target))
    again = load_target(path)
    assert again == target
    assert again.digest() == target.digest() == target_from_dict(target.to_dict()).digest()
    assert target_from_dict(target.to_dict()).provenance == target.provenance
    assert target.digest() != targets.load(name).digest()


def test_file_inherits_and_replaces(write: Write) -> None:
    path = write(
        "name: mine",
        "macro:",
        "  adc:",
        "    range: {value: calibrated, kind: assumed, source: to see what it does}",
        "cell:",
        "  g_max_siemens: {value: 40, unit: uS, kind: assumed, source: a guess}",
    )
    target, parent = targets.load(path), targets.load("rram40nm")
    assert target.name == "mine"
    assert target.macro.adc.range is RangePolicy.CALIBRATED
    assert target.cell.g_max_siemens == 40e-6
    assert target.provenance["cell.g_max_siemens"].line == 7
    assert target.core == parent.core


def test_converter_without_range_is_refused(write: Write) -> None:
    """Nothing is filled in silently, least of all what a converter can hold."""
    lines = resolved_text(targets.load("rram40nm")).splitlines()
    kept = [line for line in lines if not line.startswith("    range:")]
    assert len(kept) == len(lines) - 1
    path = write("name: mine")
    path.write_text("\n".join(kept))
    [found] = refusal(path)
    assert found.code == "target-missing-key"
    assert "macro.adc.range" in found.message


@pytest.mark.parametrize("name", ["my chip", "a/b", "-o", '"a\\e[31m"', '"a\\nb"'])
def test_odd_names_are_refused(write: Write, name: str) -> None:
    path = write(f"name: {name}")
    [found] = refusal(path)
    assert (found.code, line(found, path)) == ("target-invalid", 2)
    assert "is no name of a target" in found.message


def test_override_takes_the_natural_unit_or_its_own(write: Write) -> None:
    overrides = {
        "macro.adc.bits": "6",
        "cell.g_max_siemens": "40 uS",
        "macro.input_form": "sign_magnitude",
    }
    target = targets.load("rram40nm", overrides)
    assert target.macro.adc.bits == 6
    assert target.cell.g_max_siemens == 40e-6
    assert target.macro.input_form == "sign_magnitude"
    assert target.provenance["macro.adc.bits"].file == "--set"


def test_everything_wrong_is_said_at_once(write: Write) -> None:
    path = write(
        "macro:",
        "  rosw: {value: 1, unit: bit, kind: assumed, source: x}",
        "  cols: 512",
        "  rows: {value: 512, unit: bit, kind: assumed, source: x}",
        "  active_rows: {value: 1.5, unit: '1', kind: assumed, source: x}",
        "cell:",
        "  g_min_siemens: {value: -1, unit: uS, kind: assumed, source: x}",
        "  g_max_siemens: {value: many, unit: uS, kind: assumed, source: x}",
        "  bits: {value: 1, unit: bit, kind: guessed, source: x}",
        "  read_noise: {value: 2, unit: percent, kind: assumed}",
        "  write_error: {value: '2', unit: percent, kind: assumed, source: x}",
        "crore: {}",
    )
    found = {line(item, path): item for item in refusal(path)}
    assert {number: item.code for number, item in found.items()} == {
        3: "target-unknown-key",
        4: "target-bare-number",
        5: "target-unit",
        6: "target-invalid",
        8: "target-invalid",
        9: "target-invalid",
        10: "target-invalid",
        11: "target-missing-key",
        12: "target-invalid",
        13: "target-unknown-key",
    }
    assert found[3].help == "did you mean `rows`?"
    assert found[13].help == "did you mean `core`?"
    assert "count: 1" in found[5].help
    assert "greater than or equal to 0 S: `-1 uS`" in found[8].message
    assert found[10].help.startswith("known: assumed")


REFERENCE = {"macro.encoding": "offset", "macro.reference": "column"}
IMPOSSIBLE = [
    ({"macro.active_rows": "513"}, "macro.active_rows"),
    ({"macro.adc.columns_per_adc": "514"}, "macro.adc.columns_per_adc"),
    ({"macro.dac_bits": "9"}, "macro.dac_bits"),
    ({"macro.adc.bits": "25"}, "macro.adc.bits"),
    ({"macro.adc.bits": "1"}, "macro.adc.bits"),
    ({"cell.bits": "9"}, "cell.bits"),
    ({"cell.g_min_siemens": "28 uS"}, "cell.g_min_siemens"),
    ({"cell.stuck_low_fraction": "0.7", "cell.stuck_high_fraction": "0.7"}, "cell.stuck_low"),
    ({"macro.column_flip": "true"}, "macro.column_flip"),
    ({"macro.cols": "511"}, "macro.cols"),
    ({"macro.adc.columns_per_adc": "15"}, "macro.adc.columns_per_adc"),
    (
        {
            "macro.rows": "16384",
            "macro.active_rows": "16384",
            "macro.dac_bits": "8",
            "cell.bits": "3",
        },
        "macro.active_rows",
    ),
    (
        {
            "macro.rows": "16384",
            "macro.active_rows": "16384",
            "macro.accumulation": "analog",
            "cell.bits": "3",
        },
        "macro.active_rows",
    ),
    ({"macro.encoding": "offset", "macro.subtraction": "after"}, "macro.subtraction"),
    ({"macro.encoding": "offset", "macro.differential": "two_sided"}, "macro.differential"),
    ({"macro.reference": "column"}, "macro.reference"),
    ({**REFERENCE, "macro.adc.bits": "1"}, "macro.adc.bits"),
    ({**REFERENCE, "macro.column_flip": "true"}, "macro.reference"),
    ({"macro.slice_overlap": "1"}, "macro.slice_overlap"),
    ({"macro.slice_overlap": "0.995", "macro.guard_slices": "1"}, "macro.slice_overlap"),
    ({"macro.slice_overlap": "0.5"}, "macro.slice_overlap"),
    ({"macro.slice_overlap": "0.5", "macro.guard_slices": "14"}, "macro.guard_slices"),
    (
        {"macro.encoding": "offset", "macro.accumulation": "analog", "macro.adc.bits": "1"},
        "macro.adc.bits",
    ),
    ({"macro.rows": "16385"}, "macro.rows"),
    ({"macro.cols": "16386"}, "macro.cols"),
    ({"chip.mesh_rows": "8193"}, "chip.mesh_rows"),
    ({"core.macros": "4097"}, "core.macros"),
    ({"cell.read_noise": "1.01"}, "cell.read_noise"),
    ({"cell.read_noise": "nan"}, "cell.read_noise"),
    ({"cell.bits": "0"}, "cell.bits"),
    ({"chip.clock_hertz": "0"}, "chip.clock_hertz"),
    ({"core.memory.bytes": "1e30"}, "core.memory.bytes"),
    ({"macro.encoding": "diferential"}, "macro.encoding"),
    ({"macro.column_flip": "yes"}, "macro.column_flip"),
]


@pytest.mark.parametrize(("overrides", "blamed"), IMPOSSIBLE)
def test_impossible_value_is_refused(overrides: dict[str, str], blamed: str) -> None:
    with pytest.raises(MccError) as caught:
        targets.load("rram40nm", overrides)
    assert [item.code for item in caught.value.diagnostics] == ["target-invalid"]
    assert caught.value.diagnostics[0].message.startswith(f"`{blamed}")
    assert caught.value.diagnostics[0].location.file == "--set"


@pytest.mark.parametrize(
    ("key", "text", "message", "help"),
    [
        ("cell.g_max_siemens", "1e100", "is too large: `1e100`", "exponents end at 99"),
        ("cell.g_max_siemens", "1e-300 uS", "is too small: `1e-300`", "exponents end at 99"),
        ("cell.g_max_siemens", f"1e{'9' * 30}", "is too large", "exponents end at 99"),
        ("cell.g_max_siemens", "28uS", "has its unit in its number: `28uS`", "`28 uS`"),
        ("cell.g_max_siemens", "28us", "is not a number: `28us`", "a decimal number"),
        ("cell.g_max_siemens", "\u0662\u0668", "is not a number", "a decimal number"),
        ("macro.adc.bits", "\uff16", "is not a number", "a decimal number"),
        ("macro.adc.bits", "6bit", "has its unit in its number", "`value: 6, unit: bit`"),
    ],
)
def test_texts_that_are_no_numbers(
    write: Write, key: str, text: str, message: str, help: str
) -> None:
    [found] = refusal(targets.path("rram40nm"), **{key: text})
    assert found.message.startswith(f"`{key}` {message}")
    assert help in found.help
    number, _, unit = text.partition(" ")
    unit = unit or ("bit" if key.endswith("bits") else "S")
    leaf = f"{{value: {number}, unit: {unit}, kind: assumed, source: x}}"
    sections = {"cell.g_max_siemens": ["cell:", f"  g_max_siemens: {leaf}"]}
    path = write(*sections.get(key, ["macro:", "  adc:", f"    bits: {leaf}"]))
    [found] = refusal(path)
    assert found.message.startswith(f"`{key}` {message}")
    assert help in found.help


def test_bare_choices_need_no_unit(write: Write) -> None:
    [found] = refusal(write("macro:", "  encoding: offset"))
    assert found.code == "target-bare-number"
    assert found.help == "write `encoding: {value: …, source: …, kind: …}`"


def test_a_file_without_a_name_is_not_called_as_its_base_is(write: Write) -> None:
    path = write("cell:", "  read_noise: {value: 2, unit: percent, kind: assumed, source: x}")
    assert targets.load(path).name == "mine"
    part = write("cell:", "  read_noise: {value: 2, unit: percent, kind: assumed, source: x}")
    part.write_text("\n".join(part.read_text().splitlines()[1:]))
    assert targets.load(write(extends="[rram40nm, mine]", name="both.yaml")).name == "both"
    [found] = refusal(write(name="my chip.yaml"))
    assert "`my chip` is no name of a target" in found.message


def test_unknown_override_offers_the_nearest_name() -> None:
    with pytest.raises(MccError, match=r"did you mean `macro.adc.bits`\?") as caught:
        targets.load("rram40nm", {"macro.acd.bits": "6"})
    assert caught.value.diagnostics[0].code == "target-unknown-key"


def test_wrong_unit_of_an_override_is_refused() -> None:
    with pytest.raises(MccError, match="conductance: S, pS, nS, uS, mS") as caught:
        targets.load("rram40nm", {"cell.g_max_siemens": "28 us"})
    assert caught.value.diagnostics[0].code == "target-unit"


def test_missing_leaf_and_name_are_named(tmp_path: Path) -> None:
    path = tmp_path / "short.yaml"
    text = targets.path("isaac").read_text().splitlines()
    kept = [item for item in text if not item.startswith(("name", "  rows"))]
    path.write_text("\n".join(kept))
    found = refusal(path)
    assert [item.message for item in found] == ["`name` is not given", "`macro.rows` is not given"]
    assert all(item.code == "target-missing-key" for item in found)


@pytest.mark.parametrize(
    ("text", "code", "number"),
    [
        ("name:\n- [", "target-syntax", 2),
        ("name: " + "[" * 5000, "target-syntax", 1),
        ("a: &x 1\nb: *x", "target-syntax", 2),
        ("just words", "target-syntax", 1),
        ("", "target-syntax", 1),
        ("extends: nothing", "target-unknown", 1),
        ("\nextends: loop", "target-invalid", 2),
    ],
)
def test_broken_file_is_refused(text: str, code: str, number: int, tmp_path: Path) -> None:
    path = tmp_path / "loop.yaml"
    path.write_text(text)
    found = refusal(path)
    assert [item.code for item in found] == [code]
    assert line(found[0], path) == number


def test_repeated_key_is_refused(write: Write) -> None:
    leaf = "{value: 8, unit: bit, kind: assumed, source: x}"
    path = write("macro:", f"  dac_bits: {leaf}", f"  dac_bits: {leaf}")
    (found,) = refusal(path)
    assert (found.code, line(found, path)) == ("target-syntax", 4)
    assert "already given in line 3" in found.message


def test_section_that_is_no_section_is_refused(write: Write) -> None:
    path = write("macro: 3", "cell:", "  bits: {value: [1], unit: bit, kind: assumed, source: x}")
    assert [(item.code, line(item, path)) for item in refusal(path)] == [
        ("target-invalid", 2),
        ("target-invalid", 4),
    ]


def test_missing_file_and_unknown_name_are_refused(tmp_path: Path) -> None:
    (found,) = refusal(tmp_path / "none.yaml")
    assert found.code == "file-missing"
    with pytest.raises(MccError, match="did you mean `isaac`") as caught:
        targets.load("isac")
    assert caught.value.diagnostics[0].code == "target-unknown"


def test_damaged_plain_data_are_refused() -> None:
    data = targets.load("isaac").to_dict()
    with pytest.raises(MccError, match="the target is damaged"):
        target_from_dict({"name": "x"})
    data["quantities"]["macro.rows"][0] = "0"
    del data["quantities"]["macro.cols"]
    data["quantities"]["macro.depth"] = data["quantities"]["macro.adc.bits"]
    with pytest.raises(MccError) as caught:
        target_from_dict(data)
    codes = sorted(item.code for item in caught.value.diagnostics)
    assert codes == ["target-invalid", "target-missing-key", "target-unknown-key"]
