"""Typed reading of the attributes of standard operators."""

from __future__ import annotations

import onnx_ir as ir


def integer(node: ir.Node, name: str, default: int) -> int:
    """Return an integer attribute."""
    found = node.attributes.get(name)
    return default if found is None else found.as_int()


def integers(node: ir.Node, name: str, default: tuple[int, ...]) -> tuple[int, ...]:
    """Return a list of integers."""
    found = node.attributes.get(name)
    return default if found is None else tuple(found.as_ints())


def real(node: ir.Node, name: str, default: float) -> float:
    """Return a float attribute."""
    found = node.attributes.get(name)
    return default if found is None else found.as_float()


def text(node: ir.Node, name: str, default: str) -> str:
    """Return a string attribute."""
    found = node.attributes.get(name)
    return default if found is None else found.as_string()


def operand(node: ir.Node, index: int) -> ir.Value | None:
    """Return an input, or None where it is left out."""
    return node.inputs[index] if index < len(node.inputs) else None


def required(node: ir.Node, index: int) -> ir.Value:
    """Return an input that the standard requires."""
    value = operand(node, index)
    assert value is not None, f"{node.name} has no input {index}"
    return value


def is_standard(node: ir.Node, *op_types: str) -> bool:
    """Whether `node` is one of these operators of the standard."""
    return node.domain == "" and node.op_type in op_types


def only_user(value: ir.Value) -> bool:
    """Whether exactly one node, and no output of the network, reads `value`."""
    return len(value.uses()) == 1 and not value.is_graph_output()
