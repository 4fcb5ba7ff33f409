"""Proves what the manifest of a compiled file says and its networks know."""

from __future__ import annotations

from collections.abc import Iterator

from mcc.cli.proofs.checks import Check
from mcc.cli.proofs.claims import stage_name
from mcc.cli.proofs.signature import fits
from mcc.cli.proofs.vectors import runs_of
from mcc.ir.artifact import Artifact
from mcc.ir.manifest import MANIFEST
from mcc.ir.network import Destination, Network, destination_of
from mcc.passes import parse_passes


def check_manifest(artifact: Artifact, network: Network) -> Iterator[Check]:
    """Compare target, signature and passes with those of the mapped network.

    The number of samples that calibrated beyond those that are kept is only recorded, and so is
    what `recorded` says of the signature.
    """
    target, provenance = artifact.program.target, artifact.provenance
    names = [stage_name(*item) for item in enumerate(parse_passes(str(provenance["passes"])))]
    subjects = [item.subject for item in artifact.certificates[1:-1]]
    same = {
        "target": destination_of(network) == Destination(target.name, target.digest()),
        "signature": fits(artifact.signature, network),
        "passes": list(artifact.stages) == names and provenance["passes"] == ",".join(subjects),
        "calibration": len(runs_of(artifact, "input")) <= provenance["calibration_samples"],
    }
    wrong = [name for name, agrees in same.items() if not agrees]
    detail = "target, names and types of tensors, order of the passes are those of the networks"
    if wrong:
        detail = f"not those of the networks: {', '.join(wrong)}"
    yield Check(MANIFEST, not wrong, detail)
