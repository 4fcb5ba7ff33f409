"""Post-training quantization of the contractions that crossbars take."""

from __future__ import annotations

import fnmatch
import math
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import ClassVar, final

import onnx_ir as ir

from mcc.ir.diagnostics import EXIT_BUDGET, Severity, error, nearest
from mcc.ir.network import (
    Contract,
    Network,
    Placement,
    Stage,
    Unit,
    place,
)
from mcc.passes.arguments import format_value
from mcc.passes.base import Pass, PassContext
from mcc.passes.observers import Observer
from mcc.passes.place_crossbar import Demand, is_contraction, refusal
from mcc.passes.quantize_arithmetic import (
    Clipping,
    Granularity,
    Scheme,
    check_bits,
)
from mcc.passes.quantize_change import Change, measure_change, report_change
from mcc.passes.quantize_inputs import InputCoder
from mcc.passes.quantize_rewrite import Rewriter
from mcc.passes.quantize_stored import (
    Stored,
    report_stored,
    stored_of,
)
from mcc.passes.stored_codes import rewrite_stored_codes

CODE_OPTIONS = ("observer", "percentile", "granularity", "scheme", "clipping")
"""Options that decide on the codes of what is quantized, and on nothing else."""


@final
@dataclass(frozen=True)
class Quantize(Pass):
    """Turn the contractions bound for crossbars into integers, calibrated on given data.

    Lossy: the change of the outputs is measured and held against `budget`. Weights get signed
    codes and one scale per output channel; activations one scale per tensor, or (linear layers
    that take several vectors) one computed per token. What no crossbar takes stays in float.
    Scales that the network brings along (QuantizeLinear, DequantizeLinear) are taken as they are.
    """

    name: ClassVar[str] = "quantize"
    contract: ClassVar[Contract] = Contract.LOSSY
    from_stage: ClassVar[Stage] = Stage.CANONICAL
    to_stage: ClassVar[Stage] = Stage.QUANTIZED

    weight_bits: int = 8
    """Width of a weight's code, sign included: 2 to 8."""
    activation_bits: int = 8
    """Width of an activation's code: 2 to 8."""
    observer: Observer = Observer.MINMAX
    """How the range of an activation with one scale follows from what was seen of it."""
    percentile: float = 99.99
    """For `observer=percentile`: the percentile that the range reaches."""
    granularity: Granularity = Granularity.AUTO
    """What shares a scale: a whole tensor, or the last axis of a linear layer's input."""
    scheme: Scheme = Scheme.AUTO
    """Signed codes, or unsigned ones with a zero point."""
    clipping: Clipping = Clipping.ABSMAX
    """How the scale of a weight column is chosen."""
    stored_scales: bool = True
    """Whether inputs and weights keep the codes and scales that they have in the file."""
    keep: tuple[str, ...] = ()
    """Contractions to leave in float: patterns of node names, joined by `+`."""
    minimum_fill: float = 0.05
    """Percent of the cells of its macros that a contraction must use to be worth them."""
    budget: float | None = None
    """Largest relative root mean square change of an output on the calibration data."""

    def run(self, network: Network, context: PassContext) -> Network:
        """Rewrite every contraction that a crossbar takes; place the others on the host."""
        self._check_options()
        if not any(is_contraction(node) for node in network.graph.all_nodes()):
            raise error(
                "no-contraction",
                "the network has no contraction",
                "a crossbar computes products with matrices: linear layers and convolutions",
            )
        before = network.clone()
        accepted = self._choose(network, context)
        self._report_unused(accepted, context)
        coder = self._coder()
        asked = [node for node, stored in accepted.items() if stored.input is None]
        mappings = coder.codes(network, asked, context)
        # Rewriting a contraction may rename the input of the next one: look all of them up first.
        plan = [
            (node, stored.input or mappings[coder.key(node)], stored.weight)
            for node, stored in accepted.items()
        ]
        rewriter = Rewriter(network.graph, self.weight_bits, self.clipping)
        for node, mapping, weight in plan:
            rewriter.rewrite(node, mapping, weight)
        rewrite_stored_codes(network.graph, context)
        if context.result is None:
            change = measure_change(before, network, context.calibration)
            report_change(change, len(accepted), context)
            self._check_budget(change)
        return network

    def bound(self, before: Network, after: Network) -> float:
        """Return the budget."""
        return math.inf if self.budget is None else self.budget

    def _coder(self) -> InputCoder:
        return InputCoder(
            bits=self.activation_bits,
            observer=self.observer,
            percentile=self.percentile,
            granularity=self.granularity,
            scheme=self.scheme,
        )

    def _check_budget(self, change: Change) -> None:
        if self.budget is None or change.relative <= self.budget:
            return
        message = f"quantize: {change}; the budget is {100 * self.budget:.3g} %"
        help = "raise the budget, use more bits, or keep the worst layers in float"
        raise error("budget-missed", message, help, exit_code=EXIT_BUDGET)

    def _check_options(self) -> None:
        for option in fields(self):
            value, default = getattr(self, option.name), option.default
            if isinstance(default, StrEnum) and not isinstance(value, type(default)):
                kind = type(default)
                message = f"quantize: {option.name} is {value!r}, not of type {kind.__name__}"
                raise error("option-value", message, nearest(str(value), kind))
        check_bits("weight_bits", self.weight_bits)
        check_bits("activation_bits", self.activation_bits)
        if not 50.0 < self.percentile <= 100.0:
            message = f"quantize: percentile is {self.percentile}"
            raise error("option-value", message, "it lies above 50 and at most at 100")
        if "percentile" in self._given() and self.observer is not Observer.PERCENTILE:
            message = f"quantize: observer={self.observer} reads no percentile"
            raise error("option-value", message, "add `observer=percentile`")
        if self.granularity is Granularity.TOKEN and self.scheme is Scheme.AFFINE:
            message = "quantize: tokens have no zero points of their own"
            raise error("option-value", message, "use scheme=auto or granularity=tensor")

    def _choose(self, network: Network, context: PassContext) -> dict[ir.Node, Stored]:
        """Return what becomes integers; record the place and the reason of all the rest."""
        kept = self._kept(network)
        accepted: dict[ir.Node, Stored] = {}
        for node in network.graph:
            if not is_contraction(node):
                continue
            stored = stored_of(node, context) if self.stored_scales else Stored()
            refused = refusal(node, self._demand(stored, context))
            if refused is None and node.name in kept:
                refused = Placement(Unit.HOST, "The option `keep` names it.", node.name)
            if refused is None:
                accepted[node] = stored
                continue
            place(node, refused)
            sentence = f"{refused.rule.rstrip('.')}: {refused.measured}"
            form = "in float" if _is_float(node) else "with its integers"
            message = f"`{node.name}` ({node.op_type}) stays {form} on the host. {sentence}"
            context.report("left-on-host", message, node, severity=Severity.WARNING)
        report_stored(accepted.values(), self._given().values(), context)
        return accepted

    def _demand(self, stored: Stored, context: PassContext) -> Demand:
        codes, weight = stored.input and stored.input.codes, stored.weight
        return Demand(
            activation_bits=codes.bits if codes else self.activation_bits,
            weight_bits=weight.bits if weight else self.weight_bits,
            minimum_fill=self.minimum_fill,
            target=context.target,
        )

    def _report_unused(self, accepted: dict[ir.Node, Stored], context: PassContext) -> None:
        """Warn of the options that no contraction reads; of stored scales, another finding does."""
        given = self._given()
        asked = [
            self._coder().key(node)[1] for node, stored in accepted.items() if stored.input is None
        ]
        if not accepted:
            # Widths are not idle: they decide on what crossbars take.
            idle = [given[name] for name in CODE_OPTIONS if name in given]
            reason = "no contraction is quantized"
            context.report_unused(self.name, idle, reason, "see why each was left on the host")
        elif asked and all(asked):
            idle = [given[name] for name in ("observer", "percentile") if name in given]
            reason = "every input has a scale for each token, of the values that it holds"
            help = "`granularity=tensor` gives each input one scale, by the observer"
            context.report_unused(self.name, idle, reason, help)
        elif asked and not any(asked) and self.granularity is Granularity.TOKEN:
            idle = [given["granularity"]]
            reason = "only linear layers have a scale for each token"
            context.report_unused(self.name, idle, reason, "leave it out")

    def _given(self) -> dict[str, str]:
        """Return the options that are not at their defaults, as the user may write them."""
        values = [(option, getattr(self, option.name)) for option in fields(self)]
        return {
            option.name: f"{option.name}={format_value(value)}"
            for option, value in values
            if value != option.default
        }

    def _kept(self, network: Network) -> set[str]:
        names = [node.name or "" for node in network.graph if is_contraction(node)]
        kept: set[str] = set()
        for pattern in self.keep:
            matching = fnmatch.filter(names, pattern)
            if not matching:
                message = f"quantize: no contraction is called `{pattern}`"
                raise error("pattern-unmatched", message, nearest(pattern, names))
            kept.update(matching)
        return kept


def _is_float(node: ir.Node) -> bool:
    dtype = None if node.inputs[0] is None else node.inputs[0].dtype
    return dtype is None or dtype.is_floating_point()
