"""Proof that operators on codes are what `lower_qoperators.py` makes of them.

Networks that round to codes are compared without that rounding, which leaves nothing to compare an
operator on codes with. So each is held against its real form directly, on the codes that the
network before the rewrite gives it: every code must be one that is nearest to the real result.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import final

import numpy as np
import onnx_ir as ir

from mcc.ir.network import (
    Array,
    Certificate,
    Contract,
    Editor,
    Evidence,
    Network,
    ReferenceExecutor,
    constant_of,
    outputs_of,
)
from mcc.ir.network.certificate import Outputs
from mcc.passes.attributes import required
from mcc.passes.lower_qoperators import (
    Decoder,
    coded_result,
    is_qoperator,
    lower_qoperators,
    open_codes,
    real_result,
)
from mcc.passes.prepare_network import prepare_network

_ROUNDING = 2.0**-15
"""Of the magnitudes that are summed: eight standard deviations of what rounding does to a sum of
four thousand terms in float32."""
_STEP = 2.0**-10
"""What the division by the scale and the zero point may add, in steps between codes."""


@final
@dataclass(frozen=True)
class _Probe:
    """Names of values of one operator, and the parameters of its codes."""

    codes: str
    """What it gives itself."""
    again: str
    """What takes its place."""
    real: str
    """The same before it is rounded to codes."""
    magnitude: str
    """The sum of the magnitudes of the terms."""
    scale: Array
    zero: Array

    @property
    def names(self) -> tuple[str, ...]:
        return (self.codes, self.again, self.real, self.magnitude)

    def excess(self, values: dict[str, Array]) -> float:
        """Return by how much the worst code is too far from the real result.

        In steps between codes, above half of one and what rounding explains.
        """
        codes = np.stack([values[self.codes], values[self.again]])
        ends = np.iinfo(codes.dtype)
        real = values[self.real].astype(np.float64) / self.scale + self.zero.astype(np.float64)
        allowed = 0.5 + _STEP + _ROUNDING * values[self.magnitude] / self.scale
        distance = np.abs(codes.astype(np.float64) - np.clip(real, ends.min, ends.max))
        return float((distance - allowed).max(initial=-np.inf))


def without_qoperators(network: Network) -> Network | None:
    """Return `network` with real operators in place of those on codes, or None without any."""
    inside = (node for function in network.functions.values() for node in function)
    if not any(is_qoperator(node) for node in (*network.graph.all_nodes(), *inside)):
        return None
    opened = prepare_network(network.clone())
    lower_qoperators(opened)
    return opened


def prove_qoperators(
    network: Network, old: Outputs, new: Outputs, evidence: Evidence, subject: str
) -> Certificate:
    """Hold every operator on codes against its real form, on `evidence`.

    Everything else that is done to `network` on the way must leave the bits alone.

    Args:
        network: as it is before the rewrite.
        old: what it gives on `evidence`.
        new: what `without_qoperators` gives.
        evidence: the inputs.
        subject: of the certificate.
    """
    prepared = prepare_network(network.clone())
    opened = prepared.clone()
    open_codes(opened)
    names = [value.name or "" for value in prepared.graph.outputs]
    probes = list(_probed(prepared))
    watched = dict.fromkeys([*names, *(name for item in probes for name in item.names)])
    executor = ReferenceExecutor(prepared, values=list(watched))
    worst, where, count = -np.inf, "", 0
    unmoved = outputs_of(opened, evidence)
    for (kind, feeds), given, made, plain in zip(evidence, old, new, unmoved, strict=True):
        if given is None:
            continue
        values, count = executor.run(feeds), count + 1
        found = {item.codes: item.excess(values) for item in probes}
        found |= {name: np.inf for name in names if _differs(name, given, values)}
        found |= {name: np.inf for name in names if _differs(name, plain, made)}
        name = max(found, key=lambda item: found[item], default="")
        if found and found[name] > worst:
            worst, where = found[name], f", but for `{name}` on {kind} inputs"
    detail = f"{len(probes)} operators on codes give the codes nearest to their real results"
    return Certificate(
        subject=subject,
        contract=Contract.BOUNDED,
        bound=0.5,
        measured=max(0.0, worst + 0.5),
        inputs=f"{count} in all",
        passed=worst <= 0,
        detail=f"{detail}{where}" if worst > 0 else detail,
    )


def _differs(name: str, one: dict[str, Array] | None, other: dict[str, Array] | None) -> bool:
    return one is None or other is None or one[name].tobytes() != other[name].tobytes()


def _probed(network: Network) -> Iterator[_Probe]:
    """Add its real form beside every operator on codes."""
    edit, decoder = Editor(network.graph), Decoder(network.graph)
    for node in list(network.graph):
        opened = decoder.open(node) if is_qoperator(node) else ""
        if isinstance(opened, str):
            continue
        name = f"{node.name}/proof"
        again = coded_result(edit, node, opened, name)
        sizes = [
            edit.standard("Abs", [item], before=node, name=f"{name}/size")
            for item in opened.operands
        ]
        magnitude = real_result(edit, node, replace(opened, operands=tuple(sizes)), f"{name}/sum")
        scale, zero = constant_of(opened.scale), constant_of(opened.zero)
        assert scale is not None
        assert zero is not None
        yield _Probe(
            codes=node.outputs[0].name or "",
            again=again.name or "",
            real=_rounded(again).name or "",
            magnitude=magnitude.name or "",
            scale=scale,
            zero=zero,
        )


def _rounded(codes: ir.Value) -> ir.Value:
    """Return what QuantizeLinear makes `codes` of."""
    maker = codes.producer()
    assert maker is not None
    return required(maker, 0)
