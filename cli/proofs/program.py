"""Proves the program of a compiled file again: it is what its network gives, and computes it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from mcc.backends.crossbar.generate import generate
from mcc.cli.proofs.checks import Check
from mcc.cli.proofs.comparison import compare, program_certificate, same
from mcc.cli.proofs.passes import agree
from mcc.cli.proofs.vectors import runs_of
from mcc.ir.artifact import (
    CELLS,
    CERTIFICATES,
    NETWORK,
    PROGRAM,
    REPORT,
    SOURCE_MAP,
    VECTORS,
    Artifact,
    host_member,
)
from mcc.ir.manifest import plain_json
from mcc.ir.network import Feeds, Network
from mcc.ir.program import Program
from mcc.ir.program.encoding import encode
from mcc.ir.tensors import Array
from mcc.runtime.costs import costs_of
from mcc.runtime.fidelity import Fidelity
from mcc.runtime.machine import Machine
from mcc.runtime.report import make_report


def check_code(artifact: Artifact, network: Network) -> Iterator[Check]:
    """Generate the program again; all of it must be what is in the file."""
    again = generate(network, artifact.program.target)
    old, new = artifact.program, again.program
    yield _follows(CELLS, _same_cells(old, new), "every cell")
    for index in range(max(len(old.host_graphs), len(new.host_graphs))):
        equal = old.host_graphs[index : index + 1] == new.host_graphs[index : index + 1]
        yield _follows(host_member(index), equal, "every node")
    yield _follows(PROGRAM, encode(old) == encode(new), "every instruction")
    yield _follows(SOURCE_MAP, dict(artifact.places) == dict(again.places), "every place")


def _follows(member: str, equal: bool, what: str) -> Check:
    verb = "follows" if equal else "does not follow"
    return Check(member, equal, f"{what} {verb} from {NETWORK}")


def check_runs(artifact: Artifact, network: Network) -> Iterator[Check]:
    """Time the program, and run it beside its network on the inputs whose outputs are recorded."""
    costs = costs_of(artifact.program, trace=True)
    report = make_report(artifact.program, costs, network)
    equal = plain_json(report) == plain_json(artifact.report)
    detail = f"{'follows' if equal else 'does not follow'} from {PROGRAM} and its clock"
    yield Check(REPORT, equal, detail)
    machine = Machine(artifact.program, Fidelity.EXACT, costs=costs)
    outputs = runs_of(artifact, "output")
    inputs = runs_of(artifact, "input")[: len(outputs)]
    for index, (feeds, expected) in enumerate(zip(inputs, outputs, strict=True)):
        problem = _difference(artifact, machine, network, feeds, expected)
        detail = problem or "codes, sums and outputs equal the network's, bit for bit"
        yield Check(f"run {index}", not problem, detail)
    claimed = artifact.certificates[-1]
    agrees = agree(claimed, program_certificate(len(outputs)))
    yield Check("program", agrees, f"{CERTIFICATES} claims {claimed.detail}")


def _difference(
    artifact: Artifact, machine: Machine, network: Network, feeds: Feeds, expected: Feeds
) -> str:
    """Say what one run does otherwise than the network, or than the file says; or nothing."""
    found, difference = compare(machine, network, artifact.places, feeds)
    if difference:
        return difference
    if found.keys() != expected.keys() or not all(_same(found, expected, name) for name in found):
        return f"{VECTORS} holds other outputs than the program gives"
    return ""


def _same(found: dict[str, Array], expected: Feeds, name: str) -> bool:
    return same(np.asarray(found[name]), np.asarray(expected[name]))


def _same_cells(old: Program, new: Program) -> bool:
    return len(old.images) == len(new.images) and all(
        np.array_equal(a.cells, b.cells) for a, b in zip(old.images, new.images, strict=True)
    )
