"""The manifest of a compiled file: what it is, and size and hash of every other member."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any, cast

from mcc.ir.container import damaged
from mcc.ir.diagnostics import error

MANIFEST = "manifest.json"
FORMAT = "mcc"
VERSION = 1
HEAD = ("format", "version", "mcc", "members", "digest")
"""What every manifest holds."""


def plain_json(data: object) -> bytes:
    """Return plain data as JSON text, the same text for the same data."""
    text = json.dumps(data, indent=1, ensure_ascii=False, allow_nan=False)
    return text.encode() + b"\n"


def make_manifest(content: Mapping[str, Any], members: Mapping[str, bytes]) -> bytes:
    """Return the manifest of members, with `content` beside it."""
    listed = {
        name: {"bytes": len(members[name]), "sha256": hash_of(members[name])}
        for name in sorted(members)
    }
    head = {"format": FORMAT, "version": VERSION, "mcc": version("mcc")}
    manifest = {**head, **content, "members": listed}
    return plain_json({**manifest, "digest": hash_of(plain_json(manifest))})


def check_manifest(members: Mapping[str, bytes]) -> dict[str, Any]:
    """Return the manifest among the members of a file, all of which are as it says.

    Raises:
        MccError: `artifact-version`, or `artifact-damaged` naming the member.
    """
    manifest = _read(members[MANIFEST])
    listed = cast("dict[str, Any]", manifest["members"])
    for name in sorted(listed.keys() | (members.keys() - {MANIFEST})):
        if name not in members:
            raise damaged(name, "it is missing")
        if name not in listed:
            raise damaged(name, "the manifest does not name it")
        found = {"bytes": len(members[name]), "sha256": hash_of(members[name])}
        said = cast("dict[str, Any]", listed[name] if isinstance(listed[name], dict) else {})
        if found["bytes"] != said.get("bytes"):
            raise damaged(name, f"it has {found['bytes']} bytes, not {said.get('bytes')}")
        if found != said:
            raise damaged(name, "its bytes were changed")
    return manifest


def _read(data: bytes) -> dict[str, Any]:
    try:
        manifest = json.loads(data)
        again = plain_json(manifest)
    except (ValueError, RecursionError) as cause:
        raise damaged(MANIFEST, "it is no JSON text") from cause
    if not isinstance(manifest, dict):
        raise damaged(MANIFEST, "it is no manifest")
    found = cast("dict[str, Any]", manifest)
    if found.get("format") == FORMAT and found.get("version") != VERSION:
        message = f"{MANIFEST}: the format is {found.get('version')}, here {VERSION} is read"
        raise error("artifact-version", message, "compile again, or use the mcc that wrote it")
    rest = {key: value for key, value in found.items() if key != "digest"}
    if again != data or found.get("digest") != hash_of(plain_json(rest)):
        raise damaged(MANIFEST, "its bytes were changed")
    if not isinstance(found.get("members"), dict):
        raise damaged(MANIFEST, "it names no members")
    return found


def hash_of(data: bytes) -> str:
    """Return the SHA-256 of bytes, as the manifest writes it."""
    return hashlib.sha256(data).hexdigest()
