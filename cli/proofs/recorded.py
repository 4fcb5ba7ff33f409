"""What stands as it was written, because the file does not hold what could prove it."""

from __future__ import annotations

from collections.abc import Iterator

from mcc.cli.proofs.checks import Check
from mcc.cli.proofs.vectors import runs_of
from mcc.frontend.samples import TOLERANCE
from mcc.ir.artifact import CERTIFICATES, Artifact
from mcc.ir.network import Certificate, Contract


def recorded(artifact: Artifact) -> Iterator[Check]:
    """Say what rests on the original, on all calibration data, or on the user's own words."""
    yield _capture(artifact.certificates)
    told = "; ".join(f"{key} {value}" for key, value in artifact.provenance.items())
    detail = f"{told}; and what the target says of itself and of the sources of its values"
    yield _stands("provenance", detail)
    detail = "how tensors are nested, what may be left out or given by position, values that are no"
    yield _stands("signature", f"{detail} tensors, and whether axis 0 counts samples")
    kept = len(runs_of(artifact, "input"))
    detail = (
        "ranges of activations, steps of calibrated converters, and the options that chose them"
    )
    yield _stands("calibration", f"{detail} rest on all samples, of which {kept} are in the file")


def _stands(name: str, detail: str) -> Check:
    return Check(name, True, detail, recorded=True)


def _capture(certificates: tuple[Certificate, ...]) -> Check:
    """What was compiled is not in the file; what is said of it must at least be a proof."""
    if not certificates or certificates[0].subject != "capture":
        return Check(CERTIFICATES, False, "it does not begin with the capture")
    claimed = certificates[0]
    if claimed.contract is not Contract.BOUNDED or not (
        claimed.passed and 0 <= claimed.measured <= claimed.bound <= TOLERANCE
    ):
        detail = f"its capture is no proof: {claimed.contract}, measured {claimed.measured:.3g},"
        return Check(CERTIFICATES, False, f"{detail} bound {claimed.bound:.3g}")
    said = f"{claimed.measured:.3g}, bound {claimed.bound:.3g} ({claimed.inputs})"
    detail = f"differs by {said} from the original, which is not in the file, nor are the lines"
    return _stands("capture", f"{detail} of source that its nodes name")
