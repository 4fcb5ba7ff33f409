"""Fused elementwise nodes: a strip of a result goes through all of them in local memory."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

import onnx_ir as ir

from mcc.backends.crossbar.operands import load, place, ranked, spread, store, value_dims
from mcc.backends.crossbar.strips import Run
from mcc.backends.crossbar.types import dtype_of_value
from mcc.backends.crossbar.views import View
from mcc.backends.crossbar.writer import Local, Writer, joined
from mcc.ir.network.operators import Dequantize as DequantizeNode
from mcc.ir.network.operators import Quantize as QuantizeNode
from mcc.ir.network.values import constant_of, shape_of
from mcc.ir.program import Stream
from mcc.ir.program.instructions import (
    Binary,
    BinaryOperation,
    Dequantize,
    Quantize,
    Unary,
    UnaryOperation,
)

BINARY = {
    "Add": BinaryOperation.ADD,
    "Div": BinaryOperation.DIV,
    "Max": BinaryOperation.MAX,
    "Min": BinaryOperation.MIN,
    "Mul": BinaryOperation.MUL,
    "Sub": BinaryOperation.SUB,
}
UNARY = {
    "Abs": UnaryOperation.ABS,
    "Ceil": UnaryOperation.CEIL,
    "Clip": UnaryOperation.CLIP,
    "Floor": UnaryOperation.FLOOR,
    "LeakyRelu": UnaryOperation.LEAKY_RELU,
    "Neg": UnaryOperation.NEG,
    "Relu": UnaryOperation.RELU,
    "Sqrt": UnaryOperation.SQRT,
}


def is_elementwise(node: ir.Node) -> bool:
    """Whether the vector unit makes every element of the result from those at its place."""
    if node.domain:
        return QuantizeNode.matches(node) or DequantizeNode.matches(node)
    return node.op_type in BINARY or node.op_type in UNARY


def operands(node: ir.Node) -> tuple[ir.Value, ...]:
    """Return the values that an elementwise node reads as tensors."""
    count = 1 if not node.domain and node.op_type in UNARY else len(node.inputs)
    return tuple(value for value in node.inputs[:count] if value is not None)


@final
@dataclass(frozen=True, slots=True)
class Group:
    """Elementwise nodes on one result shape, in order, and which of their values are stored."""

    given: tuple[ir.Value, ...]
    """What is in local memory before the first node."""
    nodes: tuple[ir.Node, ...]
    stores: tuple[tuple[ir.Value, View], ...]
    views: Mapping[ir.Value, View]

    def hoist(self, writer: Writer, dims: tuple[tuple[Run, ...], ...]) -> dict[ir.Value, Local]:
        """Load what is the same for all strips, before the first one."""
        made = {*self.given, *(value for node in self.nodes for value in node.outputs)}
        fixed = [len(runs) == 1 and runs[0].trips == 1 for runs in dims]
        writer.runs = tuple(runs[0] for runs in dims)
        found: dict[ir.Value, Local] = {}
        for node in self.nodes:
            writer.node = node.name or ""
            for value in operands(node):
                view = self.views.get(value)
                if value in found or value in made or view is None:
                    continue
                sizes = ranked(view, len(dims)).shape
                if all(size == 1 or same for size, same in zip(sizes, fixed, strict=True)):
                    found[value] = load(writer, value.name, view)
        return found

    def write(self, writer: Writer, known: Mapping[ir.Value, Local]) -> None:
        """Compute and store the current strip; `known` is what is already in local memory."""
        values = dict(known)
        wanted = dict(self.stores)
        for value in [value for value in values if value in wanted]:
            store(writer, values[value], wanted[value])
        for node in self.nodes:
            writer.node = node.name or ""
            for value in operands(node):
                if value not in values:
                    values[value] = load(writer, value.name, self.views[value])
            output = node.outputs[0]
            values[output] = compute(writer, node, [values[value] for value in operands(node)])
            if output in wanted:
                store(writer, values[output], wanted[output])


def compute(writer: Writer, node: ir.Node, sources: list[Local]) -> Local:
    """Write the instruction of one node on the current strip."""
    output = node.outputs[0]
    counts = tuple(run.count for run in writer.runs)
    result = writer.buffer(output.name, dtype_of_value(output), counts)
    shown = node.inputs[0] if DequantizeNode.matches(node) else output
    assert shown is not None
    dtype = dtype_of_value(shown)
    dims = joined(
        result.dims,
        value_dims(writer, shape_of(shown), dtype.itemsize),
        *(spread(source, counts) for source in sources),
    )
    into = Stream(result.dtype, result.base, dims[0])
    streams = [
        Stream(source.dtype, source.base, walk)
        for source, walk in zip(sources, dims[2:], strict=True)
    ]
    if not node.domain:
        writer.emit(_standard(node, into, streams), result, *sources)
        return result
    seen = place(writer, shown.name or "", shape_of(shown), dtype, dims[1])
    if DequantizeNode.matches(node):
        bias = streams[2] if len(streams) > 2 else None
        made = Dequantize(into, streams[0], streams[1], bias)
    else:
        view = QuantizeNode.of(node)
        made = Quantize(into, *streams, zero=view.zero_point, low=view.low, high=view.high)
    writer.emit(made, result, *sources, place=seen)
    return result


def _standard(node: ir.Node, result: Stream, sources: list[Stream]) -> Binary | Unary:
    if node.op_type in BINARY:
        return Binary(BINARY[node.op_type], result, *sources)
    operation, source = UNARY[node.op_type], sources[0]
    if operation is UnaryOperation.LEAKY_RELU:
        return Unary(operation, result, source, a=node.attributes.get_float("alpha", 0.01))
    if operation is UnaryOperation.CLIP:
        return Unary(operation, result, source, a=_limit(node, 1), b=_limit(node, 2))
    return Unary(operation, result, source)


def _limit(node: ir.Node, index: int) -> float:
    """Return a limit of `Clip`; one that is not given limits nothing."""
    value = node.inputs[index] if len(node.inputs) > index else None
    if value is None:
        return -math.inf if index == 1 else math.inf
    found = constant_of(value)
    assert found is not None, f"{node.name}: a limit is computed"
    return float(found)
