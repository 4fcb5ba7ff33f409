"""What contractions take from the network instead of calibration: the scales that it came with."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import final

import onnx_ir as ir

from mcc.ir.diagnostics import Severity
from mcc.ir.hardware.encoding import weight_range
from mcc.ir.network import Conv, Linear, is_constant
from mcc.passes.base import PassContext
from mcc.passes.quantize_arithmetic import Mapping
from mcc.passes.stored_codes import stored_mapping
from mcc.passes.stored_weights import StoredWeight, scale_of, stored_weight

INPUT_OPTIONS = ("activation_bits", "observer", "percentile", "granularity", "scheme")
"""Options of quantize that decide on the codes of inputs."""
WEIGHT_OPTIONS = ("weight_bits", "clipping")
"""Options of quantize that decide on the codes of weights."""


@final
@dataclass(frozen=True)
class Stored:
    """What the network says of one contraction; None where quantize decides."""

    input: Mapping | None = None
    weight: StoredWeight | None = None


def stored_of(node: ir.Node, context: PassContext) -> Stored:
    """Return what DequantizeLinear in front of a contraction says of its input and weight."""
    if not Linear.matches(node) and not Conv.matches(node):
        return Stored()
    view = Linear.of(node) if Linear.matches(node) else Conv.of(node)
    mapping = stored_mapping(view.x)
    scale = scale_of(view.weight) if is_constant(view.weight) else None
    if scale is None:
        return Stored(mapping)
    found = stored_weight(view.weight, 1 if isinstance(view, Linear) else 0)
    if isinstance(found, StoredWeight):
        return Stored(mapping, _held(found, node, context))
    message = f"`{node.name}`: its weight is quantized anew, for {found}"
    context.report("stored-scales", message, node, severity=Severity.WARNING)
    return Stored(mapping)


def _held(weight: StoredWeight, node: ir.Node, context: PassContext) -> StoredWeight:
    """Widen the codes of a weight until the cells of the target hold the lowest of them."""
    if context.target is None or not weight.codes.size:
        return weight
    least, bits = int(weight.codes.min()), weight.bits
    while weight_range(context.target.macro, context.target.cell, bits)[0] > least:
        bits += 1
    if bits > weight.bits:
        message = f"`{node.name}`: its lowest weight, {least}, takes {bits} bits in these cells"
        context.report("stored-scales", message, node)
    return replace(weight, bits=bits)


def report_stored(accepted: Iterable[Stored], given: Iterable[str], context: PassContext) -> None:
    """Say what was taken from the network, and which options therefore count for less.

    Args:
        accepted: What the network says of each contraction that a crossbar takes.
        given: The options of quantize that are not at their defaults, as `name=value`.
        context: Takes the finding.
    """
    found = list(accepted)
    inputs = sum(item.input is not None for item in found)
    weights = sum(item.weight is not None for item in found)
    if not inputs and not weights:
        return
    idle = (*(INPUT_OPTIONS if inputs else ()), *(WEIGHT_OPTIONS if weights else ()))
    without = [f"`{option}`" for option in given if option.split("=")[0] in idle]
    count = len(found)
    kept = f"{inputs} of {count} inputs and {weights} of {count} weights"
    message = f"{kept} keep the codes and scales that the network came with"
    if without:
        message = f"{message}; without effect on them: {', '.join(without)}"
    help = "`stored_scales=false` quantizes them anew, by the options" if without else ""
    severity = Severity.WARNING if without else Severity.NOTE
    context.report("stored-scales", message, help=help, severity=severity)
