"""The operators of the `mcc` domain: one file each, one table of all."""

from __future__ import annotations

import onnx
import onnx.parser
import onnx_ir as ir

from mcc.ir.network.operators.base import DOMAIN, Operator
from mcc.ir.network.operators.conv import Conv
from mcc.ir.network.operators.dequantize import Dequantize
from mcc.ir.network.operators.integer_conv import IntegerConv
from mcc.ir.network.operators.integer_linear import IntegerLinear
from mcc.ir.network.operators.linear import Linear
from mcc.ir.network.operators.mean import Mean
from mcc.ir.network.operators.quantize import Quantize, code_range
from mcc.ir.network.operators.windows import Window

__all__ = [
    "DOMAIN",
    "DOMAIN_VERSION",
    "OPERATORS",
    "Conv",
    "Dequantize",
    "IntegerConv",
    "IntegerLinear",
    "Linear",
    "Mean",
    "Operator",
    "Quantize",
    "Window",
    "attach_functions",
    "code_range",
    "view_of",
]

DOMAIN_VERSION = 1

OPERATORS: dict[str, type[Operator]] = {
    operator.OP_TYPE: operator
    for operator in (Conv, Dequantize, IntegerConv, IntegerLinear, Linear, Mean, Quantize)
}

_OVERLOADS_NEED_IR_VERSION = 10


def view_of(node: ir.Node) -> Operator | None:
    """View `node` as the operator of the `mcc` domain that it is, or return None."""
    if node.domain != DOMAIN or node.op_type not in OPERATORS:
        return None
    return OPERATORS[node.op_type].of(node)


def attach_functions(network: ir.Model) -> ir.Model:
    """Attach the meaning of every `mcc` operator in use, so that the network runs as it is.

    Changes `network` and returns it. Functions no longer in use are removed.
    """
    used = {
        (node.op_type, node.overload)
        for node in network.graph.all_nodes()
        if node.domain == DOMAIN and node.op_type in OPERATORS
    }
    for key in [key for key in network.functions if key[0] == DOMAIN and key[1] in OPERATORS]:
        del network.functions[key]
    opset = network.graph.opset_imports.get("", 20)
    for op_type, overload in sorted(used):
        function = _function(op_type, overload, opset)
        network.functions[function.identifier()] = function
    if used:
        network.graph.opset_imports[DOMAIN] = DOMAIN_VERSION
        network.ir_version = max(network.ir_version, _OVERLOADS_NEED_IR_VERSION)
    return network


def _function(op_type: str, overload: str, opset: int) -> ir.Function:
    text = OPERATORS[op_type].FUNCTIONS[overload]
    head = f'<domain: "{DOMAIN}", overload: "{overload}", opset_import: ["" : {opset}]>'
    return ir.from_proto(onnx.parser.parse_function(f"{head}\n{text}"))
