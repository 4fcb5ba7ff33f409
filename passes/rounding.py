"""How far rounding alone moves the outputs of two networks: measured, by shaking their values.

Every operator that rounds gets a random change of the size of its own rounding (Monte Carlo
arithmetic). How far the outputs move then tells what rounding does on this very input: cancelled
sums, divisions by next to nothing and roots at zero included. Nothing is assumed but the size of
one rounding; where a network amplifies it, the shaken network does so as well.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TypeAlias, final

import numpy as np
import onnx_ir as ir

from mcc.ir.network import (
    Array,
    Evidence,
    Network,
    constant_of,
    infer_network,
    is_constant,
    outputs_of,
    static_shape,
)
from mcc.ir.network.certificate import Allowances, Outputs, largest_change
from mcc.passes.attributes import operand

_STEPS = 4
"""Roundings of an operator that sums nothing up; ONNX Runtime's functions are that exact."""
_DRAWS = 2
"""How often each network is shaken."""
_FACTOR = 16
"""How many times the shaken change rounding may reach. By Hoeffding's inequality independent
roundings stay below 8 standard deviations but for a chance of 1e-13; two draws may see half of
one."""
_SPARE = 4096
"""How many places there are to take the signs of the largest value from."""
_SLICES = 10
"""The first version of the standard in which Slice reads where to cut from its inputs."""
_UNITS = {
    ir.DataType.FLOAT: 2.0**-24,
    ir.DataType.DOUBLE: 2.0**-53,
    ir.DataType.FLOAT16: 2.0**-11,
}
"""Half a unit in the last place: the relative error of one rounding."""
_EXACT = frozenset(
    """Abs Ceil Clip Compress Concat DepthToSpace Dropout Expand Flatten Floor Gather
    GatherElements GatherND Identity Max MaxPool Min Neg Pad ReduceMax ReduceMin Relu Reshape Round
    ScatterElements ScatterND Shape Sign Size Slice SpaceToDepth Split Squeeze Tile TopK Transpose
    Trilu Unsqueeze Where""".split()
)
"""Operators that round nothing."""
_EXACT_CONSTANTS = frozenset(
    """Clip DequantizeLinear Equal Greater GreaterOrEqual Less LessOrEqual Pow QuantizeLinear Range
    Resize Upsample""".split()
)
"""Operators whose constants are parameters: no rewrite computes them."""

Form: TypeAlias = Callable[[ir.Model], ir.Model | None]


def allowances(
    before: Network,
    after: Network,
    outputs: tuple[Outputs, Outputs],
    evidence: Evidence,
    form: Form = infer_network,
) -> Allowances:
    """Measure what rounding may change between two networks, for each input and output.

    Args:
        before: the network before a rewrite; its constants are exact.
        after: the network after it; each of its constants was rounded once.
        outputs: what the forms of both gave on `evidence`.
        evidence: the inputs.
        form: what is evaluated in place of a network, such as its form in float64.
    """
    # What is shaken may be refused on any input, for example where an index moves.
    inputs = Evidence(extreme=tuple(feeds for _, feeds in evidence))
    moved: Allowances = [dict.fromkeys(item or {}, 0.0) for item in outputs[0]]
    for network, plain, computed in zip((before, after), outputs, (False, True), strict=True):
        for seed in range(_DRAWS):
            generator = np.random.default_rng(seed)
            copy = network.clone()
            if computed:
                _shake_constants(copy, generator)
            formed = form(copy)
            assert formed is not None
            _Shaker(formed, generator).run()
            for most, old, new in zip(moved, plain, outputs_of(formed, inputs), strict=True):
                for name, reached in most.items():
                    change = _FACTOR * _moved(old, new, name)
                    most[name] = max(reached, change) if seed else reached + change
    return moved


def _moved(old: dict[str, Array] | None, new: dict[str, Array] | None, name: str) -> float:
    if old is None or new is None or name not in old or name not in new:
        return math.inf
    return largest_change(old[name], new[name])


def _shake_constants(network: Network, generator: np.random.Generator) -> None:
    """Round the constants of `network` once more, up or down."""
    for name, value in network.graph.initializers.items():
        array = constant_of(value)
        unit = _UNITS.get(value.dtype or ir.DataType.UNDEFINED)
        parameter = any(node.op_type in _EXACT_CONSTANTS for node, _ in value.uses())
        if array is None or unit is None or parameter:
            continue
        signs = generator.integers(0, 2, array.shape, np.int8) * 2 - 1
        largest = np.finfo(array.dtype).max
        shaken = array * (1 + 2 * unit * signs).astype(array.dtype)
        kept = np.where(np.isfinite(array), np.clip(shaken, -largest, largest), array)
        value.const_value = ir.tensor(kept.astype(array.dtype), name=name)


