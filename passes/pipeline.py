"""Runs passes one after another: each result is checked, proved, timed and shown."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TypeAlias, final

from mcc.ir.diagnostics import EXIT_BUDGET, EXIT_BUG, Diagnostic, MccError, error
from mcc.ir.network import (
    Certificate,
    Contract,
    Evidence,
    Network,
    check_stage,
    evidence_for,
    outputs_of,
    set_stage,
    stage_of,
)
from mcc.ir.network.certificate import Outputs
from mcc.passes.base import Pass, PassContext
from mcc.passes.certify import certify

_REPORT = "Please report this: it is a bug of mcc."


@final
@dataclass(frozen=True, kw_only=True)
class Step:
    """What one pass did."""

    index: int
    item: Pass
    network: Network
    """The network after the pass."""
    certificate: Certificate
    findings: tuple[Diagnostic, ...]
    """What this pass reported."""
    seconds: float
    """Time in the pass itself."""
    proof_seconds: float
    """Time in checking and proving."""


@final
@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The end of a pipeline: the network and what happened on the way."""

    network: Network
    steps: tuple[Step, ...]

    @property
    def certificates(self) -> tuple[Certificate, ...]:
        """One certificate for each pass, in order."""
        return tuple(step.certificate for step in self.steps)


Hook: TypeAlias = Callable[[Step], None]
"""Called after each pass: printing, dumping and timing hang here, passes know nothing of them."""


def run_pipeline(
    network: Network,
    passes: Sequence[Pass],
    context: PassContext,
    hook: Hook | None = None,
    evidence: Evidence | None = None,
) -> Outcome:
    """Run `passes` on `network`, which is left as it is.

    Raises MccError: `pass-order` when a pass does not take the stage it meets; as our bug when a
    pass leaves an illegal network (`stage-illegal`) or breaks its contract (`contract-broken`);
    `budget-missed` when a lossy pass changes more than its budget.

    Args:
        network: where to start.
        passes: in order.
        context: target and calibration data; collects the findings.
        hook: called after each pass.
        evidence: what to prove with; made from the calibration data if None.
    """
    if evidence is None:
        evidence = evidence_for(network, context.calibration)
    _check_order(stage_of(network), passes)
    outputs = outputs_of(network, evidence)
    steps: list[Step] = []
    for index, item in enumerate(passes):
        step, outputs = _run_one(index, item, network, outputs, context, evidence)
        steps.append(step)
        network = step.network
        if hook is not None:
            hook(step)
        _refuse_unproved(step.certificate)
    return Outcome(network=network, steps=tuple(steps))


def _run_one(
    index: int,
    item: Pass,
    network: Network,
    outputs: Outputs,
    context: PassContext,
    evidence: Evidence,
) -> tuple[Step, Outputs]:
    started = time.perf_counter()
    reported = len(context.findings)
    after = set_stage(item.run(network.clone(), context), item.to_stage)
    rewritten = time.perf_counter()
    with _naming(item):
        _check_legal(item, after)
        new_outputs = outputs_of(after, evidence)
        certificate = certify(item, network, after, outputs, new_outputs, evidence)
    step = Step(
        index=index,
        item=item,
        network=after,
        certificate=certificate,
        findings=tuple(context.findings[reported:]),
        seconds=rewritten - started,
        proof_seconds=time.perf_counter() - rewritten,
    )
    return step, new_outputs


def _check_order(stage: object, passes: Sequence[Pass]) -> None:
    for item in passes:
        if stage != item.from_stage:
            raise error(
                "pass-order",
                f"pass `{item.name}` takes a network in stage {item.from_stage}, not {stage}",
                "Order the passes by stage: captured, canonical, quantized, mapped.",
            )
        stage = item.to_stage


def _check_legal(item: Pass, after: Network) -> None:
    illegal = check_stage(after)
    if illegal:
        raise MccError(illegal, EXIT_BUG)


def _refuse_unproved(certificate: Certificate) -> None:
    if certificate.passed:
        return
    lossy = certificate.contract is Contract.LOSSY
    raise error(
        "budget-missed" if lossy else "contract-broken",
        f"pass `{certificate.subject}` promises to be {certificate.contract} within "
        f"{certificate.bound:.3g}, measured {certificate.measured:.3g} ({certificate.detail})",
        "Give the pass a larger budget." if lossy else _REPORT,
        exit_code=EXIT_BUDGET if lossy else EXIT_BUG,
    )


@contextmanager
def _naming(item: Pass) -> Generator[None]:
    """Say which pass a problem came out of, which is ours: the network ran before the pass."""
    try:
        yield
    except MccError as problem:
        named = [
            replace(entry, message=f"after pass `{item.name}`: {entry.message}", help=_REPORT)
            for entry in problem.diagnostics
        ]
        raise MccError(named, EXIT_BUG) from problem
