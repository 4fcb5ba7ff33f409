"""Proof that a pass kept its contract: the networks before and after it run on the same inputs."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import final

from mcc.ir.diagnostics import MccError
from mcc.ir.network import (
    Certificate,
    Contract,
    Evidence,
    Network,
    continuous,
    infer_network,
    judge,
    outputs_of,
)
from mcc.ir.network.certificate import Outputs, judge_rounding
from mcc.ir.network.wide import widen
from mcc.passes.arguments import format_pass
from mcc.passes.base import Pass
from mcc.passes.prove_qoperators import prove_qoperators, without_qoperators
from mcc.passes.rounding import Form, allowances


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
    rewrite = _Rewrite(before, after, old, new, evidence, subject)
    real = without_qoperators(before)
    if real is None:
        return rewrite.certify_codes()
    given = outputs_of(real, evidence)
    opened = prove_qoperators(before, old, given, evidence, subject)
    if not opened.passed:
        return opened
    rest = replace(rewrite, before=real, old=given).certify_codes()
    return replace(rest, detail=f"{rest.detail}; {opened.detail}")


@final
@dataclass(frozen=True)
class _Rewrite:
    """Two networks that must compute the same real numbers, and what they give on `evidence`."""

    before: Network
    after: Network
    old: Outputs
    new: Outputs
    evidence: Evidence
    subject: str

    def certify_codes(self) -> Certificate:
        """Compare without the rounding to codes, where both have the same."""
        (before, rounded), (after, again) = continuous(self.before), continuous(self.after)
        if not rounded or rounded != again:
            return self.certify()
        coded = judge(self.old, self.new, Contract.BOUNDED, math.inf, self.evidence, self.subject)
        old, new = outputs_of(before, self.evidence), outputs_of(after, self.evidence)
        proved = replace(self, before=before, after=after, old=old, new=new).certify()
        text = f"{rounded} roundings to codes left out; with them {coded.measured:.1e}"
        return replace(proved, detail=f"{proved.detail}; {text}")

    def certify(self) -> Certificate:
        """Compare in float32, and in float64 as well where that runs."""
        plain = self._judge(infer_network)
        if not plain.passed:
            return plain
        wide = self._certify_wide()
        if wide is None:
            return replace(plain, detail=f"{plain.detail}, in float32")
        text = f"in float64; in float32 {plain.measured:.1e} of {plain.bound:.1e}"
        return replace(wide, detail=f"{wide.detail}, {text}")

    def _certify_wide(self) -> Certificate | None:
        """Compare in float64, where little but the rounding of constants explains a change."""
        before, after = widen(self.before), widen(self.after)
        if before is None or after is None:
            return None
        few = Evidence(
            calibration=self.evidence.calibration[:1],
            random=() if self.evidence.calibration else self.evidence.random[:1],
            extreme=self.evidence.extreme,
        )
        try:
            old, new = outputs_of(before, few), outputs_of(after, few)
            return replace(self, old=old, new=new, evidence=few)._judge(widen)
        except MccError:
            return None

    def _judge(self, form: Form) -> Certificate:
        """Hold what `form` makes of the networks against what rounding explains."""
        outputs = self.old, self.new
        allowed = allowances(self.before, self.after, outputs, self.evidence, form)
        return judge_rounding(*outputs, allowed, self.evidence, self.subject)
