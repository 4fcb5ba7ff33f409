"""A compiled file, `model.mcc`: everything that a chip is programmed and run with, and its proofs.

A zip archive of these members, which any zip tool opens:

    manifest.json        versions, target, signature, provenance, size and hash of every member
    program.bin          the instructions and their tables
    source_map.json      which network values the integers of which instructions are
    cells.npz            target state of every cell, an array for every image of a macro
    host/0000.onnx       what the host runs
    network.onnx         the quantized network, which is the reference
    stages/<name>.onnx   further networks, for proofs
    certificates.json    the proofs
    vectors.npz          inputs and expected outputs
    report.json          what the compiler has to say

The same artifact gives the same bytes. Loading executes nothing, and refuses a file of which a
single byte is not as it was written.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from mcc.ir.container import check_layout, damaged, members_of, parsed, pieces
from mcc.ir.diagnostics import Location, MccError, located
from mcc.ir.files import read_file, write_file
from mcc.ir.hardware import Target, target_from_dict
from mcc.ir.manifest import HEAD, MANIFEST, check_manifest, make_manifest, plain_json
from mcc.ir.network.certificate import Certificate
from mcc.ir.npz import Form, pack_arrays, unpack_arrays
from mcc.ir.plain import certificate_of, check_signature, mapping_of, provenance_of
from mcc.ir.program.encoding import decode, encode
from mcc.ir.program.places import Place, Places
from mcc.ir.program.program import Program
from mcc.ir.signature import Signature

PROGRAM = "program.bin"
SOURCE_MAP = "source_map.json"
CELLS = "cells.npz"
NETWORK = "network.onnx"
CERTIFICATES = "certificates.json"
VECTORS = "vectors.npz"
REPORT = "report.json"
REQUIRED = (MANIFEST, PROGRAM, SOURCE_MAP, CELLS, NETWORK, CERTIFICATES, VECTORS, REPORT)
CONTENT = ("target", "target_digest", "signature", "provenance")
"""What the manifest holds besides what every manifest does."""
MOST_CELLS, MOST_VECTORS = 4 << 30, 1 << 30
"""Bytes of all arrays of an archive at most."""
SMALL = 1 << 20
"""Bytes of a vector that no tensor of the signature needs to be as large as."""
_HOST = re.compile(r"host/\d{4}\.onnx", re.ASCII)
_STAGE = re.compile(r"stages/([a-z0-9][a-z0-9_-]*)\.onnx")


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Artifact:
    """The content of a compiled file."""

    program: Program
    signature: Signature
    network: bytes
    """The quantized network as ONNX."""
    stages: Mapping[str, bytes] = field(default_factory=dict[str, bytes])
    """Further networks as ONNX, by a name of small letters, digits, `_` and `-`."""
    places: Places = field(default_factory=dict[tuple[int, int], Place])
    """Where the integers of the program lie in the values of the network."""
    certificates: tuple[Certificate, ...] = ()
    vectors: Mapping[str, NDArray[Any]] = field(default_factory=dict[str, NDArray[Any]])
    """Test inputs and expected outputs: `input/<run>/<name>` and `output/<run>/<name>`."""
    report: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Plain data."""
    provenance: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Where the inputs of the compiler came from; plain data."""


def stage_member(name: str) -> str:
    """Return the member that holds one of the further networks."""
    return f"stages/{name}.onnx"


def host_member(index: int) -> str:
    """Return the member that holds one of the host graphs."""
    return f"host/{index:04}.onnx"


def to_bytes(artifact: Artifact) -> bytes:
    """Return the file of an artifact."""
    return b"".join(pieces(_members(artifact)))


def save(artifact: Artifact, path: str | Path) -> None:
    """Write the file of an artifact, completely or not at all.

    Raises:
        MccError: `write-failed`.
    """
    write_file(path, pieces(_members(artifact)))


def load(path: str | Path) -> Artifact:
    """Read an artifact; nothing of it is executed.

    Raises:
        MccError: `file-missing`, `artifact-version`, or `artifact-damaged` naming the member.
    """
    return from_bytes(read_file(path), str(path))


def from_bytes(data: bytes, file: str = "") -> Artifact:
    """Read the file of an artifact.

    Args:
        data: Its bytes.
        file: What to call it in errors.

    Raises:
        MccError: `artifact-version`, or `artifact-damaged` naming the member.
    """
    try:
        return _artifact(*read_members(data))
    except MccError as cause:
        raise located(cause, Location(file)) from cause


def _artifact(members: Mapping[str, bytes], manifest: Mapping[str, Any]) -> Artifact:
    target = parsed(MANIFEST, lambda: target_from_dict(manifest["target"]))
    _check_content(manifest, target)
    signature = parsed(MANIFEST, lambda: _signature(manifest))
    most = parsed(MANIFEST, lambda: _largest(signature))

    def belongs(name: str, form: Form) -> bool:
        return form.bytes <= max(most, SMALL)

    artifact = Artifact(
        program=parsed(PROGRAM, lambda: _program(members, target)),
        signature=signature,
        network=members[NETWORK],
        stages={match[1]: members[match[0]] for match in map(_STAGE.fullmatch, members) if match},
        places=parsed(SOURCE_MAP, lambda: _places(members[SOURCE_MAP])),
        certificates=parsed(CERTIFICATES, lambda: _certificates(members[CERTIFICATES])),
        vectors=unpack_arrays(VECTORS, members[VECTORS], MOST_VECTORS, belongs),
        report=parsed(REPORT, lambda: mapping_of(json.loads(members[REPORT]))),
        provenance=parsed(MANIFEST, lambda: provenance_of(manifest["provenance"])),
    )
    _check_form(artifact, members, manifest)
    return artifact


def _check_form(
    artifact: Artifact, members: Mapping[str, bytes], manifest: Mapping[str, Any]
) -> None:
    """Refuse content that is not written as it is here: a name twice, or what nobody reads."""
    for name, content in parsed(REPORT, lambda: _plain_members(artifact)).items():
        if content != members[name]:
            raise damaged(name, "its content is written in another way")
    content = _content(artifact)
    if plain_json(content) != plain_json({name: manifest[name] for name in content}):
        raise damaged(MANIFEST, "its content is written in another way")


def read_members(data: bytes) -> tuple[dict[str, bytes], dict[str, Any]]:
    """Return the members of a file, all as they were written, and the manifest as plain data.

    Raises:
        MccError: `artifact-version`, or `artifact-damaged` naming the member.
    """
    members: dict[str, bytes] = {}
    for name, content in members_of(data):
        if name not in REQUIRED and not _HOST.fullmatch(name) and not _STAGE.fullmatch(name):
            raise damaged(name, "a compiled file has no such member")
        if name in members:
            raise damaged(name, "it is there twice")
        members[name] = content
    for name in REQUIRED:
        if name not in members:
            raise damaged(name, "it is missing")
    manifest = check_manifest(members)
    check_layout(data, _ordered(members))
    return members, manifest


def _members(artifact: Artifact) -> dict[str, bytes]:
    program = artifact.program
    members = _plain_members(artifact) | {
        CELLS: pack_arrays(_states(program)),
        NETWORK: artifact.network,
        VECTORS: pack_arrays(artifact.vectors),
    }
    members |= {host_member(i): graph for i, graph in enumerate(program.host_graphs)}
    members |= {stage_member(name): data for name, data in artifact.stages.items()}
    members[MANIFEST] = make_manifest(_content(artifact), members)
    return _ordered(members)


def _plain_members(artifact: Artifact) -> dict[str, bytes]:
    """Return the members that are neither networks nor archives."""
    places = sorted(artifact.places.items(), key=lambda item: item[0])
    return {
        PROGRAM: encode(artifact.program),
        SOURCE_MAP: plain_json([[*at, *place.to_list()] for at, place in places]),
        CERTIFICATES: plain_json([item.to_dict() for item in artifact.certificates]),
        REPORT: plain_json(artifact.report),
    }


def _content(artifact: Artifact) -> dict[str, Any]:
    """Return what the manifest holds besides what every manifest does."""
    target = artifact.program.target
    return {
        "target": target.to_dict(),
        "target_digest": target.digest(),
        "signature": artifact.signature.to_dict(),
        "provenance": artifact.provenance,
    }


def _ordered(members: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return the members in the order of the file, the manifest first."""
    return {name: members[name] for name in sorted(members, key=lambda it: (it != MANIFEST, it))}


