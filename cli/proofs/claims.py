"""Which bytes each certificate speaks of, so that a proof of one network is no proof of another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

from numpy.typing import NDArray

from mcc.cli.proofs.checks import Check
from mcc.ir.artifact import CERTIFICATES, NETWORK, VECTORS, Artifact, stage_member
from mcc.ir.manifest import hash_of
from mcc.ir.network import Certificate
from mcc.ir.npz import hash_arrays
from mcc.passes import Pass


def stage_name(index: int, item: Pass) -> str:
    """Return the name of the network that a pass was given."""
    return f"{index:02}-before-{item.name.replace('_', '-')}"


def chain(stages: Mapping[str, bytes], network: bytes) -> dict[str, bytes]:
    """Return all networks of a compilation in their order, by member."""
    return {stage_member(name): stages[name] for name in sorted(stages)} | {NETWORK: network}


def stated(
    certificates: Sequence[Certificate],
    stages: Mapping[str, bytes],
    network: bytes,
    vectors: Mapping[str, NDArray[Any]],
) -> tuple[Certificate, ...]:
    """Return the certificates of a compilation, each saying what it speaks of."""
    subjects = _subjects(stages, network, vectors)
    return tuple(
        replace(item, about=about) for item, about in zip(certificates, subjects, strict=True)
    )


def check_claims(artifact: Artifact) -> Iterator[Check]:
    """Compare what the certificates speak of with what the file holds."""
    found = _subjects(artifact.stages, artifact.network, artifact.vectors)
    claimed = [item.about for item in artifact.certificates]
    detail = "every certificate speaks of the networks and vectors that are in the file"
    wrong = [Check(name, False, why) for name, why in _differences(claimed, found)]
    yield from wrong or [Check(CERTIFICATES, True, detail)]


def _differences(
    claimed: Sequence[Mapping[str, str]], found: Sequence[Mapping[str, str]]
) -> Iterator[tuple[str, str]]:
    """Yield each member that is not what certificates speak of, and why."""
    spoken, held = _members(claimed), _members(found)
    for member in spoken.keys() - held.keys():
        yield member, f"is missing, {CERTIFICATES} speaks of it"
    for member in held.keys() - spoken.keys():
        yield member, f"{CERTIFICATES} does not speak of it"
    if spoken.keys() == held.keys() and [*map(sorted, claimed)] != [*map(sorted, found)]:
        yield CERTIFICATES, "does not go from one network in the file to the next"
    for member in spoken.keys() & held.keys():
        if not spoken[member] & held[member]:
            yield member, f"is not what {CERTIFICATES} speaks of"
        elif len(spoken[member]) > 1:
            yield CERTIFICATES, f"speaks of more than one {member}"


def _members(subjects: Sequence[Mapping[str, str]]) -> dict[str, set[str]]:
    """Return all members with their hashes."""
    found: dict[str, set[str]] = {}
    for about in subjects:
        for member, digest in about.items():
            found.setdefault(member, set()).add(digest)
    return found


def _subjects(
    stages: Mapping[str, bytes], network: bytes, vectors: Mapping[str, NDArray[Any]]
) -> list[dict[str, str]]:
    """Return what each certificate of a compilation speaks of: hashes by member.

    The capture speaks of the first network, each pass of the one before and the one after it, the
    program of the last; all but the capture also of the inputs that they were proved with.
    """
    hashes = [(member, hash_of(data)) for member, data in chain(stages, network).items()]
    evidence = {VECTORS: hash_arrays(vectors)}
    spans = [*pairwise(hashes), hashes[-1:]]
    return [dict(hashes[:1]), *(dict(span) | evidence for span in spans)]