@final
class _Shaker:
    """Multiplies what is rounded by 1 plus or minus the size of its rounding, in place."""

    def __init__(self, network: ir.Model, generator: np.random.Generator) -> None:
        self.graph = network.graph
        self.generator = generator
        self.count = 0
        values = [value for node in self.graph for value in node.outputs]
        shapes = [static_shape(value) for value in (*values, *self.graph.inputs)]
        self.length = max((math.prod(shape) for shape in shapes if shape), default=1) + _SPARE
        # A long list of -1 and 1; each value that is shaken takes a part of it.
        self.drawn = generator.integers(0, 2, self.length, np.int8) * 2 - 1
        self.signs: dict[ir.DataType, ir.Value] = {}

    def run(self) -> None:
        """Shake the results of all operators that round, and the inputs of those that sum up."""
        data = set(self.graph.inputs)
        for node in list(self.graph):
            if node.op_type in ("Shape", "Size") or data.isdisjoint(_given(node)):
                continue
            data.update(node.outputs)
            if node.op_type in _EXACT:
                continue
            # A sum of n terms is exact for terms that are off by sqrt(n) roundings (Higham, Mary).
            terms = _summed(node)
            steps = _STEPS + math.sqrt(terms)
            for index, value in enumerate(node.inputs if terms else ()):
                if value is not None and not is_constant(value):
                    node.replace_input_with(index, self._shaken(value, steps, node, False))
            for value in node.outputs:
                uses = list(value.uses())
                shaken = self._shaken(value, steps, node, True)
                for user, index in uses:
                    user.replace_input_with(index, shaken)
                self._return(value, shaken)
                data.add(shaken)

    def _return(self, value: ir.Value, shaken: ir.Value) -> None:
        """Return what is shaken, under the name of the output."""
        if shaken is value or not value.is_graph_output():
            return
        value.name, shaken.name = f"{value.name}/still", value.name
        for index, output in enumerate(self.graph.outputs):
            if output is value:
                self.graph.outputs[index] = shaken

    def _shaken(self, value: ir.Value, steps: float, node: ir.Node, behind: bool) -> ir.Value:
        shape, unit = static_shape(value), _UNITS.get(value.dtype or ir.DataType.UNDEFINED)
        if shape is None or unit is None or not value.name:
            return value
        if not isinstance(value.type, ir.TensorType):
            return value  # a sequence of tensors
        factor, made = self._factor(value.type.dtype, shape, steps * unit)
        product = ir.node("Mul", [value, factor])
        nodes = [*made, product]
        for added in nodes:
            added.name = added.outputs[0].name = self._name()
        (self.graph.insert_after if behind else self.graph.insert_before)(node, nodes)
        result = product.outputs[0]
        result.type, result.shape = value.type, value.shape
        return result

    def _factor(
        self, dtype: ir.DataType, shape: tuple[int, ...], change: float
    ) -> tuple[ir.Value, list[ir.Node]]:
        """Return numbers of `1 - change` and `1 + change`, and the nodes that make them."""
        size, real = math.prod(shape), dtype.numpy()
        first = int(self.generator.integers(self.length - size))
        if self.graph.opset_imports.get("", 0) < _SLICES:
            signs = self.drawn[first : first + size].reshape(shape)
            return self._constant((1 + change * signs).astype(real)), []
        if dtype not in self.signs:
            self.signs[dtype] = self._constant(self.drawn.astype(real))
        ends = [self._constant(np.array([end])) for end in (first, first + size)]
        part = ir.node("Slice", [self.signs[dtype], *ends])
        shaped = ir.node("Reshape", [part.outputs[0], self._constant(np.array(shape, np.int64))])
        scale, one = (self._constant(np.array(number, real)) for number in (change, 1.0))
        changes = ir.node("Mul", [shaped.outputs[0], scale])
        factor = ir.node("Add", [changes.outputs[0], one])
        return factor.outputs[0], [part, shaped, changes, factor]

    def _name(self) -> str:
        self.count += 1
        return f"shaken/{self.count}"

    def _constant(self, array: Array) -> ir.Value:
        name = self._name()
        tensor = ir.tensor(array, name=name)
        value = ir.Value(name=name, type=ir.TensorType(tensor.dtype), const_value=tensor)
        value.shape = ir.Shape(array.shape)
        self.graph.register_initializer(value)
        return value


def _given(node: ir.Node) -> Sequence[ir.Value]:
    return [value for value in node.inputs if value is not None]


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
        case "LogSoftmax" | "CumSum" | "LSTM" | "GRU" | "RNN" | "Resize" | "LpNormalization":
            return max(x, default=0)
        case "GroupNormalization" | "InstanceNormalization":
            return math.prod(x[1:])
        case "Einsum" | "GlobalAveragePool" | "AveragePool":
            return _ratio(node, x)
        case _:
            return _ratio(node, x) if node.op_type.startswith("Reduce") else 0


def _ratio(node: ir.Node, x: tuple[int, ...]) -> int:
    result = static_shape(node.outputs[0]) or ()
    return max(1, math.prod(x) // max(1, math.prod(result))) if x else 0
