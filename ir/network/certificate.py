"""Proof that one network does what another did: both run in ONNX Runtime on the same inputs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any, TypeAlias, final

import numpy as np
import onnx_ir as ir

from mcc.ir.diagnostics import MccError
from mcc.ir.network.feeds import Evidence
from mcc.ir.network.reference import ReferenceExecutor
from mcc.ir.network.values import Array


@final
class Contract(StrEnum):
    """What a rewrite promises about the outputs."""

    EXACT = "exact"
    """The same bits."""
    BOUNDED = "bounded"
    """The same real numbers: they differ by no more than rounding explains."""
    LOSSY = "lossy"
    """Other numbers: the change is measured and held against a budget."""


@final
@dataclass(frozen=True, kw_only=True)
class Certificate:
    """The outcome of one proof.

    `measured` and `bound` are, by contract: the fraction of elements whose bits differ (exact);
    the largest error over the largest magnitude of its output (bounded); the root mean square
    of the change over that of the output, on the calibration inputs (lossy). The bound of a
    bounded pass is itself measured, for each input: see `judge_rounding`.
    """

    subject: str
    """The pass, or "capture"."""
    contract: Contract
    bound: float
    measured: float
    inputs: str
    """What was run."""
    passed: bool
    detail: str = ""
    """Where the worst case is."""
    about: Mapping[str, str] = field(default_factory=dict[str, str])
    """The members of the compiled file that it speaks of, with their SHA-256."""

    def to_dict(self) -> dict[str, Any]:
        """Return plain data; the inverse of `from_dict`."""
        plain = asdict(self)
        plain["contract"] = self.contract.value
        plain["bound"] = self.bound if math.isfinite(self.bound) else None
        plain["measured"] = self.measured if math.isfinite(self.measured) else None
        return plain

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Certificate:
        """Read plain data."""
        fields = dict(data)
        fields["contract"] = Contract(fields["contract"])
        fields["about"] = {str(name): str(found) for name, found in fields["about"].items()}
        for name in ("bound", "measured"):
            fields[name] = math.inf if fields[name] is None else float(fields[name])
        return cls(**fields)


Outputs: TypeAlias = Sequence[dict[str, Array] | None]
"""The outputs for each item of an evidence, None where the network cannot take that input."""

Allowances: TypeAlias = Sequence[dict[str, float]]
"""For each item of an evidence, by output: the largest change that rounding explains."""


def outputs_of(network: ir.Model, evidence: Evidence) -> Outputs:
    """Run `network` on all of `evidence`.

    Made-up inputs (random, extreme) that ONNX Runtime refuses give None; calibration inputs that
    it refuses are an error.
    """
    executor = ReferenceExecutor(network)
    found: list[dict[str, Array] | None] = []
    for kind, feeds in evidence:
        try:
            found.append(executor.run(feeds))
        except MccError:
            if kind == "calibration":
                raise
            found.append(None)
    return found


def prove(
    before: ir.Model,
    after: ir.Model,
    contract: Contract,
    bound: float,
    evidence: Evidence,
    subject: str = "",
) -> Certificate:
    """Run both networks on `evidence` and compare their outputs under `contract`."""
    first, second = outputs_of(before, evidence), outputs_of(after, evidence)
    return judge(first, second, contract, bound, evidence, subject)


def judge(
    before: Outputs,
    after: Outputs,
    contract: Contract,
    bound: float,
    evidence: Evidence,
    subject: str = "",
) -> Certificate:
    """Compare outputs that were made on `evidence` before and after a rewrite."""
    worst, detail, run = 0.0, "", {"calibration": 0, "random": 0, "extreme": 0}
    for (kind, _), old, new in zip(evidence, before, after, strict=True):
        if old is None:
            continue
        run[kind] += 1
        if contract is Contract.LOSSY and kind != "calibration" and run["calibration"]:
            continue
        change, name = _change(old, new, contract, kind)
        if change > worst or not detail:
            worst, detail = max(worst, change), f"output `{name}` on {kind} inputs"
    limit = 0.0 if contract is Contract.EXACT else bound
    return Certificate(
        subject=subject,
        contract=contract,
        bound=limit,
        measured=worst,
        inputs=", ".join(f"{count} {kind}" for kind, count in run.items()),
        passed=worst <= limit,
        detail=detail,
    )


def judge_rounding(
    before: Outputs, after: Outputs, allowed: Allowances, evidence: Evidence, subject: str
) -> Certificate:
    """Hold the change of each output on each input against what rounding explains there.

    The certificate shows the worst case, change and allowance both over the largest magnitude of
    that output on all inputs; of integers, both are elements that differ, over all elements.
    Where rounding explains any change, the input tells nothing of that output; the detail counts
    these. An output that changes and of which no input tells anything is not proved.
    """
    sizes = _sizes(before)
    run = {"calibration": 0, "random": 0, "extreme": 0}
    worst, measured, bound, detail, free = -1.0, 0.0, 0.0, "", 0
    changed, told = set[str](), set[str]()
    for (kind, _), old, new, limits in zip(evidence, before, after, allowed, strict=True):
        if old is None:
            continue
        run[kind] += 1
        if new is None or list(old) != list(new):
            worst, measured, bound, detail = math.inf, math.inf, 0.0, f"all on {kind} inputs"
            continue
        for name, limit in limits.items():
            error = largest_change(old[name], new[name])
            free += limit == math.inf
            changed |= {name} if error else set()
            told |= {name} if limit < math.inf else set()
            share = 0.0 if error == 0 or limit == math.inf else _quotient(error, limit)
            if share > worst:
                worst, detail = share, f"output `{name}` on {kind} inputs"
                measured, bound = error / sizes[name], limit / sizes[name]
    pairs = sum(map(len, allowed))
    return Certificate(
        subject=subject,
        contract=Contract.BOUNDED,
        bound=bound,
        measured=measured,
        inputs=", ".join(f"{count} {kind}" for kind, count in run.items()),
        passed=worst <= 1 and changed <= told,
        detail=f"{detail}; rounding decides {free} of {pairs}" if free else detail,
    )


def _sizes(outputs: Outputs) -> dict[str, float]:
    """Return the largest finite magnitude of each output, of integers the number of elements.

    It is 1 where there is none.
    """
    found: dict[str, float] = {}
    for item in outputs:
        for name, array in (item or {}).items():
            size = float(array.size)
            if np.issubdtype(array.dtype, np.floating):
                kept = np.abs(array[np.isfinite(array)].astype(np.float64))
                size = float(kept.max(initial=0.0))
            found[name] = max(found.get(name, 0.0), size)
    return {name: size or 1.0 for name, size in found.items()}


def _quotient(error: float, limit: float) -> float:
    return error / limit if limit else math.inf


def largest_change(old: Array, new: Array) -> float:
    """Return the largest change of an element; of integers, how many elements differ.

    It is infinite where type, shape or what is not finite differs.
    """
    if old.shape != new.shape or old.dtype != new.dtype:
        return math.inf
    if not old.size or old.tobytes() == new.tobytes():
        return 0.0
    if not np.issubdtype(old.dtype, np.floating):
        return float(np.count_nonzero(old != new))
    change = _finite_change(old.astype(np.float64), new.astype(np.float64))
    return math.inf if change is None else float(np.abs(change).max(initial=0.0))


def _change(
    old: dict[str, Array], new: dict[str, Array] | None, contract: Contract, kind: str
) -> tuple[float, str]:
    if new is None or list(old) != list(new):
        return math.inf, "all"
    measured = ((_distance(old[name], new[name], contract, kind), name) for name in old)
    return max(measured, key=lambda item: item[0])


def _distance(old: Array, new: Array, contract: Contract, kind: str) -> float:
    if old.shape != new.shape or old.dtype != new.dtype:
        return math.inf
    if not old.size or old.tobytes() == new.tobytes():
        return 0.0
    if contract is Contract.EXACT:
        return _differing(old, new)
    if not np.issubdtype(old.dtype, np.floating):
        # An argmax may flip on a tie, and made-up inputs such as zeros are full of ties.
        tolerated = contract is Contract.LOSSY or kind != "calibration"
        return 0.0 if tolerated else math.inf
    return _relative(old.astype(np.float64), new.astype(np.float64), contract)


def _differing(old: Array, new: Array) -> float:
    size = old.dtype.itemsize
    bits_old = np.frombuffer(old.tobytes(), np.uint8).reshape(-1, size)
    bits_new = np.frombuffer(new.tobytes(), np.uint8).reshape(-1, size)
    return float((bits_old != bits_new).any(axis=1).mean())


def _relative(old: Array, new: Array, contract: Contract) -> float:
    change = _finite_change(old, new)
    if change is None:
        return math.inf
    if not change.size:
        return 0.0
    kept = old[np.isfinite(old)]
    if contract is Contract.LOSSY:
        error, size = np.sqrt(np.mean(change**2)), np.sqrt(np.mean(kept**2))
    else:
        error, size = np.abs(change).max(), np.abs(kept).max()
    return float(error / size) if size else (math.inf if error else 0.0)


def _finite_change(old: Array, new: Array) -> Array | None:
    """Return the change where `old` is finite, or None if they differ in what is not finite."""
    finite = np.isfinite(old)
    same_rest = np.array_equal(old[~finite], new[~finite], equal_nan=True)
    return new[finite] - old[finite] if same_rest and np.isfinite(new[finite]).all() else None
