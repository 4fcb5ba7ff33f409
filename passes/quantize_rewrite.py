"""One float contraction becomes three nodes: codes, integer sums, floats again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
import onnx_ir as ir

from mcc.ir.network.editor import Editor
from mcc.ir.network.operators import (
    Conv,
    Dequantize,
    IntegerConv,
    IntegerLinear,
    Linear,
    Quantize,
)
from mcc.ir.network.values import Array, constant_of, shape_of
from mcc.passes.quantize_arithmetic import (
    LEAST_SCALE,
    Clipping,
    Codes,
    Floats,
    Mapping,
    quantize_weight,
)
from mcc.passes.stored_codes import codes_behind
from mcc.passes.stored_weights import StoredWeight


@final
@dataclass(frozen=True)
class PerToken:
    """Codes whose scale is computed from each token: its largest magnitude over the highest code.

    Unsigned codes are for values that are never negative; the zero point is always 0.
    """

    codes: Codes


@final
@dataclass(frozen=True)
class _Coded:
    codes: ir.Value
    scale: ir.Value | np.float32
    zero_point: int
    form: Codes


@final
@dataclass(frozen=True)
class _Weight:
    codes: ir.Value
    scale: Floats
    bits: int


@final
class Rewriter:
    """Rewrites contractions of one graph; codes and weights that agree are made once."""

    def __init__(self, graph: ir.Graph, weight_bits: int, clipping: Clipping) -> None:
        self._editor = Editor(graph)
        self._graph = graph
        self._weight_bits = weight_bits
        self._clipping = clipping
        self._coded: dict[tuple[str, Mapping | PerToken], _Coded] = {}
        self._constants: dict[str, ir.Value] = {}
        self._weights: dict[tuple[str, bool], _Weight] = {}

    def rewrite(
        self, node: ir.Node, mapping: Mapping | PerToken, stored: StoredWeight | None = None
    ) -> None:
        """Replace an `mcc.Linear` or `mcc.Conv`, with the integers of a stored weight if given."""
        view = Conv.of(node) if Conv.matches(node) else Linear.of(node)
        coded = self._codes(node, view.x, mapping)
        weight = self._weight(view, stored)
        sums = self._editor.add(
            self._contraction(view, coded, weight), before=node, name=sums_name(node)
        )
        # Columns lie on the second axis of a convolution, on the last axis of a linear layer.
        spatial = len(shape_of(sums)) - 2
        columns = (1, -1, *(1,) * spatial) if isinstance(view, Conv) else (-1,)
        scale = self._scale(node, coded, weight.scale.reshape(columns))
        result = self._editor.add(
            Dequantize(sums=sums, scale=scale, bias=self._bias(view, columns)),
            before=node,
            name=f"{_base(node)}/floats",
        )
        self._editor.replace(node, result)
        self._drop(view.weight, view.bias)

    def _codes(self, node: ir.Node, x: ir.Value, mapping: Mapping | PerToken) -> _Coded:
        key = (x.name or "", mapping)
        if key not in self._coded:
            if isinstance(mapping, PerToken):
                self._coded[key] = self._token_codes(node, x, mapping)
            else:
                self._coded[key] = self._tensor_codes(node, x, mapping)
        return self._coded[key]

    def _tensor_codes(self, node: ir.Node, x: ir.Value, mapping: Mapping) -> _Coded:
        number, form = np.float32(mapping.scale), mapping.codes
        codes = codes_behind(x, mapping)
        if codes is None:
            scale = self._editor.constant(number, f"{x.name}/scale")
            codes = self._quantize(node, x, scale, mapping.zero_point, form)
        return _Coded(codes, number, mapping.zero_point, form)

    def _token_codes(self, node: ir.Node, x: ir.Value, mapping: PerToken) -> _Coded:
        form = mapping.codes
        size = x if not form.signed else self._standard("Abs", [x], node, f"{x.name}/magnitude")
        axis = self._shared("last_axis", np.array([-1], np.int64))
        largest = self._standard("ReduceMax", [size, axis], node, f"{x.name}/largest")
        highest = self._shared(f"highest_{form.highest}", np.float32(form.highest))
        least = self._shared(f"least_{form.highest}", np.float32(LEAST_SCALE * form.highest))
        kept = self._standard("Max", [largest, least], node, f"{x.name}/bounded")
        scale = self._standard("Div", [kept, highest], node, f"{x.name}/scale")
        return _Coded(self._quantize(node, x, scale, 0, form), scale, 0, form)

    def _shared(self, name: str, number: Array | np.float32) -> ir.Value:
        if name not in self._constants:
            self._constants[name] = self._editor.constant(number, name)
        return self._constants[name]

    def _standard(
        self, op_type: str, inputs: Sequence[ir.Value | None], node: ir.Node, name: str
    ) -> ir.Value:
        return self._editor.standard(op_type, inputs, before=node, name=name)

    def _quantize(
        self, node: ir.Node, x: ir.Value, scale: ir.Value, zero_point: int, form: Codes
    ) -> ir.Value:
        operator = Quantize(
            x=x, scale=scale, zero_point=zero_point, bits=form.bits, signed=form.signed
        )
        return self._editor.add(operator, before=node, name=f"{x.name}/codes")

    def _weight(self, view: Linear | Conv, stored: StoredWeight | None) -> _Weight:
        key = (view.weight.name or "", isinstance(view, Conv))
        if key not in self._weights:
            made = stored or self._integers(view)
            codes = self._editor.constant(made.codes, f"{view.weight.name}/codes")
            self._weights[key] = _Weight(codes, made.scale, made.bits)
        return self._weights[key]

    def _integers(self, view: Linear | Conv) -> StoredWeight:
        weight = constant_of(view.weight)
        assert weight is not None
        convolution = isinstance(view, Conv)
        columns = weight.reshape(len(weight), -1).T if convolution else weight
        codes, scale = quantize_weight(columns, self._weight_bits, self._clipping)
        codes = codes.T.reshape(weight.shape) if convolution else codes
        return StoredWeight(codes, scale, self._weight_bits)

    def _contraction(
        self, view: Linear | Conv, coded: _Coded, weight: _Weight
    ) -> IntegerLinear | IntegerConv:
        if isinstance(view, Linear):
            return IntegerLinear(
                codes=coded.codes,
                weight=weight.codes,
                zero_point=coded.zero_point,
                input_bits=coded.form.bits,
                input_signed=coded.form.signed,
                weight_bits=weight.bits,
            )
        return IntegerConv(
            codes=coded.codes,
            weight=weight.codes,
            zero_point=coded.zero_point,
            strides=view.strides,
            pads=view.pads,
            dilations=view.dilations,
            group=view.group,
            input_bits=coded.form.bits,
            input_signed=coded.form.signed,
            weight_bits=weight.bits,
        )

    def _scale(self, node: ir.Node, coded: _Coded, weight_scale: Floats) -> ir.Value:
        if isinstance(coded.scale, ir.Value):
            columns = self._editor.constant(weight_scale, f"{_base(node)}/weight_scale")
            return self._standard("Mul", [coded.scale, columns], node, f"{_base(node)}/scale")
        return self._editor.constant(coded.scale * weight_scale, f"{_base(node)}/scale")

    def _bias(self, view: Linear | Conv, columns: tuple[int, ...]) -> ir.Value | None:
        if view.bias is None or len(columns) == 1:
            return view.bias
        bias = constant_of(view.bias)
        assert bias is not None
        return self._editor.constant(bias.reshape(columns), f"{view.bias.name}/shaped")

    def _drop(self, *constants: ir.Value | None) -> None:
        for value in constants:
            if value is not None and not value.uses() and not value.is_graph_output():
                self._graph.initializers.pop(value.name or "", None)


def sums_name(node: ir.Node) -> str:
    """Name the integer sums of a contraction."""
    return f"{_base(node)}/sums"


def _base(node: ir.Node) -> str:
    return node.name or node.outputs[0].name or node.op_type
