"""Every kind of contraction, as a program, equals the reference bit for bit."""

from __future__ import annotations

from typing import Any

import pytest

from mcc.ir.hardware import Target
from mcc.ir.network import Network
from tests.canonical_networks import constant, model
from tests.mapped_networks import assert_exact, chip

TINY: dict[str, Any] = {"core__memory__bytes": 4096, "core__macros": 3}
TARGETS = [
    pytest.param(chip(), "", id="rram40nm"),
    pytest.param(chip("isaac"), "granularity=token", id="isaac"),
    pytest.param(chip(**TINY), "weight_bits=4,activation_bits=5", id="little memory"),
]


def convolution(x: str, y: str, weight: str, attributes: str) -> Network:
    dims = [int(size) for size in weight.split(",")]
    return model(
        f"float[{x}] x",
        f"float[{y}] y",
        f"{constant('w', *dims)}, {constant('b', dims[0], seed=1)}",
        f"c = Conv<{attributes}>(x, w, b) y = Relu(c)",
    )


CONVOLUTIONS = {
    "plain": ("1,3,9,8", "1,5,7,6", "5,3,3,3", "group=1"),
    "padded": ("1,3,9,8", "1,5,9,8", "5,3,3,3", "pads=[1,1,1,1]"),
    "strided, asymmetric": ("1,3,11,9", "1,5,6,5", "5,3,3,2", "pads=[0,1,2,0],strides=[2,2]"),
    "dilated": ("1,4,12,12", "1,6,12,12", "6,4,3,3", "pads=[2,2,2,2],dilations=[2,2]"),
    "grouped": ("1,8,7,7", "1,12,7,7", "12,2,3,3", "pads=[1,1,1,1],group=4"),
    "depthwise": ("1,8,7,7", "1,8,4,4", "8,1,3,3", "pads=[1,1,1,1],group=8,strides=[2,2]"),
    "one dimension": ("1,4,30", "1,6,15", "6,4,5", "pads=[2,2],strides=[2]"),
    "three dimensions": ("1,2,5,6,7", "1,4,5,6,7", "4,2,3,3,3", "pads=[1,1,1,1,1,1]"),
    "all padding": ("1,2,3,3", "1,3,9,9", "3,2,1,1", "pads=[3,3,3,3]"),
    "several tiles": ("1,70,6,6", "1,40,6,6", "40,70,3,3", "pads=[1,1,1,1]"),
}


@pytest.mark.parametrize(("target", "options"), TARGETS)
@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_convolutions(name: str, target: Target, options: str) -> None:
    assert_exact(convolution(*CONVOLUTIONS[name]), target, options)


@pytest.mark.parametrize(("target", "options"), TARGETS)
@pytest.mark.parametrize("leading", ["", "1,", "1,5,", "2,3,4,"])
def test_linear_layers(leading: str, target: Target, options: str) -> None:
    network = model(
        f"float[{leading}20] x",
        f"float[{leading}7] y",
        f"{constant('w', 20, 40)}, {constant('b', 40)}, {constant('v', 40, 7, seed=2)}",
        "h = MatMul(x, w) a = Add(h, b) r = Relu(a) y = MatMul(r, v)",
    )
    assert_exact(network, target, options)


def test_what_follows_a_contraction_is_fused_and_codes_travel() -> None:
    network = model(
        "float[1,4,8,8] x",
        "float[1,4,8,8] y",
        f"{constant('w', 4, 4, 3, 3)}, {constant('v', 4, 4, 3, 3, seed=4)}",
        """a = Conv<pads=[1,1,1,1]>(x, w) r = Relu(a) b = Conv<pads=[1,1,1,1]>(r, v)
        s = Add(b, x) y = Relu(s)""",
    )
    made = assert_exact(network, chip())
    kinds = [(kernel.kind, len(kernel.nodes)) for kernel in made.kernels]
    assert kinds == [("elementwise", 1), ("IntegerConv", 4), ("IntegerConv", 4)]
    floats = 4 * 8 * 8 * 4
    assert made.program.buffer_bytes < 3 * floats + 2048


def test_a_scale_of_its_own_for_every_token_is_fused_too() -> None:
    network = model(
        "float[1,5,16] x",
        "float[1,5,9] y",
        constant("w", 16, 9),
        "y = MatMul(x, w)",
    )
    made = assert_exact(network, chip(), "granularity=token")
    last = made.kernels[-1]
    assert last.kind == "IntegerLinear"
    assert len(last.nodes) == 3


def test_code_grows_with_layers_not_with_pixels() -> None:
    def length(size: int) -> int:
        shape = f"1,3,{size},{size}"
        network = convolution(shape, shape.replace("3", "5", 1), "5,3,3,3", "pads=[1,1,1,1]")
        made = assert_exact(network, chip(**TINY))
        return sum(map(len, made.program.cores))

    assert length(256) < 2 * length(64)
