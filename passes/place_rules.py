"""Where each operator may run: one table, from which placement and `mcc ops` both read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import onnx_ir as ir

from mcc.ir.hardware import Target
from mcc.ir.network.operators import DOMAIN, Conv, IntegerConv, IntegerLinear, Linear
from mcc.ir.network.placement import Placement, Unit
from mcc.ir.network.values import dtype_of, static_shape
from mcc.passes import place_crossbar as crossbar
from mcc.passes import place_vector as vector
from mcc.passes.place_crossbar import Demand, sentence

Condition = Callable[[ir.Node], str | None]


@final
@dataclass(frozen=True)
class Rule:
    """The unit that takes an operator, and its conditions; the host takes what breaks one."""

    unit: Unit
    conditions: tuple[Condition, ...]


@final
@dataclass(frozen=True)
class OperatorRow:
    """One line of the table of `mcc ops`."""

    domain: str
    op_type: str
    unit: Unit
    conditions: tuple[str, ...]


_SHAPED = (vector.static_shapes, vector.some_elements)
_MOVED = (*_SHAPED, vector.movable_elements)


def _computed(*more: Condition) -> tuple[Condition, ...]:
    return (*_SHAPED, *more, vector.float32_operands)


_ARITHMETIC: dict[str, tuple[Condition, ...]] = {
    "Abs": (),
    "Add": (),
    "Ceil": (),
    "Clip": (vector.constant_parameters,),
    "Div": (),
    "Floor": (),
    "LeakyRelu": (),
    "Max": (vector.two_operands,),
    "MaxPool": (vector.values_only, vector.explicit_padding),
    "Min": (vector.two_operands,),
    "Mul": (),
    "Neg": (),
    "ReduceMax": (vector.trailing_axes,),
    "Relu": (),
    "Sqrt": (),
    "Sub": (),
}

_MOVEMENT: dict[str, tuple[Condition, ...]] = {
    "Concat": (),
    "Expand": (vector.constant_parameters,),
    "Pad": (vector.constant_parameters, vector.constant_border),
    "Resize": (vector.constant_parameters, vector.whole_nearest_factors),
    "Slice": (vector.constant_parameters, vector.forward_steps),
    "Split": (vector.constant_parameters,),
    "Transpose": (),
}

_ALIASES = ("Flatten", "Identity", "Reshape", "Squeeze", "Unsqueeze")

_OWN: dict[str, tuple[Condition, ...]] = {
    "Dequantize": _SHAPED,
    "Mean": _computed(),
    "Quantize": _SHAPED,
}

RULES: dict[tuple[str, str], Rule] = {
    **{("", op): Rule(Unit.VECTOR, _computed(*more)) for op, more in _ARITHMETIC.items()},
    **{("", op): Rule(Unit.VECTOR, (*_MOVED, *more)) for op, more in _MOVEMENT.items()},
    **{("", op): Rule(Unit.MEMORY, (*_SHAPED, vector.constant_parameters)) for op in _ALIASES},
    ("", "Constant"): Rule(Unit.MEMORY, ()),
    **{(DOMAIN, op): Rule(Unit.VECTOR, conditions) for op, conditions in _OWN.items()},
}
"""Everything but contractions, by domain and operator."""

MOVEMENTS = frozenset(_MOVEMENT)
"""Operators that only move elements."""


def decide(node: ir.Node, target: Target | None = None) -> Placement:
    """Place one node by itself, without looking at its neighbours.

    Args:
        node: A node of a quantized network.
        target: Where it is known, the use of its cells is measured.
    """
    if crossbar.is_contraction(node):
        return _place_contraction(node, target)
    rule = RULES.get((node.domain, node.op_type))
    name = f"{node.domain}.{node.op_type}" if node.domain else node.op_type
    if rule is None:
        return Placement(
            Unit.HOST, f"{name} is not among the vector unit's exact operations.", _about(node)
        )
    for condition in rule.conditions:
        measured = condition(node)
        if measured is not None:
            return Placement(Unit.HOST, sentence(condition), measured)
    return Placement(rule.unit, _reason(name, node.op_type, rule.unit), _about(node))


def operator_rows() -> list[OperatorRow]:
    """Return the table of operators with the sentences of their conditions, sorted."""
    conditions = tuple(sentence(condition) for condition in crossbar.CONDITIONS)
    contractions = [
        OperatorRow(DOMAIN, kind.OP_TYPE, Unit.CROSSBAR, conditions) for kind in (Conv, Linear)
    ]
    others = [
        OperatorRow(domain, op, rule.unit, tuple(sentence(item) for item in rule.conditions))
        for (domain, op), rule in RULES.items()
    ]
    return sorted([*contractions, *others], key=lambda row: (row.domain, row.op_type))


def _place_contraction(node: ir.Node, target: Target | None) -> Placement:
    for kind in (IntegerLinear, IntegerConv):
        if kind.matches(node):
            bits = kind.of(node).weight_bits
            return crossbar.accepted(node, Demand(weight_bits=bits, target=target))
    refused = crossbar.refusal(node, Demand())
    return refused or Placement(
        Unit.HOST, "A contraction must be quantized to run on a crossbar.", "float32"
    )


def _reason(name: str, op_type: str, unit: Unit) -> str:
    if op_type == "Constant":
        return "A constant of the network."
    if unit is Unit.MEMORY:
        return f"{name} gives the same bytes another shape."
    if op_type in MOVEMENTS:
        return f"{name} only moves elements."
    return f"{name} is among the vector unit's exact operations."


def _about(node: ir.Node) -> str:
    if not node.outputs:
        return ""
    result = node.outputs[0]
    shape = static_shape(result)
    kind = dtype_of(result).name.lower() if result.dtype is not None else "of unknown type"
    return f"{kind} {'x'.join(str(dim) for dim in shape)}" if shape else kind
