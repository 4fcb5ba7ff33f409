"""How the inputs of contractions are coded, of which the network does not say it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias, final

import onnx_ir as ir

from mcc.ir.network import Conv, IntegerConv, IntegerLinear, Linear, Quantize, constant_of, shape_of
from mcc.passes.base import PassContext
from mcc.passes.observers import Extremes, Observer
from mcc.passes.quantize_arithmetic import (
    Codes,
    Granularity,
    Mapping,
    Scheme,
    is_unsigned,
    observe,
)
from mcc.passes.quantize_calibration import observe_values
from mcc.passes.quantize_rewrite import PerToken, sums_name

Key: TypeAlias = tuple[str, bool]
"""The name of an input, and whether its scale is per token."""


@final
@dataclass(frozen=True, kw_only=True)
class InputCoder:
    """Decides on the codes of inputs, by the options of quantize of the same names."""

    bits: int
    observer: Observer
    percentile: float
    granularity: Granularity
    scheme: Scheme

    def key(self, node: ir.Node) -> Key:
        """Name the input of a contraction, and say whether its scale is per token."""
        view = Conv.of(node) if Conv.matches(node) else Linear.of(node)
        return view.x.name or "", isinstance(view, Linear) and self._per_token(view.x)

    def codes(
        self, network: ir.Model, nodes: Iterable[ir.Node], context: PassContext
    ) -> dict[Key, Mapping | PerToken]:
        """Return how the inputs of some contractions are coded, from calibration data.

        Where the result of the pass is known, the ranges are those that it was made with.
        """
        if context.result is not None:
            made = {node.name: node for node in context.result.graph}
            return {self.key(node): self._known(node, made[sums_name(node)]) for node in nodes}
        keys = dict.fromkeys(map(self.key, nodes))
        observers: dict[str, Observer] = {}
        for name, token in keys:
            if not token or name not in observers:
                observers[name] = Observer.MINMAX if token else self.observer
        records = observe_values(network, observers, context.calibration)
        return {key: self._observed(records[key[0]], key[1]) for key in keys}

    def _observed(self, record: Extremes, token: bool) -> Mapping | PerToken:
        if not token:
            return observe(record, self.observer, self.percentile, self.bits, self.scheme)
        unsigned = record.low >= 0.0 and is_unsigned(record.range(), self.bits, self.scheme)
        return PerToken(Codes(self.bits, not unsigned))

    def _known(self, node: ir.Node, sums: ir.Node) -> Mapping | PerToken:
        """Read from integer sums what calibration decided: the rest is as the options say."""
        view = IntegerConv.of(sums) if IntegerConv.matches(sums) else IntegerLinear.of(sums)
        producer = view.codes.producer()
        if producer is None:
            return PerToken(Codes(self.bits, view.input_signed))
        made = Quantize.of(producer)
        signed = made.signed if self.scheme is Scheme.AUTO else self.scheme is Scheme.SYMMETRIC
        scale = constant_of(made.scale)
        if self.key(node)[1] or scale is None:
            return PerToken(Codes(self.bits, signed))
        return Mapping(
            Codes(self.bits, signed), float(scale.item()), 0 if signed else made.zero_point
        )

    def _per_token(self, x: ir.Value) -> bool:
        """Tell whether every vector that a linear layer takes gets its own scale."""
        if self.granularity is not Granularity.AUTO:
            return self.granularity is Granularity.TOKEN
        return self.scheme is not Scheme.AFFINE and math.prod(shape_of(x)[:-1]) > 1