def _states(program: Program) -> dict[str, NDArray[np.uint8]]:
    """Return the cells of every image, named so that they sort in the order of the table."""
    return {
        f"{index:06}-core{image.core}-macro{image.macro}": image.cells
        for index, image in enumerate(program.images)
    }


def _check_content(manifest: Mapping[str, Any], target: Target) -> None:
    if strangers := manifest.keys() - {*HEAD, *CONTENT}:
        raise damaged(MANIFEST, f"a manifest has no entry `{min(strangers)}`")
    if manifest.get("target_digest") != target.digest():
        raise damaged(MANIFEST, "the digest in it is not that of its target")


def _program(members: Mapping[str, bytes], target: Target) -> Program:
    shape = (target.macro.rows, target.macro.cols)

    def is_macro(name: str, form: Form) -> bool:
        return form.dtype == np.uint8 and form.shape == shape

    cells = unpack_arrays(CELLS, members[CELLS], MOST_CELLS, is_macro)
    graphs = [members[name] for name in sorted(members) if _HOST.fullmatch(name)]
    program = decode(members[PROGRAM], target, list(cells.values()), graphs)
    if list(cells) != list(_states(program)):
        raise damaged(CELLS, "its arrays are not those of the images of the program")
    return program


def _signature(manifest: Mapping[str, Any]) -> Signature:
    signature = Signature.from_dict(manifest["signature"])
    check_signature(signature)
    return signature


def _largest(signature: Signature) -> int:
    """Return the bytes of the largest input or output of one run."""
    leaves = (*signature.input_leaves, *signature.output_leaves)
    return max((math.prod(it.shape) * np.dtype(it.dtype).itemsize for it in leaves), default=0)


def _places(data: bytes) -> Places:
    return {(int(core), int(index)): Place.from_list(row) for core, index, *row in json.loads(data)}


def _certificates(data: bytes) -> tuple[Certificate, ...]:
    return tuple(certificate_of(item) for item in json.loads(data))
