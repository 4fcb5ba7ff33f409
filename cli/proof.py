"""Proofs of a compiled file: its passes, its program, and what the program computes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, final

import numpy as np

from mcc.backends.crossbar.generate import generate
from mcc.ir.artifact import (
    CELLS,
    CERTIFICATES,
    NETWORK,
    PROGRAM,
    REPORT,
    SOURCE_MAP,
    VECTORS,
    Artifact,
)
from mcc.ir.diagnostics import EXIT_BUG, MccError, error
from mcc.ir.network import (
    Feeds,
    Network,
    ReferenceExecutor,
    Unit,
    evidence_for,
    from_bytes,
    outputs_of,
    placement_of,
)
from mcc.ir.program.encoding import encode
from mcc.ir.program.places import Places
from mcc.ir.tensors import Array
from mcc.passes import certify, parse_passes
from mcc.runtime.arrays import Fidelity
from mcc.runtime.costs import costs_of
from mcc.runtime.machine import Machine
from mcc.runtime.observation import Collector
from mcc.runtime.report import make_report


@final
@dataclass(frozen=True)
class Check:
    """One thing that was proved again, or not."""

    name: str
    passed: bool
    detail: str


def check_program(
    machine: Machine, network: Network, places: Places, feeds: Sequence[Feeds]
) -> list[dict[str, Array]]:
    """Run a program beside its network, and return the outputs of each run.

    Raises:
        MccError: As our bug, `program-differs`, naming the first value that is not the same.
    """
    results: list[dict[str, Array]] = []
    for run in feeds:
        outputs, difference = compare(machine, network, places, run)
        if difference:
            raise error("program-differs", difference, "please report it", exit_code=EXIT_BUG)
        results.append(outputs)
    return results


def compare(
    machine: Machine, network: Network, places: Places, feeds: Feeds
) -> tuple[dict[str, Array], str]:
    """Run a program and its network on one input; say the first value that differs, or nothing."""
    collector = Collector(places, 1)
    inputs = {name: np.asarray(array)[None] for name, array in feeds.items()}
    outputs = {name: it[0] for name, it in machine.run(inputs, collector).outputs.items()}
    integers = collector.values()
    expected = ReferenceExecutor(network).run(feeds, values=[*integers, *outputs])
    for name, found in [*((name, it[0]) for name, it in integers.items()), *outputs.items()]:
        if not same(np.asarray(found), expected[name]):
            count = int(np.sum(np.asarray(found) != expected[name]))
            return outputs, f"`{name}` differs from the network in {count} of {found.size} elements"
    return outputs, ""


def same(left: Array, right: Array) -> bool:
    """Tell whether two arrays hold the same bits."""
    return (
        left.dtype == right.dtype
        and left.shape == right.shape
        and left.tobytes() == right.tobytes()
    )


def verify(artifact: Artifact) -> Iterator[Check]:
    """Prove again everything that a compiled file claims."""
    network = from_bytes(artifact.network)
    yield from _capture(artifact)
    yield from _passes(artifact, network)
    yield from _program(artifact, network)
    yield from _vectors(artifact, network)


def _capture(artifact: Artifact) -> Iterator[Check]:
    """The original is not in the file, so that this one proof stays as it was recorded."""
    for item in artifact.certificates:
        if item.subject == "capture":
            detail = f"recorded: {item.detail or item.inputs}; the original is not in the file"
            yield Check("capture", item.passed, detail)


def _inputs(artifact: Artifact, kind: str) -> list[dict[str, Array]]:
    """Return the arrays `kind/<run>/<name>` of the vectors, by run."""
    runs: dict[int, dict[str, Array]] = {}
    for key, array in artifact.vectors.items():
        label, index, name = key.split("/", 2)
        if label == kind:
            runs.setdefault(int(index), {})[name] = array
    return [runs[index] for index in sorted(runs)]


def _passes(artifact: Artifact, network: Network) -> Iterator[Check]:
    pipeline = parse_passes(str(artifact.provenance["passes"]))
    recorded = {item.subject: item for item in artifact.certificates}
    networks = [*(from_bytes(artifact.stages[name]) for name in sorted(artifact.stages)), network]
    evidence = evidence_for(networks[0], _inputs(artifact, "input"))
    before = outputs_of(networks[0], evidence)
    for item, (first, second) in zip(pipeline, pairwise(networks), strict=True):
        after = outputs_of(second, evidence)
        found = certify(item, first, second, before, after, evidence)
        claimed = recorded.get(found.subject)
        agrees = claimed is not None and np.isclose(claimed.measured, found.measured, rtol=0.1)
        detail = f"{found.contract}: measured {found.measured:.3g}, bound {found.bound:.3g}"
        if not agrees:
            detail += f"; {CERTIFICATES} claims {claimed.measured if claimed else 'nothing'}"
        yield Check(f"pass {found.subject}", found.passed and bool(agrees), detail)
        before = after


def _program(artifact: Artifact, network: Network) -> Iterator[Check]:
    """Generate the program again: what is in the file must be what its network gives."""
    try:
        again = generate(network, artifact.program.target)
    except MccError as failure:
        yield Check(NETWORK, False, f"gives no program: {failure}")
        return
    old, new = artifact.program, again.program
    cells = len(old.images) == len(new.images) and all(
        np.array_equal(a.cells, b.cells) for a, b in zip(old.images, new.images, strict=True)
    )
    yield Check(CELLS, cells, "the state of every cell follows from the weights of the network")
    for index in range(max(len(old.host_graphs), len(new.host_graphs))):
        equal = old.host_graphs[index : index + 1] == new.host_graphs[index : index + 1]
        yield Check(f"host/{index:04}.onnx", equal, "follows from the network")
    yield Check(PROGRAM, encode(old) == encode(new), "every instruction follows from the network")
    yield Check(SOURCE_MAP, dict(artifact.places) == dict(again.places), "follows from the network")


def _vectors(artifact: Artifact, network: Network) -> Iterator[Check]:
    costs = costs_of(artifact.program, trace=True)
    report = make_report(artifact.program, costs, network)
    yield Check(REPORT, report == artifact.report, "follows from the program and its clock")
    machine = Machine(artifact.program, Fidelity.EXACT, costs=costs)
    inputs, outputs = _inputs(artifact, "input"), _inputs(artifact, "output")
    for index, expected in enumerate(outputs):
        try:
            found, difference = compare(machine, network, artifact.places, inputs[index])
        except MccError as failure:
            yield Check(f"run {index}", False, str(failure))
            continue
        recorded = all(same(np.asarray(found[name]), array) for name, array in expected.items())
        detail = difference or "codes, sums and outputs equal the network's, bit for bit"
        if not recorded:
            detail = f"{VECTORS} holds other outputs than the program gives"
        yield Check(f"run {index}", not difference and recorded, detail)


def explanations(artifact: Artifact, name: str | None = None) -> list[dict[str, Any]]:
    """Return where every node went and why, or the nodes whose name holds `name`."""
    rows: list[dict[str, Any]] = []
    busy: Mapping[str, Any] = {row["node"]: row for row in artifact.report.get("operators", ())}
    for node in from_bytes(artifact.network).graph:
        placement, label = placement_of(node), node.name or ""
        if name is not None and name not in label:
            continue
        rows.append(
            {
                "node": label,
                "operator": f"{node.domain}.{node.op_type}".lstrip("."),
                "unit": str(placement.unit if placement else Unit.HOST),
                "rule": placement.rule if placement else "",
                "measured": placement.measured if placement else "",
                "location": busy.get(label, {}).get("location", ""),
            }
        )
    return rows
