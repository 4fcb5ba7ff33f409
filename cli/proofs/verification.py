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
from mcc.ir.artifact import CERTIFICATES, NETWORK, PROGRAM, VECTORS, Artifact
from mcc.ir.diagnostics import MccError
from mcc.ir.manifest import MANIFEST
from mcc.ir.network import Network, check_stage, from_bytes

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
    yield from _recorded(artifact)
    networks: dict[str, Network] = {}
    for member, data in chain(artifact.stages, artifact.network).items():
        try:
            networks[member] = _legal(data)
        except _NONSENSE as failure:
            yield Check(member, False, f"is no legal network: {_said(failure)}")
    if len(networks) <= len(artifact.stages):
        return  # all that is left rests on the networks
    yield from _guarded(MANIFEST, check_manifest(artifact, networks[NETWORK]))
    yield from _guarded(CERTIFICATES, check_passes(artifact, networks))
    yield from _guarded(PROGRAM, check_code(artifact, networks[NETWORK]))
    yield from _guarded(VECTORS, check_runs(artifact, networks[NETWORK]))


def _recorded(artifact: Artifact) -> Iterator[Check]:
    """What was compiled is not in the file, so that what is said of it stays as it was recorded."""
    capture = artifact.certificates[0] if artifact.certificates else None
    if capture is None or capture.subject != "capture":
        yield Check(CERTIFICATES, False, "it does not begin with the capture")
    else:
        said = f"{capture.measured:.3g}, bound {capture.bound:.3g} ({capture.inputs})"
        detail = f"differs by {said} from the original, which is not in the file"
        yield Check("capture", capture.passed, detail, recorded=True)
    told = "; ".join(f"{key} {value}" for key, value in artifact.provenance.items())
    detail = f"{told}; and the sources that the target names for its values"
    yield Check("provenance", True, detail, recorded=True)


def _legal(data: bytes) -> Network:
    network = from_bytes(data)
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
