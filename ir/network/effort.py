"""How much arithmetic a node is: an estimate, for the host, which no clock counts."""

from __future__ import annotations

import math

import onnx_ir as ir

from mcc.ir.network.values import static_shape


def operations(node: ir.Node) -> int:
    """Estimate the arithmetic operations of a node from its shapes."""
    result = sum(math.prod(static_shape(value) or ()) for value in node.outputs)
    shapes = [static_shape(value) or () if value is not None else () for value in node.inputs]
    match node.op_type:
        case "MatMul" | "Gemm" | "Linear" | "IntegerLinear" | "MatMulInteger":
            return 2 * result * (shapes[0][-1] if shapes[0] else 1)
        case "Conv" | "IntegerConv" | "ConvInteger":
            return 2 * result * math.prod(shapes[1][1:])
        case "ConvTranspose":
            return 2 * math.prod(shapes[0]) * math.prod(shapes[1][1:])
        case "LSTM" | "GRU" | "RNN":
            steps = math.prod(shapes[0][:-1])
            return 2 * steps * (math.prod(shapes[1][1:]) + math.prod(shapes[2][1:]))
        case _:
            return result
