"""Changes that go through a whole compiled file: everything that rests on them is made again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import onnx_ir as ir

from mcc.backends.crossbar.generate import generate
from mcc.cli.proofs.comparison import check_program
from mcc.cli.proofs.vectors import runs_of, vectors_of
from mcc.ir.artifact import Artifact
from mcc.ir.network import Placement, evidence_for, from_bytes, outputs_of, place, to_bytes
from mcc.ir.network.location import LINE
from mcc.ir.network.placement import placement_of
from mcc.passes import certify, parse_passes
from mcc.runtime.costs import costs_of
from mcc.runtime.fidelity import Fidelity
from mcc.runtime.machine import Machine
from mcc.runtime.report import make_report
from tests.acceptance.claims import Forgery, certificate, provenance
from tests.acceptance.forgeries import STAGES, other_weight, restated

Change = Callable[[bytes], bytes]


def chained(made: Artifact, change: Change, first: int) -> Artifact:
    """Change all networks from the one at `first` on, and make again all that follows from them."""
    stages = dict(made.stages)
    for name in STAGES[first:]:
        stages[name] = change(stages[name])
    network = change(made.network)
    last = from_bytes(network)
    generation = generate(last, made.program.target)
    inputs, count = runs_of(made, "input"), len(runs_of(made, "output"))
    costs = costs_of(generation.program, trace=True)
    machine = Machine(generation.program, Fidelity.EXACT, costs=costs)
    outputs = check_program(machine, last, generation.places, inputs[:count])
    return restated(
        replace(
            made,
            program=generation.program,
            places=generation.places,
            network=network,
            stages=stages,
            vectors=vectors_of(inputs, outputs),
            report=make_report(generation.program, costs, last),
            certificates=_proved(made, stages, network),
        )
    )


def _proved(made: Artifact, stages: Mapping[str, bytes], network: bytes) -> Any:
    networks = [from_bytes(data) for data in (*(stages[name] for name in STAGES), network)]
    evidence = evidence_for(networks[0], runs_of(made, "input"))
    outputs = [outputs_of(it, evidence) for it in networks]
    passes = parse_passes(made.provenance["passes"])
    spans = zip(pairwise(networks), pairwise(outputs), strict=True)
    proofs = [
        certify(item, *before_and_after, *results, evidence)
        for item, (before_and_after, results) in zip(passes, spans, strict=True)
    ]
    return (made.certificates[0], *proofs, made.certificates[-1])


def other_rules(network: bytes) -> bytes:
    model = from_bytes(network)
    for node in model.graph:
        if found := placement_of(node):
            place(node, Placement(found.unit, "Because I said so.", "fills 99 %"))
    return to_bytes(model)


def other_lines(network: bytes) -> bytes:
    model = from_bytes(network)
    for node in model.graph:
        node.metadata_props[LINE] = "666"
    return to_bytes(model)


def other_scale(network: bytes) -> bytes:
    """Make the scales of one contraction a little smaller."""
    model = from_bytes(network)
    constants = model.graph.initializers
    value = constants[max(name for name in constants if name.endswith("node/scale"))]
    assert value.const_value is not None
    value.const_value = ir.tensor(value.const_value.numpy() * np.float32(0.999), name=value.name)
    return to_bytes(model)


def unread(network: bytes) -> bytes:
    """Add a field that ONNX does not know."""
    return network + b"\xfa\x07\x04evil"


def asked(passes: str, subject: str) -> Forgery:
    """Say that quantize was given other options."""
    return lambda made: certificate(2, subject=subject)(provenance(passes=passes)(made))


def vectors_renamed(change: Callable[[str], str]) -> Forgery:
    def forge(made: Artifact) -> Artifact:
        vectors = {change(name): array for name, array in made.vectors.items()}
        return replace(made, vectors=vectors)

    return forge


def later(name: str) -> str:
    kind, index, rest = name.split("/")
    return f"{kind}/{int(index) + 5}/{rest}"


def without_runs(made: Artifact) -> Artifact:
    vectors = {name: it for name, it in made.vectors.items() if name.startswith("input")}
    return certificate(5, inputs="0 calibration samples")(replace(made, vectors=vectors))


def with_vector(name: str) -> Forgery:
    def forge(made: Artifact) -> Artifact:
        return replace(made, vectors={**made.vectors, name: made.vectors["input/0/x"]})

    return forge


def quantize_of(options: str) -> Forgery:
    return asked(f"canonicalize,quantize{{{options}}},place,tile", f"quantize{{{options}}}")


QUANTIZED = "stages/02-before-place.onnx"
CONSISTENT: dict[str, tuple[str, Forgery]] = {
    "weight bits": (QUANTIZED, quantize_of("weight_bits=4")),
    "activation bits": (QUANTIZED, quantize_of("activation_bits=7")),
    "scheme": (QUANTIZED, quantize_of("scheme=symmetric")),
    "granularity": (QUANTIZED, quantize_of("granularity=token")),
    "weight in every network": (QUANTIZED, lambda made: chained(made, other_weight, 2)),
    "scale in every network": (QUANTIZED, lambda made: chained(made, other_scale, 2)),
    "rules of the network": ("network.onnx", lambda made: chained(made, other_rules, 4)),
    "rules of every network": ("stages/03", lambda made: chained(made, other_rules, 3)),
    "lines of the network": ("network.onnx", lambda made: chained(made, other_lines, 4)),
    "lines after the capture": ("stages/01", lambda made: chained(made, other_lines, 1)),
    "words that nobody reads": ("stages/00", lambda made: chained(made, unread, 0)),
    "no runs": ("vectors.npz", without_runs),
    "other numbers of runs": ("vectors.npz", vectors_renamed(later)),
    "an array more": ("vectors.npz", with_vector("junk/0/x")),
    "an array of no run": ("vectors.npz", with_vector("junk")),
}
"""Changes after which hashes, certificates, program and report agree, and what is found."""
