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
    if [sorted(item) for item in claimed] != [sorted(item) for item in found]:
        yield Check(CERTIFICATES, False, "it does not speak of the networks in the file")
        return
    failed = False
    for member in dict.fromkeys(name for item in found for name in item):
        agree = [
            said[member] == held[member]
            for said, held in zip(claimed, found, strict=True)
            if member in held
        ]
        if not any(agree):
            yield Check(member, False, f"is not what {CERTIFICATES} speaks of")
        elif not all(agree):
            yield Check(CERTIFICATES, False, f"its certificates speak of more than one {member}")
        failed = failed or not all(agree)
    if not failed:
        detail = "every certificate speaks of the networks and vectors that are in the file"
        yield Check(CERTIFICATES, True, detail)


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
