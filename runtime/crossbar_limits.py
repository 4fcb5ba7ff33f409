"""What cannot be said of a crossbar, because the hardware it is on has no such law."""

from __future__ import annotations

from mcc.ir.diagnostics import error
from mcc.ir.hardware import Feed, Target
from mcc.ir.hardware.encoding import has_reference
from mcc.runtime.fidelity import Fidelity, input_by_input


def resistive_lines(target: Target, fidelity: Fidelity) -> bool:
    """Whether the lines of a macro are solved once for all inputs."""
    return fidelity is Fidelity.WIRE and not input_by_input(target, fidelity)


def check_codes(target: Target) -> None:
    """Refuse codes that are not those of single outputs.

    Raises:
        MccError: `crossbar-model`.
    """
    if has_reference(target.macro):
        message = "codes: those of a reference column belong to all outputs of a tile together"
        raise error("crossbar-model", message, "set `macro__reference='digital'`")


def check_torch(target: Target, fidelity: Fidelity) -> None:
    """Refuse products that are none in torch.

    Raises:
        MccError: `crossbar-model`.
    """
    if input_by_input(target, fidelity):
        message = "a layer: the current of a cell depends on all inputs together"
        help = "multiply with `A @ x`, which solves every input, or make the layer at `device`"
        if target.wires.feed is Feed.WORD_LINE:
            help += " or with `wires__solver='linearised'`"
        raise error("crossbar-model", message, help)


def check_transposed(target: Target, fidelity: Fidelity) -> None:
    """Refuse products that would sense word lines that carry no current.

    Raises:
        MccError: `crossbar-direction`.
    """
    other = "multiply with a crossbar of the transposed matrix, or "
    if input_by_input(target, fidelity) and target.wires.feed is Feed.WORD_LINE:
        message = "`wires.solver` is `newton`, which drives word lines only"
        raise error("crossbar-direction", message, other + "set `wires__solver='linearised'`")
    if input_by_input(target, fidelity):
        message = "the word lines are the gates of switches, and carry no current to be sensed"
        raise error("crossbar-direction", message, other + "with `wires__feed='word_line'`")
    if has_reference(target.macro) and fidelity is not Fidelity.EXACT:
        message = "a reference column is no reference for word lines"
        raise error("crossbar-direction", message, other + "set `macro__reference='digital'`")
