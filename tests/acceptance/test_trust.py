"""A compiled file proves itself, and nothing in it can be changed unnoticed."""

from __future__ import annotations

import random
import zipfile
from dataclasses import replace
from functools import cache
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mcc
from mcc.cli.proofs import verify
from mcc.ir import artifact as artifacts
from mcc.ir.container import members_of, pieces
from mcc.ir.diagnostics import MccError
from mcc.ir.manifest import MANIFEST
from tests.acceptance.chains import CONSISTENT, quantize_of
from tests.acceptance.claims import Forgery
from tests.acceptance.forgeries import (
    FORGERIES,
    STAGES,
    WEIGHTS,
    restated,
    under_a_right_manifest,
)
from tests.acceptance.small import UNITS, compiled, samples

RECORDED = {"capture", "provenance", "signature", "calibration"}


REWRITTEN = {
    "report.json": (b"{", b'{"target": "another",'),
    "certificates.json": (b'"passed": true', b'"passed": false, "passed": true'),
    "source_map.json": (b"[\n", b"[\n\n"),
}
"""Bytes of members that mean the same as others, or hide something."""


@cache
def data() -> bytes:
    return artifacts.to_bytes(compiled().artifact)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "model.mcc"


def load(path: Path, content: bytes) -> mcc.Program:
    path.write_bytes(content)
    return mcc.load(path)


def refusal(path: Path, content: bytes) -> str:
    """Return what is said of a file that must not load."""
    with pytest.raises(MccError, match=r"\[artifact-(damaged|version)\]") as caught:
        load(path, content)
    return caught.value.diagnostics[0].message


def failures(program: mcc.Program) -> list[str]:
    return [f"{it.name}: {it.detail}" for it in program.verify() if not it.passed]


def forged(forge: Forgery) -> bytes:
    return artifacts.to_bytes(forge(artifacts.from_bytes(data())))


def test_every_step_has_a_certificate_and_is_proved_from_the_file(path: Path) -> None:
    program = load(path, data())
    passes = ["canonicalize", "quantize", "place", "tile"]
    assert [it.subject for it in program.certificates] == ["capture", *passes, "program"]
    assert all(it.passed for it in program.certificates)
    spoken = [set(it.about) - {"vectors.npz"} for it in program.certificates]
    chain = [*map(artifacts.stage_member, STAGES), "network.onnx"]
    assert spoken == [{chain[0]}, *map(set, pairwise(chain)), {chain[-1]}]
    checks = {it.name: it for it in program.verify()}
    assert all(it.passed for it in checks.values())
    assert {f"pass {name}" for name in passes} | {"program", "run 0", "run 1"} <= set(checks)
    rest = {name for name, _ in members_of(data())} - {*chain, "vectors.npz"}
    assert rest <= set(checks)


def test_what_is_only_recorded_is_said(path: Path) -> None:
    """The original is not in the file: nobody can prove again what is said of it."""
    found = {it.name for it in load(path, data()).verify() if it.recorded}
    assert found == RECORDED


@pytest.mark.parametrize("name", FORGERIES)
def test_a_forgery_is_found_and_its_member_named(name: str, path: Path) -> None:
    member, forge = FORGERIES[name]
    content = forged(forge)
    assert dict(members_of(content)).get(member) != dict(members_of(data()))[member]
    found = failures(load(path, content))
    assert any(member in text for text in found), found


@pytest.mark.parametrize("name", [*WEIGHTS, *CONSISTENT])
def test_hashes_that_were_made_right_do_not_help(name: str, path: Path) -> None:
    """Certificates that speak of the changed members, too: then it is the proof that fails."""
    member, forge = (WEIGHTS | CONSISTENT)[name]
    found = failures(load(path, forged(lambda made: restated(forge(made)))))
    assert any(member in text for text in found), found
    assert not any(text.startswith("certificates.json: does") for text in found)


def test_a_changed_weight_is_named(path: Path) -> None:
    """Even where it is the same in every network, and program and proofs were made of it."""
    program = load(path, forged(CONSISTENT["weight in every network"][1]))
    [found] = failures(program)
    assert "constant `second/codes` is another" in found


def test_options_of_calibration_are_recorded(path: Path) -> None:
    """The data that an observer saw are not in the file; that it was asked for is no proof."""
    program = load(path, forged(quantize_of("observer=mse")))
    found = {it.name: it for it in program.verify()}
    assert all(it.passed for it in found.values())
    assert found["calibration"].recorded
    assert "options that chose them" in found["calibration"].detail


def test_a_program_that_does_not_follow_is_not_run(path: Path) -> None:
    """It could run for ever."""
    program = load(path, forged(FORGERIES["operation"][1]))
    found = {it.name for it in program.verify()}
    assert "program.bin" in found
    assert not found & {"report.json", "run 0", "program"}


@pytest.mark.parametrize("member", REWRITTEN)
def test_content_that_is_written_in_another_way(member: str, path: Path) -> None:
    """A name or a row that is there twice: readers may take one or the other."""
    members = dict(members_of(data()))
    before, after = REWRITTEN[member]
    assert before in members[member]
    changed = members | {member: members[member].replace(before, after, 1)}
    assert refusal(path, under_a_right_manifest(changed)).startswith(member)


def test_provenance_that_is_none() -> None:
    lists: Any = []
    found = list(verify(replace(compiled().artifact, provenance=lists)))
    assert any(it.name == MANIFEST and not it.passed for it in found)


@pytest.mark.parametrize("name", [name for name, it in FORGERIES.items() if it[0] != MANIFEST])
def test_a_changed_member_under_the_old_manifest_does_not_load(name: str, path: Path) -> None:
    member, forge = FORGERIES[name]
    others = dict(members_of(forged(forge)))
    mixed = {name: others.get(name) if name == member else it for name, it in members_of(data())}
    assert member in refusal(path, b"".join(pieces({k: v for k, v in mixed.items() if v})))


@pytest.mark.parametrize("member", ["cells.npz", "host/0000.onnx"])
def test_program_cells_and_host_graphs_belong_together(member: str, path: Path) -> None:
    """Right hashes in the manifest do not help: the program has checksums of its own."""
    forge = next(forge for name, forge in FORGERIES.values() if name == member)
    members, others = (dict(members_of(it)) for it in (data(), forged(forge)))
    assert member in refusal(path, under_a_right_manifest(members | {member: others[member]}))


@pytest.mark.parametrize("member", artifacts.REQUIRED)
def test_any_byte_of_a_member(member: str, path: Path) -> None:
    with zipfile.ZipFile(BytesIO(data())) as archive:
        item = archive.getinfo(member)
    begin = item.header_offset + 30 + len(member)
    generator = random.Random(member)
    for at in generator.choices(range(begin, begin + item.file_size), k=40):
        assert member in refusal(path, flipped(at, generator.randrange(8)))


def test_any_byte_of_the_file(path: Path) -> None:
    """The headers and the directory of the archive are bytes like any other."""
    generator = random.Random(0)
    for at in generator.sample(range(len(data())), k=400):
        refusal(path, flipped(at, generator.randrange(8)))


def flipped(at: int, bit: int) -> bytes:
    changed = bytearray(data())
    changed[at] ^= 1 << bit
    return bytes(changed)


def test_a_file_is_what_was_compiled(path: Path) -> None:
    program = load(path, data())
    program.save(path.with_suffix(".again"))
    assert path.with_suffix(".again").read_bytes() == data()
    x = samples(2, 3)
    assert np.array_equal(mcc.Machine(program)(x), mcc.Machine(compiled())(x))
    assert {row["unit"] for row in program.explain()} == UNITS
