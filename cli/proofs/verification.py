"""Proves again everything that a compiled file claims.

Whoever changes a member can also make its hashes right again. So nothing here rests on hashes
alone: networks are run, and what follows from them is made again and compared.
"""

from __future__ import annotations

from collections.abc import Iterator

from mcc.cli.proofs.checks import Check
from mcc.cli.proofs.claims import chain, check_claims
from mcc.cli.proofs.manifest import check_manifest
from mcc.cli.proofs.passes import check_passes
from mcc.cli.proofs.program import check_code, check_runs
from mcc.cli.proofs.recorded import recorded
from mcc.cli.proofs.vectors import check_names
from mcc.ir.artifact import CERTIFICATES, NETWORK, PROGRAM, VECTORS, Artifact
from mcc.ir.diagnostics import MccError
from mcc.ir.manifest import MANIFEST
from mcc.ir.network import Network, check_stage, from_bytes, to_bytes

_NONSENSE = (
    MccError,
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    RuntimeError,
    TypeError,
    ValueError,
)
"""What members that no compiler wrote may lead to while they are proved."""


def verify(artifact: Artifact) -> Iterator[Check]:
    """Prove again everything that a compiled file claims."""
    yield from check_claims(artifact)
    yield from _guarded(MANIFEST, recorded(artifact))
    networks: dict[str, Network] = {}
    for member, data in chain(artifact.stages, artifact.network).items():
        try:
            networks[member] = _legal(data)
        except _NONSENSE as failure:
            yield Check(member, False, f"is no legal network: {_said(failure)}")
    if len(networks) <= len(artifact.stages):
        return  # all that is left rests on the networks
    yield from _guarded(MANIFEST, check_manifest(artifact, networks[NETWORK]))
    yield from _guarded(VECTORS, check_names(artifact, networks[NETWORK]))
    yield from _guarded(CERTIFICATES, check_passes(artifact, networks))
    code = list(_guarded(PROGRAM, check_code(artifact, networks[NETWORK])))
    yield from code
    if all(check.passed for check in code):
        # What no compiler made may run for ever, or take any amount of memory.
        yield from _guarded(VECTORS, check_runs(artifact, networks[NETWORK]))


def _legal(data: bytes) -> Network:
    network = from_bytes(data)
    if to_bytes(network) != data:
        raise ValueError("its content is written in another way")
    if illegal := check_stage(network):
        raise MccError(illegal)
    return network


def _guarded(member: str, checks: Iterator[Check]) -> Iterator[Check]:
    """Turn what goes wrong during a proof into the failure of that proof."""
    try:
        yield from checks
    except _NONSENSE as failure:
        yield Check(member, False, f"cannot be proved: {_said(failure)}")


def _said(failure: Exception) -> str:
    return str(failure) if isinstance(failure, MccError) else repr(failure)
