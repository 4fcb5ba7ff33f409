"""Small networks as text, and their canonical form."""

from __future__ import annotations

import numpy as np

from mcc.ir.diagnostics import Diagnostic
from mcc.ir.network import Network, from_text, shape_of
from mcc.passes import PassContext, run_pipeline
from mcc.passes.canonicalize import Canonicalize


def numbers(count: int, seed: int = 0) -> str:
    drawn = np.random.default_rng(seed).normal(size=count).astype(np.float32)
    return ",".join(repr(float(number)) for number in drawn)


def model(inputs: str, output: str, constants: str, body: str, opset: int = 20) -> Network:
    return from_text(
        f"""<ir_version: 10, opset_import: ["" : {opset}]>
        g ({inputs}) => ({output}) <{constants}> {{ {body} }}"""
    )


def constant(name: str, *shape: int, seed: int = 0) -> str:
    dims = f"[{','.join(str(extent) for extent in shape)}]" if shape else ""
    return f"float{dims} {name} = {{{numbers(int(np.prod(shape)), seed)}}}"


def canonical(network: Network) -> tuple[Network, list[Diagnostic]]:
    """Canonicalize, prove it, and demand that it holds in float64."""
    generator = np.random.default_rng(1)
    feeds = {
        value.name or "": generator.normal(size=shape_of(value)).astype(np.float32)
        for value in network.graph.inputs
    }
    context = PassContext(calibration=(feeds,))
    outcome = run_pipeline(network, [Canonicalize()], context)
    assert "in float64" in outcome.certificates[0].detail
    return outcome.network, context.findings


def operators(network: Network) -> list[str]:
    return [node.op_type for node in network.graph]


def kinds(*words: str) -> list[str]:
    return " ".join(words).split()
