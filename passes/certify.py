"""Proof that a pass kept its contract: the networks before and after it run on the same inputs."""

from __future__ import annotations

import math
from dataclasses import replace

from mcc.ir.diagnostics import MccError
from mcc.ir.network import (
    Certificate,
    Contract,
    Evidence,
    Network,
    continuous,
    judge,
    outputs_of,
)
from mcc.ir.network.certificate import Outputs, judge_rounding
from mcc.ir.network.wide import widen
from mcc.passes.arguments import format_pass
from mcc.passes.base import Pass
from mcc.passes.prove_qoperators import prove_qoperators, without_qoperators
from mcc.passes.rounding import allowances


def certify(
    item: Pass,
    before: Network,
    after: Network,
    old: Outputs,
    new: Outputs,
    evidence: Evidence,
) -> Certificate:
    """Prove the contract of `item`; where it is bounded, in float64 as well if that runs.

    Rounding explains changes of continuous functions only. Networks that round values to codes
    are compared without that rounding, and the certificate says so. Operators that compute on codes
    are first held against their real form, which then takes their place.
    """
    subject = format_pass(item)
    if item.contract is not Contract.BOUNDED:
        limit = item.bound(before, after)
        return judge(old, new, item.contract, limit, evidence, subject)
    real = without_qoperators(before)
    if real is None:
        return _certify_codes(before, after, old, new, evidence, subject)
    given = outputs_of(real, evidence)
    opened = prove_qoperators(before, old, given, evidence, subject)
    if not opened.passed:
        return opened
    rest = _certify_codes(real, after, given, new, evidence, subject)
    return replace(rest, detail=f"{rest.detail}; {opened.detail}")


def _certify_codes(
    before: Network,
    after: Network,
    old: Outputs,
    new: Outputs,
    evidence: Evidence,
    subject: str,
) -> Certificate:
    (smooth_before, rounded), (smooth_after, again) = continuous(before), continuous(after)
    if not rounded or rounded != again:
        return _bounded_certificate(before, after, old, new, evidence, subject)
    with_steps = judge(old, new, Contract.BOUNDED, math.inf, evidence, subject).measured
    old, new = outputs_of(smooth_before, evidence), outputs_of(smooth_after, evidence)
    proved = _bounded_certificate(smooth_before, smooth_after, old, new, evidence, subject)
    text = f"{rounded} roundings to codes left out; with them {with_steps:.1e}"
    return replace(proved, detail=f"{proved.detail}; {text}")


def _bounded_certificate(
    before: Network,
    after: Network,
    old: Outputs,
    new: Outputs,
    evidence: Evidence,
    subject: str,
) -> Certificate:
    allowed = allowances(before, after, (old, new), evidence)
    plain = judge_rounding(old, new, allowed, evidence, subject)
    if not plain.passed:
        return plain
    wide = _wide_certificate(before, after, evidence, subject)
    if wide is None:
        return replace(plain, detail=f"{plain.detail}, in float32")
    text = f"in float64; in float32 {plain.measured:.1e} of {plain.bound:.1e}"
    return replace(wide, detail=f"{wide.detail}, {text}")


def _wide_certificate(
    before: Network, after: Network, evidence: Evidence, subject: str
) -> Certificate | None:
    """Compare in float64, where little but the rounding of constants explains a change."""
    wide_before, wide_after = widen(before), widen(after)
    if wide_before is None or wide_after is None:
        return None
    few = Evidence(
        calibration=evidence.calibration[:1],
        random=() if evidence.calibration else evidence.random[:1],
        extreme=evidence.extreme,
    )
    try:
        old, new = outputs_of(wide_before, few), outputs_of(wide_after, few)
        allowed = allowances(before, after, (old, new), few, widen)
    except MccError:
        return None
    return judge_rounding(old, new, allowed, few, subject)
