"""Changes of a compiled file by somebody who makes sizes, hashes and checksums right again."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir

from mcc.cli.proofs.claims import stated
from mcc.ir.artifact import CONTENT, Artifact, stage_member
from mcc.ir.container import pieces
from mcc.ir.manifest import MANIFEST, make_manifest
from mcc.ir.network import Contract, from_bytes, to_bytes
from mcc.ir.program import Image
from mcc.ir.program.instructions import Instruction, Quantize, Unary, UnaryOperation
from tests.acceptance.claims import (
    Forgery,
    argument,
    certificate,
    float_cycles,
    leaf,
    nested_output,
    number,
    other_numbers,
    provenance,
    without_certificate,
)


def restated(forged: Artifact) -> Artifact:
    """Let the certificates speak of the changed networks and vectors, hash for hash."""
    certificates = stated(forged.certificates, forged.stages, forged.network, forged.vectors)
    return replace(forged, certificates=certificates)


def under_a_right_manifest(members: Mapping[str, bytes]) -> bytes:
    """Return the file of some members, whose manifest is made again."""
    content = json.loads(members[MANIFEST])
    others = {name: members[name] for name in sorted(members) if name != MANIFEST}
    manifest = make_manifest({name: content[name] for name in CONTENT}, others)
    return b"".join(pieces({MANIFEST: manifest, **others}))


def other_weight(network: bytes) -> bytes:
    """Negate the largest weight of the largest constant of a network."""
    model = from_bytes(network)
    value = max(
        (it for it in model.graph.initializers.values() if it.const_value is not None),
        key=lambda it: it.const_value.size if it.const_value is not None else 0,
    )
    assert value.const_value is not None
    array = value.const_value.numpy().copy()
    at = np.unravel_index(np.argmax(np.abs(array.astype(np.float64))), array.shape)
    array[at] = -array[at]
    value.const_value = ir.tensor(array, name=value.name)
    return to_bytes(model)


def weight_of_network(made: Artifact) -> Artifact:
    return replace(made, network=other_weight(made.network))


def weight_of_stage(index: int) -> Forgery:
    def forge(made: Artifact) -> Artifact:
        name = sorted(made.stages)[index]
        return replace(made, stages={**made.stages, name: other_weight(made.stages[name])})

    return forge


def without_stage(made: Artifact) -> Artifact:
    return replace(made, stages=dict(list(made.stages.items())[:-1]))


def cell(made: Artifact) -> Artifact:
    first, *others = made.program.images
    cells = first.cells.copy()
    cells[-1, -1] ^= 1  # the farthest from any weight
    images = (Image(first.core, first.macro, cells), *others)
    return replace(made, program=replace(made.program, images=images))


def instruction(change: Callable[[Instruction], Instruction]) -> Forgery:
    """Change the first instruction that can be changed so."""

    def forge(made: Artifact) -> Artifact:
        cores = [list(code) for code in made.program.cores]
        where = [(core, at) for core, code in enumerate(cores) for at in range(len(code))]
        core, at = next((c, i) for c, i in where if change(cores[c][i]) != cores[c][i])
        cores[core][at] = change(cores[core][at])
        program = replace(made.program, cores=tuple(tuple(code) for code in cores))
        return replace(made, program=program)

    return forge


def zero_point(it: Instruction) -> Instruction:
    return replace(it, zero=it.zero + 1) if isinstance(it, Quantize) else it


def no_relu(it: Instruction) -> Instruction:
    return replace(it, operation=UnaryOperation.ABS) if isinstance(it, Unary) else it


def no_waits(it: Instruction) -> Instruction:
    waits: Any = getattr(it, "wait", None)
    return replace(it, **{"wait": frozenset[Any]()}) if waits else it


def host_graph(made: Artifact) -> Artifact:
    model = onnx.load_from_string(made.program.host_graphs[0])
    node = next(node for node in model.graph.node if node.op_type == "Softmax")
    node.op_type = "LogSoftmax"
    graphs = (model.SerializeToString(deterministic=True), *made.program.host_graphs[1:])
    return replace(made, program=replace(made.program, host_graphs=graphs))


def other_target(path: str, value: float) -> Forgery:
    def forge(made: Artifact) -> Artifact:
        target = made.program.target.with_values({path: value})
        return replace(made, program=replace(made.program, target=target))

    return forge


def place(made: Artifact) -> Artifact:
    at, first = next(iter(made.places.items()))
    stream = replace(first.stream, base=first.stream.base + first.stream.dtype.itemsize)
    return replace(made, places={**made.places, at: replace(first, stream=stream)})


def vector(name: str) -> Forgery:
    def forge(made: Artifact) -> Artifact:
        array = made.vectors[name].copy()
        array.flat[-1] = np.nextafter(array.flat[-1], np.float32(9))
        return replace(made, vectors={**made.vectors, name: array})

    return forge


STAGES = (
    "00-before-canonicalize",
    "01-before-quantize",
    "02-before-place",
    "03-before-tile",
)
WEIGHTS: dict[str, tuple[str, Forgery]] = {
    f"weight of {name}": (stage_member(name), weight_of_stage(index))
    for index, name in enumerate(STAGES)
} | {"weight": ("network.onnx", weight_of_network)}
"""Changes of networks, with the member that is changed."""

FORGERIES: dict[str, tuple[str, Forgery]] = WEIGHTS | {
    "no last stage": (stage_member(STAGES[-1]), without_stage),
    "cell": ("cells.npz", cell),
    "zero point": ("program.bin", instruction(zero_point)),
    "operation": ("program.bin", instruction(no_relu)),
    "wait": ("program.bin", instruction(no_waits)),
    "host graph": ("host/0000.onnx", host_graph),
    "place": ("source_map.json", place),
    "target": ("manifest.json", other_target("macro.adc.bits", 9)),
    "price": ("manifest.json", other_target("energy.adc_conversion_joules", 1e-15)),
    "input name": ("manifest.json", leaf(name="y")),
    "count of samples": ("manifest.json", leaf(shape=(7, 3, 6, 6))),
    "argument": ("manifest.json", argument),
    "nested output": ("manifest.json", nested_output),
    "input type": ("manifest.json", leaf(dtype="float64")),
    "input shape": ("manifest.json", leaf(shape=(1, 3, 6, 7))),
    "passes": (
        "manifest.json",
        provenance(passes="canonicalize,quantize{weight_bits=4},place,tile"),
    ),
    "no pass": ("manifest.json", provenance(passes="canonicalize")),
    "unknown pass": ("manifest.json", provenance(passes="canonicalise,quantize,place,tile")),
    "calibration": ("manifest.json", provenance(calibration_samples=1)),
    "measured change": ("certificates.json", certificate(2, measured=1e-6)),
    "bound": ("certificates.json", certificate(1, bound=1.0)),
    "contract": ("certificates.json", certificate(3, contract=Contract.LOSSY)),
    "evidence": ("certificates.json", certificate(4, inputs="1000 calibration")),
    "words": ("certificates.json", certificate(4, detail="output `z` on calibration inputs")),
    "subject": ("certificates.json", certificate(0, subject="capturing")),
    "numbers of a proof": ("certificates.json", other_numbers(1)),
    "change of the capture": ("certificates.json", certificate(0, measured=10.0)),
    "bound of the capture": ("certificates.json", certificate(0, bound=20.0, measured=10.0)),
    "contract of the capture": ("certificates.json", certificate(0, contract=Contract.EXACT)),
    "failed proof": ("certificates.json", certificate(3, passed=False)),
    "proof of the program": ("certificates.json", certificate(5, measured=0.5)),
    "another network": ("certificates.json", certificate(5, about={"network.onnx": "0" * 64})),
    "no proof": ("certificates.json", without_certificate(2)),
    "input": ("vectors.npz", vector("input/0/x")),
    "input that is not run": ("vectors.npz", vector("input/3/x")),
    "output": ("vectors.npz", vector("output/1/y")),
    "cycles": ("report.json", number("time", "cycles", "value")),
    "cycles as a float": ("report.json", float_cycles),
    "energy": ("report.json", number("energy", "total", "value")),
    "operator": ("report.json", number("operators", "joules", "value")),
}
"""Changes of all that a file holds, with the member that is changed."""
