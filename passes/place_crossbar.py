"""Which contractions belong on crossbars: one small function a condition.

Each returns nothing, or what was measured where the condition fails; its docstring is the sentence
that the user reads.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import numpy as np
import onnx_ir as ir

from mcc.ir.hardware import Target
from mcc.ir.hardware.encoding import most_columns, physical_columns, tile_columns
from mcc.ir.network.operators import Conv, IntegerConv, IntegerLinear, Linear
from mcc.ir.network.placement import Placement, Unit
from mcc.ir.network.values import constant_of, dtype_of, is_constant, shape_of
from mcc.passes.quantize_arithmetic import INT32_MAX, largest_sum
from mcc.passes.tile_blocks import Extent, tile_count

STANDARD_CONTRACTIONS = frozenset(
    {
        "Attention",
        "Conv",
        "ConvInteger",
        "ConvTranspose",
        "DeformConv",
        "Einsum",
        "GRU",
        "Gemm",
        "LSTM",
        "MatMul",
        "MatMulInteger",
        "QLinearConv",
        "QLinearMatMul",
        "RNN",
    }
)
"""Operators of the standard that contract; canonicalization leaves those it cannot rewrite."""


_COMMUTING = ("Einsum", "Gemm", "MatMul", "MatMulInteger")
"""Products of which either operand may be the weight."""


@final
@dataclass(frozen=True, kw_only=True)
class Demand:
    """What a contraction would have to be on the crossbar."""

    activation_bits: int = 8
    weight_bits: int = 8
    minimum_fill: float = 0.0
    """Percent of the cells of its macros that the weights must use."""
    target: Target | None = None


Condition = Callable[[ir.Node, Demand], str | None]


def linear_or_convolution(node: ir.Node, demand: Demand) -> str | None:
    """The contraction must be a linear layer or a convolution."""
    known = any(kind.matches(node) for kind in (Linear, Conv, IntegerLinear, IntegerConv))
    computes = node.op_type in ("MatMul", "Gemm", "Einsum", "Conv") and not node.domain
    return None if known or computes else node.op_type


def static_weight(node: ir.Node, demand: Demand) -> str | None:
    """The weight must be a constant of the network."""
    given = [value for value in node.inputs if value is not None]
    either = node.op_type in _COMMUTING and not node.domain
    weights = given if either else given[1:2]
    if any(is_constant(value) for value in weights):
        return None
    return f"`{weights[-1].name}` is computed"


def canonical_form(node: ir.Node, demand: Demand) -> str | None:
    """The contraction must have been made an `mcc.Linear` or `mcc.Conv` by canonicalize."""
    return None if node.domain else f"{node.op_type} of the standard"


def float_operands(node: ir.Node, demand: Demand) -> str | None:
    """Activations and weights must be float32 before they are quantized."""
    operands = [value for value in (*node.inputs, *node.outputs) if value is not None]
    odd = [value for value in operands if dtype_of(value) is not ir.DataType.FLOAT]
    return f"`{odd[0].name}` is {dtype_of(odd[0]).name.lower()}" if odd else None


def some_work(node: ir.Node, demand: Demand) -> str | None:
    """Activations, weights and results must have at least one element."""
    for value in (*node.inputs, *node.outputs):
        if value is not None and 0 in shape_of(value):
            return f"`{value.name}` is {shape_of(value)}"
    return None


def one_image(node: ir.Node, demand: Demand) -> str | None:
    """A convolution must have one image per sample."""
    if not Conv.matches(node):
        return None
    images = shape_of(Conv.of(node).x)[0]
    return None if images == 1 else f"{images} images"


def finite_weight(node: ir.Node, demand: Demand) -> str | None:
    """The weight must be finite."""
    weight = _weight(node)
    wrong = weight.size - int(np.isfinite(weight).sum())
    return f"{wrong} of {weight.size} weights are not" if wrong else None


def sums_fit_int32(node: ir.Node, demand: Demand) -> str | None:
    """The largest possible sum of integer products must fit into 32 bits."""
    extent = extent_of(node)
    rows = math.prod(extent.group_row_dims)
    largest = largest_sum(rows, demand.activation_bits, demand.weight_bits)
    if largest <= INT32_MAX:
        return None
    return f"{rows} rows may sum up to {largest}"


def weight_fits_macro(node: ir.Node, demand: Demand) -> str | None:
    """One weight must fit into the columns of a macro."""
    if demand.target is None:
        return None
    macro, cell = demand.target.macro, demand.target.cell
    columns = tile_columns(macro, cell, demand.weight_bits, cols=1)
    return None if columns <= macro.cols else f"{columns} of {macro.cols} columns"


def fills_array(node: ir.Node, demand: Demand) -> str | None:
    """The weights must use enough of the cells of the macros they occupy (`minimum_fill`)."""
    if demand.target is None:
        return None
    percent, macros = fill(extent_of(node), demand)
    if percent >= demand.minimum_fill:
        return None
    return f"{_share(percent, macros)}, less than {demand.minimum_fill:g} %"


CONDITIONS: tuple[Condition, ...] = (
    static_weight,
    linear_or_convolution,
    canonical_form,
    float_operands,
    some_work,
    one_image,
    finite_weight,
    sums_fit_int32,
    weight_fits_macro,
    fills_array,
)
"""All conditions of a crossbar, in the order in which they are asked."""


def sentence(condition: Callable[..., str | None]) -> str:
    """Return what the user reads of a condition."""
    assert condition.__doc__ is not None
    return condition.__doc__.strip()


def refusal(node: ir.Node, demand: Demand) -> Placement | None:
    """Return why a contraction is left to the host, or None where a crossbar takes it."""
    for condition in CONDITIONS:
        measured = condition(node, demand)
        if measured is not None:
            return Placement(Unit.HOST, sentence(condition), measured)
    return None


def is_contraction(node: ir.Node) -> bool:
    """Tell whether a node multiplies by a matrix, wherever it may run."""
    if node.domain == "":
        return node.op_type in STANDARD_CONTRACTIONS
    return any(kind.matches(node) for kind in (Linear, Conv, IntegerLinear, IntegerConv))


def extent_of(node: ir.Node) -> Extent:
    """Return the shape of the matrix of a linear layer or convolution, float or integer."""
    weight = node.inputs[1]
    assert weight is not None
    shape = shape_of(weight)
    if Linear.matches(node) or IntegerLinear.matches(node):
        return Extent(shape[:1], shape[1])
    group = (Conv if Conv.matches(node) else IntegerConv).of(node).group
    return Extent((shape[1] * group, *shape[2:]), shape[0], group)


def fill(extent: Extent, demand: Demand) -> tuple[float, int]:
    """Return the percent of cells in use of the macros that a matrix needs, and their number."""
    assert demand.target is not None
    macro, cell = demand.target.macro, demand.target.cell
    columns = physical_columns(macro, cell, demand.weight_bits)
    across = max(most_columns(macro, cell, demand.weight_bits), 1)
    macros = tile_count(extent, macro.rows, across)
    cells = macros * macro.rows * macro.cols
    return 100.0 * extent.weights * columns / cells, macros


def accepted(node: ir.Node, demand: Demand) -> Placement:
    """Return the placement of a contraction that a crossbar takes, with its use of the cells."""
    extent = extent_of(node)
    size = f"{extent.rows} x {extent.cols}"
    if demand.target is not None:
        percent, macros = fill(extent, demand)
        size = f"{size}, {_share(percent, macros)}"
    return Placement(Unit.CROSSBAR, "An integer contraction with a constant weight.", size)


def _share(percent: float, macros: int) -> str:
    return f"{percent:.3g} % of {macros} macro{'' if macros == 1 else 's'}"


def _weight(node: ir.Node) -> np.ndarray:
    weight = constant_of(node.inputs[1])
    assert weight is not None
    return weight
