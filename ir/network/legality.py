"""What each stage allows; checked after every pass."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeAlias

import numpy as np
import onnx_ir as ir

from mcc.ir.diagnostics import Diagnostic, MccError
from mcc.ir.network.location import location_of
from mcc.ir.network.matrix import matrix_block
from mcc.ir.network.operators import (
    DOMAIN,
    OPERATORS,
    Conv,
    Dequantize,
    IntegerConv,
    IntegerLinear,
    Linear,
    Operator,
    Quantize,
    view_of,
)
from mcc.ir.network.placement import Unit, placement_of
from mcc.ir.network.stage import Stage, stage_of
from mcc.ir.network.tiling import tiling_of
from mcc.ir.network.values import constant_of, is_constant, shape_of

Rule: TypeAlias = Callable[[ir.Node, Operator | None], str | None]
"""Returns what is wrong with a node, or None. The docstring is the sentence users read."""

OLDEST_OPSET = 18
"""From the canonical stage on, networks use at least this version of the standard."""

_INTEGER = (IntegerLinear, IntegerConv, Quantize, Dequantize)


def known_operator(node: ir.Node, view: Operator | None) -> str | None:
    """Operators of the `mcc` domain are those of this version."""
    if node.domain != DOMAIN or view is not None:
        return None
    return f"mcc.{node.op_type} is not one of {', '.join(OPERATORS)}"


def result_agrees(node: ir.Node, view: Operator | None) -> str | None:
    """Operators of the `mcc` domain have the type and shape that follow from their inputs."""
    if view is None:
        return None
    dtype, shape = view.result()
    output = node.outputs[0]
    if output.dtype != dtype or output.shape != shape:
        return f"output is {output.dtype}{output.shape}, must be {dtype}{list(shape)}"
    return None


def weights_constant(node: ir.Node, view: Operator | None) -> str | None:
    """Weights and biases of `mcc.Linear`, `mcc.Conv` and their integer forms are constants."""
    if not isinstance(view, (Linear, Conv, IntegerLinear, IntegerConv)):
        return None
    bias = view.bias if isinstance(view, (Linear, Conv)) else None
    computed = [
        value.name for value in (view.weight, bias) if value is not None and not is_constant(value)
    ]
    return f"{computed[0]} is computed at run time" if computed else None


def static_shapes(node: ir.Node, view: Operator | None) -> str | None:
    """Contractions have static shapes."""
    if view is not None:
        for value in node.outputs:
            shape_of(value)
    return None


def no_integer_forms(node: ir.Node, view: Operator | None) -> str | None:
    """Integer contractions come with the quantized stage."""
    return f"mcc.{node.op_type} before quantization" if isinstance(view, _INTEGER) else None


def sums_fit(node: ir.Node, view: Operator | None) -> str | None:
    """The sums of an integer contraction fit into 32 bits, and its weights into their bits."""
    if not isinstance(view, (IntegerLinear, IntegerConv)):
        return None
    weight = constant_of(view.weight)
    if weight is None or not weight.size:
        return None
    limit = 2 ** (view.weight_bits - 1)
    if int(weight.min()) < -limit or int(weight.max()) >= limit:
        return f"weights reach {weight.min()} to {weight.max()}, more than {view.weight_bits} bits"
    largest = largest_sum(view)
    return f"a sum may reach {largest}" if largest >= 2**31 else None


def integer_neighbours(node: ir.Node, view: Operator | None) -> str | None:
    """Sums of an integer contraction go to `mcc.Dequantize` only."""
    if not isinstance(view, (IntegerLinear, IntegerConv)):
        return None
    others = [user.name for user in node.outputs[0].consumers() if not Dequantize.matches(user)]
    return f"{others[0]} reads the sums" if others else None


def placed(node: ir.Node, view: Operator | None) -> str | None:
    """Every node has a place."""
    return "the node has no place" if placement_of(node) is None else None


def crossbar_tiled(node: ir.Node, view: Operator | None) -> str | None:
    """On crossbars there are integer contractions only; their tiles hold all of their weights."""
    placement = placement_of(node)
    if placement is None or placement.unit is not Unit.CROSSBAR:
        return None
    if not isinstance(view, (IntegerLinear, IntegerConv)):
        return f"{node.op_type} cannot run on a crossbar"
    tiling = tiling_of(node)
    if tiling is None:
        return "there is no tiling"
    rows, cols = matrix_shape(view)
    if not tiling.consistent(rows, cols):
        return f"tiling does not cover {rows} x {cols}"
    blocks = ((tiling.row_blocks[row], tiling.col_blocks[col]) for row, col in set(tiling.live))
    held = sum(np.count_nonzero(matrix_block(view, *block)) for block in blocks)
    weight = constant_of(view.weight)
    if weight is None:
        return f"the weight `{view.weight.name}` is computed"
    lost = np.count_nonzero(weight) - held
    return f"{lost} weights are in no tile" if lost else None


RULES: dict[Stage, tuple[Rule, ...]] = {
    Stage.CAPTURED: (known_operator,),
    Stage.CANONICAL: (
        known_operator,
        static_shapes,
        result_agrees,
        weights_constant,
        no_integer_forms,
    ),
    Stage.QUANTIZED: (
        known_operator,
        static_shapes,
        result_agrees,
        weights_constant,
        sums_fit,
        integer_neighbours,
    ),
    Stage.MAPPED: (
        known_operator,
        static_shapes,
        result_agrees,
        weights_constant,
        sums_fit,
        integer_neighbours,
        placed,
        crossbar_tiled,
    ),
}


def check_stage(network: ir.Model) -> list[Diagnostic]:
    """Return everything in `network` that its stage does not allow."""
    stage = stage_of(network)
    found = list(_graph_findings(network, stage))
    for node in network.graph:
        found.extend(_node_findings(node, stage))
    return found


def matrix_shape(view: IntegerLinear | IntegerConv) -> tuple[int, int]:
    """Return (rows, cols) of the matrix on the crossbar; groups are expanded block-diagonally."""
    weight = shape_of(view.weight)
    if isinstance(view, IntegerLinear):
        return weight[0], weight[1]
    rows = weight[1] * view.group
    for extent in weight[2:]:
        rows *= extent
    return rows, weight[0]


def largest_sum(view: IntegerLinear | IntegerConv) -> int:
    """Bound the magnitude of every sum: the weights' magnitudes times the largest input."""
    weight = constant_of(view.weight)
    if weight is None or not weight.size:
        return 0
    axes = (0,) if isinstance(view, IntegerLinear) else tuple(range(1, weight.ndim))
    low, high = _codes(view)
    reach = max(view.zero_point - low, high - view.zero_point)
    return int(abs(weight.astype("int64")).sum(axis=axes).max()) * reach


