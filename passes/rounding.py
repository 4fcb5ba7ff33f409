"""How far apart two float evaluations of the same real function may be."""

from __future__ import annotations

import math

import onnx_ir as ir

from mcc.ir.network import Network, static_shape
from mcc.passes.attributes import operand

_UNIT = 2.0**-24
"""Half a unit in the last place of float32: the relative error of one rounding."""
_STEPS = 4
"""Roundings of an operator that sums nothing up."""
_AMPLIFICATION = 16
"""How much one operator may amplify a relative error, against the largest magnitude."""


def float32_bound(before: Network, after: Network) -> float:
    """Bound the error of both networks in float32, relative to the largest output.

    A sum of n products has a relative error of at most n roundings against the sum of
    magnitudes, whatever its order. Along the path that sums most, these add up; both networks
    contribute.
    """
    return _UNIT * (_longest_path(before, True) + _longest_path(after, True))


def float64_bound(before: Network, after: Network) -> float:
    """Bound the error in float64, relative to the largest output.

    There the arithmetic does not count; what is left is one float32 rounding for each folded
    constant, and one for each operator that runs in float32 all the same.
    """
    nodes = max(_longest_path(before, False), _longest_path(after, False))
    return _UNIT * _AMPLIFICATION * nodes


def _longest_path(network: Network, count_sums: bool) -> float:
    depth: dict[ir.Value, float] = {}
    for node in network.graph:
        cost = (_STEPS + _summed(node)) if count_sums else 1
        start = max((depth.get(value, 0.0) for value in node.inputs if value), default=0.0)
        for value in node.outputs:
            depth[value] = start + cost
    return max(depth.values(), default=1.0)


def _summed(node: ir.Node) -> int:
    """Return how many terms an operator adds up for one element of its result."""
    x, weight = (static_shape(operand(node, index)) or () for index in (0, 1))
    match node.op_type:
        case "Linear" | "MatMul" | "Mean":
            return x[-1] if x else 0
        case "Conv" | "ConvTranspose":
            return math.prod(weight[1:]) if weight else 0
        case "Gemm" | "LayerNormalization" | "RMSNormalization" | "Attention" | "Softmax":
            return max(x, default=0)
        case "Einsum" | "GlobalAveragePool" | "ReduceMean" | "ReduceSum" | "AveragePool":
            result = static_shape(node.outputs[0]) or ()
            return max(1, math.prod(x) // max(1, math.prod(result))) if x else 0
        case _:
            return 0
