"""A signature must say of a network what the network knows: names, types, shapes, nesting."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mcc.cli.proofs.signature import fits
from mcc.ir.network import Network, from_text
from mcc.ir.signature import Parameter, Signature
from mcc.ir.structure import Group, GroupKind, Leaf, Structure


def network() -> Network:
    return from_text(
        """<ir_version: 10, opset_import: ["" : 20]>
        g (float[1,3] "pair.left", float[1,3] "pair.right")
            => (float[1,3] sum, float[1,3] "output.1") {
            sum = Add ("pair.left", "pair.right")
            "output.1" = Sub ("pair.left", "pair.right")
        }"""
    )


def leaf(name: str) -> Leaf:
    return Leaf(name, "float32", (1, 3))


def pair(*keys: str) -> Structure:
    return Group(GroupKind.DICT, (leaf("pair.left"), leaf("pair.right")), keys)


def results(*keys: str | int) -> Structure:
    return Group(GroupKind.DICT, (leaf("sum"), leaf("output.1")), keys)


RIGHT = Signature((Parameter("pair", pair("left", "right")),), results("sum", 1), samples=True)
WRONG = {
    "keys that are swapped": replace(RIGHT, outputs=results(1, "sum")),
    "a key that is renamed": replace(RIGHT, outputs=results("total", 1)),
    "arguments that are swapped": replace(
        RIGHT, parameters=(Parameter("pair", pair("right", "left")),)
    ),
    "another argument": replace(RIGHT, parameters=(Parameter("two", pair("left", "right")),)),
    "an output less": replace(RIGHT, outputs=leaf("sum")),
    "no keys": replace(RIGHT, outputs=Group(GroupKind.TUPLE, (leaf("sum"), leaf("output.1")))),
}


def test_a_signature_that_fits() -> None:
    assert fits(RIGHT, network())
    assert fits(replace(RIGHT, samples=False), network())


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_a_signature_that_does_not(wrong: Signature) -> None:
    assert not fits(wrong, network())


def test_a_network_of_two_samples_is_not_one_of_single_samples() -> None:
    two = from_text(
        """<ir_version: 10, opset_import: ["" : 20]>
        g (float[2,3] x) => (float[2,3] y) { y = Relu (x) }"""
    )
    x, y = (Leaf(name, "float32", (2, 3)) for name in "xy")
    signature = Signature((Parameter("x", x),), y, samples=False)
    assert fits(signature, two)
    assert not fits(replace(signature, samples=True), two)
