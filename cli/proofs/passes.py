"""Proves the passes of a compiled file again, by running the networks before and after each."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import pairwise

import numpy as np

from mcc.cli.proofs.checks import Check
from mcc.cli.proofs.claims import chain
from mcc.cli.proofs.rewrites import difference
from mcc.cli.proofs.vectors import runs_of
from mcc.ir.artifact import CERTIFICATES, Artifact
from mcc.ir.network import Certificate, Contract, Network, evidence_for, outputs_of, stage_of
from mcc.passes import certify, parse_passes

_MEASURED_AGAIN = 0.1
"""How far what was measured may move, relative to itself, on another processor."""
_GIVEN_AGAIN = 1e-6
"""The same for a bound that was given."""
_NOISE = 1e-5
"""Numbers below are those of roundings."""
_NUMBER = re.compile(r"\b\d+(?:\.\d+)?(?:e[+-]\d+)?\b|\binf\b")
_OUTPUT = re.compile(r"output `[^`]*` on [a-z]+ inputs|all on [a-z]+ inputs")
"""Where the worst case is."""


def check_passes(artifact: Artifact, networks: Mapping[str, Network]) -> Iterator[Check]:
    """Prove every pass again, and compare with its certificate.

    Args:
        artifact: The content of the file.
        networks: All networks in their order, by member.
    """
    pipeline = parse_passes(str(artifact.provenance["passes"]))
    first = next(iter(networks.values()))
    evidence = evidence_for(first, runs_of(artifact, "input"))
    before = outputs_of(first, evidence)
    data = chain(artifact.stages, artifact.network)
    spans = pairwise(networks.items())
    for item, span, claimed in zip(pipeline, spans, artifact.certificates[1:-1], strict=True):
        (source, old), (result, new) = span
        after = outputs_of(new, evidence)
        found = certify(item, old, new, before, after, evidence)
        bound = f"bound {found.bound:.3g}" if np.isfinite(found.bound) else "no bound was given"
        detail = f"{found.contract}: measured {found.measured:.3g}, {bound}"
        problems: list[str] = []
        if not found.passed or (stage_of(old), stage_of(new)) != (item.from_stage, item.to_stage):
            problems.append(f"{result} is not what it may make of {source}")
        if other := difference(item, data[source], data[result], artifact.program.target):
            problems.append(f"{result} is not what it makes of {source}: {other}")
        if not agree(claimed, found):
            problems.append(f"{CERTIFICATES} claims something else")
        yield Check(f"pass {found.subject}", not problems, "; ".join([detail, *problems]))
        before = after


def agree(claimed: Certificate, found: Certificate) -> bool:
    """Tell whether a proof came out as it is recorded.

    On another processor the measured value may move, and with it the output that is the worst;
    where it did not, the words are compared too. Their numbers may always move, but not far.
    """
    close = np.isclose(claimed.measured, found.measured, rtol=_MEASURED_AGAIN)
    again = _MEASURED_AGAIN if found.contract is Contract.BOUNDED else _GIVEN_AGAIN
    same = np.isclose(claimed.bound, found.bound, rtol=again)
    words = claimed.measured == found.measured
    first, second = (_compared(item, words) for item in (claimed, found))
    return bool(close and same) and first == second and _near(claimed.detail, found.detail)


def _compared(item: Certificate, words: bool) -> Certificate:
    """Leave out what may be otherwise on another processor, and what the file itself knows."""
    detail = _NUMBER.sub("", item.detail)
    detail = detail if words else _OUTPUT.sub("", detail)
    return replace(item, measured=0.0, bound=0.0, detail=detail, about={})


def _near(claimed: str, found: str) -> bool:
    """Whether the numbers of two texts are of one size."""
    sizes = [
        [float(it) for it in _NUMBER.findall(_OUTPUT.sub("", text))] for text in (claimed, found)
    ]
    return len(sizes[0]) == len(sizes[1]) and np.allclose(*sizes, rtol=0.9, atol=_NOISE)
