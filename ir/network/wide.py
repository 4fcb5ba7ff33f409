"""A network in float64, to tell a wrong rewrite from the rounding of float32."""

from __future__ import annotations

import itertools
from typing import final

import numpy as np
import onnx_ir as ir

from mcc.ir.network.editor import Editor
from mcc.ir.network.operators import Conv, Linear, Mean, Window, view_of
from mcc.ir.network.shapes import infer_network
from mcc.ir.network.stage import Stage, set_stage
from mcc.ir.network.values import Array, constant_of, shape_of, static_shape

_WIDE = frozenset(
    """Abs Add And ArgMax ArgMin Attention BatchNormalization Cast Ceil Clip Concat Cos CumSum
    DepthToSpace Div Einsum Equal Exp Expand Flatten Floor Gather GatherElements GatherND Gemm
    Greater GreaterOrEqual GroupNormalization Identity IsNaN LayerNormalization Less LessOrEqual
    Log LogSoftmax MatMul Max MaxPool Min Mul Neg Not Or Pad Pow RMSNormalization Reciprocal
    ReduceL2 ReduceMax ReduceMean ReduceSum ReduceSumSquare Relu Reshape Round ScatterND Shape
    Sigmoid Sign Sin Slice Softmax SpaceToDepth Split Sqrt Squeeze Sub Sum Tanh Tile TopK
    Transpose Trilu Unsqueeze Where""".split()
)
"""Operators of the standard for which ONNX Runtime has float64 kernels (as of 1.32)."""

_BYTES_LIMIT = 2**30
_TAPS_LIMIT = 256
_BLOCK_BYTES = 2**24
"""How much of a shifted input is laid out at once."""
_OPSET = 18
"""The oldest version of the standard whose operators are written here."""


def widen(network: ir.Model) -> ir.Model | None:
    """Return `network` with its float32 arithmetic in float64, or None where that is not possible.

    It takes the same inputs; its float outputs are float64. Convolutions become sums of matrix
    products; other operators without a float64 kernel stay in float32, between casts.
    """
    if not _possible(network):
        return None
    copy = set_stage(infer_network(network.clone()), Stage.CAPTURED)
    widener = _Widener(copy.graph)
    for node in list(copy.graph):
        widener.rewrite(node)
    widener.widen_outputs()
    return copy


def _possible(network: ir.Model) -> bool:
    if network.graph.opset_imports.get("", 0) < _OPSET:
        return False
    constants = [value.const_value for value in network.graph.initializers.values()]
    if sum(tensor.nbytes for tensor in constants if tensor is not None) > _BYTES_LIMIT:
        return False
    return not any(_keeps_its_type(node) for node in network.graph)


def _keeps_its_type(node: ir.Node) -> bool:
    """Whether `node` has a body, or computes in half precision."""
    regions = (ir.AttributeType.GRAPH, ir.AttributeType.GRAPHS)
    half = (ir.DataType.FLOAT16, ir.DataType.BFLOAT16)
    return any(item.type in regions for item in node.attributes.values()) or any(
        value.dtype in half for value in node.outputs
    )


