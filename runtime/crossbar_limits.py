"""What cannot be said of a crossbar, because the hardware it is on has no such law."""

from __future__ import annotations

from mcc.ir.diagnostics import error
from mcc.ir.hardware import Feed, Target
from mcc.runtime.arrays import Fidelity


def gated(target: Target, fidelity: Fidelity) -> bool:
    """Whether inputs open cells, so that what a cell carries depends on which others are open."""
    return fidelity is Fidelity.WIRE and target.wires.feed is Feed.SOURCE_LINE


def check_torch(target: Target, fidelity: Fidelity) -> None:
    """Refuse products that are none in torch.

    Raises:
        MccError: `crossbar-model`.
    """
    if gated(target, fidelity):
        message = "a layer: the current of a cell depends on which others the inputs open"
        help = "multiply with `A @ x`, which solves every input, or make the layer at `device`"
        raise error("crossbar-model", message, help)


def check_transposed(target: Target, fidelity: Fidelity) -> None:
    """Refuse products that would sense word lines that carry no current.

    Raises:
        MccError: `crossbar-direction`.
    """
    if gated(target, fidelity):
        message = "the word lines are the gates of switches, and carry no current to be sensed"
        help = (
            "multiply with a crossbar of the transposed matrix, or with `wires__feed='word_line'`"
        )
        raise error("crossbar-direction", message, help)
