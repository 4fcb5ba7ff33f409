"""Proves what the manifest of a compiled file says and its networks know."""

from __future__ import annotations

from collections.abc import Iterator

from mcc.cli.proofs.checks import Check
from mcc.cli.proofs.claims import stage_name
from mcc.cli.proofs.vectors import runs_of
from mcc.ir.artifact import Artifact
from mcc.ir.manifest import MANIFEST
from mcc.ir.network import Destination, Network, destination_of, dtype_of, shape_of
from mcc.ir.signature import Signature
from mcc.ir.structure import Leaf
from mcc.passes import parse_passes


def check_manifest(artifact: Artifact, network: Network) -> Iterator[Check]:
    """Compare target, signature and passes with those of the mapped network.

    How the tensors of the signature are nested, and the number of samples that calibrated beyond
    those that are kept, is only recorded.
    """
    target, provenance = artifact.program.target, artifact.provenance
    names = [stage_name(*item) for item in enumerate(parse_passes(str(provenance["passes"])))]
    subjects = [item.subject for item in artifact.certificates[1:-1]]
    same = {
        "target": destination_of(network) == Destination(target.name, target.digest()),
        "signature": _fits(artifact.signature, network),
        "passes": list(artifact.stages) == names and provenance["passes"] == ",".join(subjects),
        "calibration": len(runs_of(artifact, "input")) <= provenance["calibration_samples"],
    }
    wrong = [name for name, agrees in same.items() if not agrees]
    detail = "target, signature, passes and calibration are those of the networks"
    if wrong:
        detail = f"not those of the networks: {', '.join(wrong)}"
    yield Check(MANIFEST, not wrong, detail)


def _fits(signature: Signature, network: Network) -> bool:
    """Whether the tensors of a signature are those of a network that takes one sample."""
    sides = (
        (signature.input_leaves, network.graph.inputs),
        (signature.output_leaves, network.graph.outputs),
    )
    return all(
        [_tensor(leaf, signature.samples) for leaf in leaves]
        == [(value.name, dtype_of(value).numpy().name, shape_of(value)) for value in values]
        for leaves, values in sides
    )


def _tensor(leaf: Leaf, samples: bool) -> tuple[str, str, tuple[int, ...]]:
    return leaf.name, leaf.dtype, (1, *leaf.shape[1:]) if samples else leaf.shape
