"""Canonical networks compute the same: random networks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcc.frontend import capture
from mcc.ir.network import (
    Network,
    from_text,
    shape_of,
    to_bytes,
)
from mcc.passes import PassContext, run_pipeline
from mcc.passes.canonicalize import Canonicalize
from tests.canonical_networks import canonical, constant, model

MNIST = Path(__file__).parents[3] / "shared" / "data" / "models" / "mnist.onnx"


@dataclass
class Growing:
    """A chain of operators on a value (1, channels, length), written as text."""

    seed: int
    channels: int = 4
    length: int = 8
    lines: list[str] = field(default_factory=list[str])
    constants: list[str] = field(default_factory=list[str])

    def constant(self, *shape: int) -> str:
        self.seed += 1
        name = f"c{self.seed}"
        self.constants.append(constant(name, *shape, seed=self.seed))
        return name

    def step(self, text: str, before: str = "") -> None:
        """Add an operator; `$` is the result of the one before."""
        source = self.last
        self.lines.append(f"{before} v{len(self.lines) + 1} = {text.replace('$', source)}")

    @property
    def last(self) -> str:
        return f"v{len(self.lines)}"


def conv(net: Growing, group: int) -> None:
    weight = net.constant(4, net.channels // group, 3)
    net.step(f"Conv<pads=[1,1], group={group}>($, {weight})")
    net.channels = 4


def norm(net: Growing) -> None:
    scale, offset, mean = (net.constant(net.channels) for _ in range(3))
    name = f"q{net.seed}"
    net.constants.append(f"float[{net.channels}] {name} = {{{','.join(['1.5'] * net.channels)}}}")
    net.step(f"BatchNormalization($, {scale}, {offset}, {mean}, {name})")


def right(net: Growing) -> None:
    net.step(f"MatMul($, {net.constant(net.length, 5)})")
    net.length = 5


def left(net: Growing) -> None:
    net.step(f"MatMul({net.constant(4, net.channels)}, $)")
    net.channels = 4


def offset(net: Growing) -> None:
    net.step(f"Add($, {net.constant(net.channels, 1)})")


def factor(net: Growing) -> None:
    net.step(f"Mul({net.constant(net.length)}, $)")


def pool(net: Growing) -> None:
    if net.length >= 4:
        net.step("AveragePool<kernel_shape=[3], pads=[1,1], strides=[2]>($)")
        net.length = (net.length - 1) // 2 + 1


def einsum(net: Growing) -> None:
    net.step(f'Einsum<equation="bct,oc->bot">($, {net.constant(6, net.channels)})')
    net.channels = 6


def activation(net: Growing) -> None:
    net.step("Relu($)")


def dropout(net: Growing) -> None:
    net.step("Dropout($)")


def residual(net: Growing) -> None:
    net.step("Add($, r$)", f"r{net.last} = Sigmoid({net.last})")


def mean(net: Growing) -> None:
    net.step("GlobalAveragePool($)")
    net.length = 1


def computed(net: Growing) -> None:
    name = net.constant(net.channels, 1)
    net.step(f"Mul($, e{name})", f"e{name} = Exp({name})")


STEPS: list[Callable[[Growing], None]] = [
    lambda net: conv(net, 1),
    lambda net: conv(net, 2),
    norm,
    right,
    left,
    offset,
    factor,
    pool,
    einsum,
    activation,
    dropout,
    residual,
    mean,
    computed,
]


@given(
    steps=st.lists(st.sampled_from(STEPS), min_size=1, max_size=7),
    seed=st.integers(0, 1000),
)
@settings(max_examples=60, deadline=None, derandomize=True)
def test_random_networks_stay_what_they_are(
    steps: list[Callable[[Growing], None]], seed: int
) -> None:
    net = Growing(seed * 100)
    for step in steps:
        step(net)
    constants = ", ".join([*net.constants, "float unused = {0}"])
    output = f"float[1,{net.channels},{net.length}] {net.last}"
    if not net.lines:
        return
    network, _ = canonical(model("float[1,4,8] v0", output, constants, " ".join(net.lines)))
    assert shape_of(network.graph.outputs[0]) == (1, net.channels, net.length)
    contractions = {"Conv", "MatMul", "Einsum", "BatchNormalization", "Exp", "Dropout"}
    assert not [
        node.op_type for node in network.graph if node.domain == "" and node.op_type in contractions
    ]
    again = canonical(captured(network))[0]
    assert [node.op_type for node in again.graph] == [node.op_type for node in network.graph]


def captured(network: Network) -> Network:
    """Return a captured copy of a canonical network."""
    copy = network.clone()
    copy.metadata_props.clear()
    return copy


NORMED = f"""<ir_version: 10, opset_import: ["" : 20]>
g (float[1,4,8] x) => (float[1,4,6] y) <{constant("w", 4, 4, 3)}, {constant("s", 4, seed=1)},
{constant("m", 4, seed=2)}, float[4] q = {{1,2,3,0.5}}> {{
    c = Conv(x, w) y = BatchNormalization(c, s, s, m, q) }}"""


def test_the_result_is_the_same_bytes_each_time() -> None:
    assert len({to_bytes(canonical(from_text(NORMED))[0]) for _ in range(2)}) == 1


@pytest.mark.skipif(not MNIST.exists(), reason=f"{MNIST} is not here")
def test_mnist_becomes_canonical() -> None:
    network = capture(MNIST).network
    feeds = {"Input3": np.random.default_rng(0).uniform(0, 255, (1, 1, 28, 28)).astype(np.float32)}
    outcome = run_pipeline(network, [Canonicalize()], PassContext(calibration=(feeds,)))
    assert [node.op_type for node in outcome.network.graph] == [
        "Conv",
        "Relu",
        "MaxPool",
        "Conv",
        "Relu",
        "MaxPool",
        "Reshape",
        "Linear",
    ]
    assert outcome.certificates[0].passed