@final
class _Widener:
    """Replaces every float32 value by a float64 one, node by node in order."""

    def __init__(self, graph: ir.Graph) -> None:
        self.graph = graph
        self.edit = Editor(graph)
        self.twins: dict[ir.Value, ir.Value] = {}
        """The float64 form of values that are still float32."""
        self.wide: set[ir.Value] = set()
        """Values that have become float64."""
        self.integers: dict[tuple[int, ...], ir.Value] = {}

    def rewrite(self, node: ir.Node) -> None:
        """Give the float outputs of `node` their twins, computed in float64 where possible."""
        view = view_of(node)
        if isinstance(view, Linear):
            self._linear(node, view)
        elif isinstance(view, Conv):
            self._conv(node, view.x, view.weight, view.bias, view.window, view.group)
        elif isinstance(view, Mean):
            self._mean(node, view.x, [-1], keep=False)
        elif node.domain != "":
            self._narrow(node)
        elif node.op_type == "GlobalAveragePool":
            axes = list(range(2, len(shape_of(_input(node, 0)))))
            self._mean(node, _input(node, 0), axes, keep=True)
        elif node.op_type == "Conv" and _explicit(node):
            self._standard_conv(node)
        elif node.op_type in _WIDE:
            self._in_place(node)
        else:
            self._narrow(node)

    def widen_outputs(self) -> None:
        """Return the twins instead of the float32 outputs, under the same names."""
        for index, value in enumerate(self.graph.outputs):
            twin = self.twins.get(value)
            if twin is not None and not twin.is_graph_output():
                name, value.name = value.name, f"{value.name}/float32"
                twin.name = name
                self.graph.outputs[index] = twin

    def _wide(self, value: ir.Value, node: ir.Node) -> ir.Value:
        """Return `value` in float64, for use by `node`."""
        if value in self.wide:
            return value
        if value not in self.twins:
            constant = constant_of(value)
            self.twins[value] = (
                self._cast(value, ir.DataType.DOUBLE, node)
                if constant is None
                else self._constant(constant)
            )
        return self.twins[value]

    def _constant(self, array: Array) -> ir.Value:
        return self.edit.constant(array.astype(np.float64), "wide")

    def _cast(self, value: ir.Value, dtype: ir.DataType, node: ir.Node) -> ir.Value:
        return self.edit.standard("Cast", [value], {"to": int(dtype)}, before=node, name="cast")

    def _in_place(self, node: ir.Node) -> None:
        """Let a standard operator read and write float64."""
        for index, value in enumerate(node.inputs):
            if value is not None and value.dtype == ir.DataType.FLOAT:
                node.replace_input_with(index, self._wide(value, node))
        to = node.attributes.get("to")
        if node.op_type == "Cast" and to is not None and to.as_int() == ir.DataType.FLOAT:
            node.attributes.add(ir.AttrInt64("to", int(ir.DataType.DOUBLE)))
        for value in node.outputs:
            if value.dtype == ir.DataType.FLOAT:
                value.type = ir.TensorType(ir.DataType.DOUBLE)
                self.wide.add(value)

    def _narrow(self, node: ir.Node) -> None:
        """Leave an operator in float32: round its inputs, widen its outputs."""
        for index, value in enumerate(node.inputs):
            if value is not None and value in self.wide:
                node.replace_input_with(index, self._cast(value, ir.DataType.FLOAT, node))
        for value in node.outputs:
            if value.dtype == ir.DataType.FLOAT:
                self._widen_after(value, node)

    def _widen_after(self, value: ir.Value, node: ir.Node) -> None:
        twin = ir.Value(
            name=f"{value.name}/wide", type=ir.TensorType(ir.DataType.DOUBLE), shape=value.shape
        )
        to = {"to": int(ir.DataType.DOUBLE)}
        self.graph.insert_after(node, ir.node("Cast", [value], to, outputs=[twin]))
        self.twins[value] = twin

    def _add(
        self, op_type: str, inputs: list[ir.Value], node: ir.Node, **fields: object
    ) -> ir.Value:
        return self.edit.standard(op_type, inputs, fields, before=node, name="wide")

    def _integers(self, *numbers: int) -> ir.Value:
        if numbers not in self.integers:
            made = self.edit.constant(np.array(numbers, np.int64), "integers")
            self.integers[numbers] = made
        return self.integers[numbers]

    def _replace(self, node: ir.Node, result: ir.Value) -> None:
        self.wide.add(result)
        self.edit.replace(node, result)

    def _linear(self, node: ir.Node, view: Linear) -> None:
        result = self._add(
            "MatMul", [self._wide(view.x, node), self._wide(view.weight, node)], node
        )
        if view.bias is not None:
            result = self._add("Add", [result, self._wide(view.bias, node)], node)
        self._replace(node, result)

    def _mean(self, node: ir.Node, x: ir.Value, axes: list[int], keep: bool) -> None:
        inputs = [self._wide(x, node), self._integers(*axes)]
        self._replace(node, self._add("ReduceMean", inputs, node, keepdims=int(keep)))

    def _standard_conv(self, node: ir.Node) -> None:
        weight = _input(node, 1)
        axes = len(shape_of(weight)) - 2
        window = Window(
            kernel=shape_of(weight)[2:],
            strides=_integers(node, "strides", (1,) * axes),
            pads=_integers(node, "pads", (0,) * (2 * axes)),
            dilations=_integers(node, "dilations", (1,) * axes),
        )
        bias = node.inputs[2] if len(node.inputs) > 2 else None
        group = _integers(node, "group", (1,))[0]
        self._conv(node, _input(node, 0), weight, bias, window, group)

    def _conv(
        self,
        node: ir.Node,
        x: ir.Value,
        weight: ir.Value,
        bias: ir.Value | None,
        window: Window,
        group: int,
    ) -> None:
        """Sum, over blocks of the kernel's taps, the product with the shifted input."""
        kernel = constant_of(weight)
        if kernel is None or int(np.prod(window.kernel)) > _TAPS_LIMIT:
            self._narrow(node)
            return
        batch, channels, *spatial = shape_of(x)
        outputs = window.output(tuple(spatial))
        axes, cols = len(outputs), len(kernel)
        pads = (0, 0, *window.pads[:axes], 0, 0, *window.pads[axes:])
        padded = self._add("Pad", [self._wide(x, node), self._integers(*pads)], node)
        matrices = kernel.reshape(group, cols // group, channels // group, -1)
        each = self._integers(batch, group, channels // group, int(np.prod(outputs)))
        taps = list(itertools.product(*(range(extent) for extent in window.kernel)))
        step = max(1, _BLOCK_BYTES // (8 * channels * int(np.prod(outputs))))
        total: ir.Value | None = None
        for first in range(0, len(taps), step):
            shifted = (
                self._shifted(padded, tap, window, outputs, node)
                for tap in taps[first : first + step]
            )
            parts = [self._add("Reshape", [part, each], node) for part in shifted]
            product = self._block(parts, matrices[..., first : first + step], node)
            total = product if total is None else self._add("Add", [total, product], node)
        assert total is not None
        result = self._add("Reshape", [total, self._integers(batch, cols, *outputs)], node)
        if bias is not None:
            shape = self._integers(1, cols, *[1] * axes)
            column = self._add("Reshape", [self._wide(bias, node), shape], node)
            result = self._add("Add", [result, column], node)
        self._replace(node, result)

    def _block(self, parts: list[ir.Value], matrices: Array, node: ir.Node) -> ir.Value:
        """Multiply the inputs of some taps with their part of the kernel, and sum them up."""
        group, cols = matrices.shape[:2]
        matrix = self._constant(np.moveaxis(matrices, 3, 2).reshape(group, cols, -1))
        return self._add("MatMul", [matrix, self._add("Concat", parts, node, axis=2)], node)

    def _shifted(
        self,
        padded: ir.Value,
        tap: tuple[int, ...],
        window: Window,
        outputs: tuple[int, ...],
        node: ir.Node,
    ) -> ir.Value:
        """Return what one tap of the kernel sees at each output."""
        axes = range(len(tap))
        starts = [tap[axis] * window.dilations[axis] for axis in axes]
        ends = [starts[axis] + window.strides[axis] * (outputs[axis] - 1) + 1 for axis in axes]
        places = [2 + axis for axis in axes]
        lists = (starts, ends, places, window.strides)
        return self._add("Slice", [padded, *(self._integers(*item) for item in lists)], node)


def _explicit(node: ir.Node) -> bool:
    auto = node.attributes.get("auto_pad")
    known = all(static_shape(value) is not None for value in node.inputs if value is not None)
    return known and (auto is None or auto.as_string() == "NOTSET")


def _integers(node: ir.Node, name: str, default: tuple[int, ...]) -> tuple[int, ...]:
    attribute = node.attributes.get(name)
    if attribute is None:
        return default
    if attribute.type == ir.AttributeType.INT:
        return (attribute.as_int(),)
    return tuple(attribute.as_ints())


def _input(node: ir.Node, index: int) -> ir.Value:
    value = node.inputs[index]
    assert value is not None
    return value
