"""The first certificate: the captured network against what it was captured from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mcc.frontend.samples import TOLERANCE
from mcc.ir.diagnostics import error
from mcc.ir.network import Certificate, Contract, Evidence, Network, ReferenceExecutor, judge
from mcc.ir.tensors import Array


def certify(
    network: Network,
    feeds: Sequence[Mapping[str, Array]],
    expected: Sequence[dict[str, Array]],
    origin: str,
    help: str,
) -> Certificate:
    """Run the network on every example and compare.

    Args:
        network: The captured network.
        feeds: The inputs of each run.
        expected: What the original returned, in the same order.
        origin: What the original is, for the certificate.
        help: Where to look if the results are not the same.

    Raises:
        MccError: `capture-differs` where the results are not the same.
    """
    executor = ReferenceExecutor(network)
    found = [executor.run(item) for item in feeds]
    evidence = Evidence(calibration=tuple(feeds))
    judged = judge(expected, found, Contract.BOUNDED, TOLERANCE, evidence, "capture")
    certificate = Certificate(
        subject="capture",
        contract=judged.contract,
        bound=judged.bound,
        measured=judged.measured,
        inputs=f"{len(feeds)} examples, against {origin}",
        passed=judged.passed,
        detail=judged.detail,
    )
    if not certificate.passed:
        raise error(
            "capture-differs",
            f"the captured network differs from {origin} by {certificate.measured:.2g} of the"
            f" largest value (allowed {certificate.bound:g}): {certificate.detail}",
            help,
        )
    return certificate