def _codes(view: IntegerLinear | IntegerConv) -> tuple[int, int]:
    half = 2 ** (view.input_bits - 1)
    return (-half, half - 1) if view.input_signed else (0, 2 * half - 1)


def _graph_findings(network: ir.Model, stage: Stage) -> Iterator[Diagnostic]:
    opset = network.graph.opset_imports.get("", OLDEST_OPSET)
    if stage is not Stage.CAPTURED and opset < OLDEST_OPSET:
        yield Diagnostic("stage-illegal", f"opset {opset} in stage {stage}")
    if stage is Stage.CAPTURED:
        return
    for value in network.graph.inputs:
        if value.shape is None or not value.shape.is_static():
            yield Diagnostic("stage-illegal", f"input `{value.name}` has no static shape")


def _node_findings(node: ir.Node, stage: Stage) -> Iterator[Diagnostic]:
    try:
        view = view_of(node)
    except MccError as problem:
        yield from problem.diagnostics
        return
    for rule in RULES[stage]:
        try:
            wrong = rule(node, view)
        except MccError as problem:
            yield from problem.diagnostics
            continue
        if wrong is not None:
            yield Diagnostic(
                "stage-illegal",
                f"node `{node.name}`, stage {stage}: {rule.__doc__} Here {wrong}.",
                location=location_of(node),
            )
