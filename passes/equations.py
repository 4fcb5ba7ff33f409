"""Equations of Einsum: which letters its operands and its result have."""

from __future__ import annotations

import string
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

_DOTS = "..."


@final
@dataclass(frozen=True)
class Equation:
    """One letter for each axis; what is not in the output is summed."""

    operands: tuple[str, ...]
    output: str

    def __str__(self) -> str:
        return f"{','.join(self.operands)}->{self.output}"


def parse_equation(text: str, ranks: Sequence[int]) -> Equation | None:
    """Read an equation, with letters that are free in place of an ellipsis.

    Args:
        text: As the standard has it: the output may be left out.
        ranks: The number of axes of each operand.

    Returns:
        Nothing where the letters do not suffice.
    """
    inputs, arrow, output = text.replace(" ", "").partition("->")
    operands = inputs.split(",")
    if not arrow:
        letters = "".join(operands).replace(".", "")
        once = sorted(axis for axis in set(letters) if letters.count(axis) == 1)
        output = (_DOTS if _DOTS in inputs else "") + "".join(once)
    hidden = [
        rank - len(operand) + len(_DOTS) if _DOTS in operand else 0
        for operand, rank in zip(operands, ranks, strict=True)
    ]
    free = [axis for axis in string.ascii_letters if axis not in text]
    if max(hidden) > len(free):
        return None
    # Hidden axes are aligned at the last one, as shapes are that broadcast.
    stand_in = "".join(free[: max(hidden)])
    return Equation(
        tuple(
            operand.replace(_DOTS, stand_in[len(stand_in) - count :])
            for operand, count in zip(operands, hidden, strict=True)
        ),
        output.replace(_DOTS, stand_in),
    )
