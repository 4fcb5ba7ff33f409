"""What a chip makes of each operator: numbers for `mcc ops` that follow from the target alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from mcc.backends.crossbar.elementwise import BINARY, UNARY
from mcc.ir.hardware import Target
from mcc.ir.hardware.encoding import most_columns
from mcc.ir.network import Unit
from mcc.ir.network.operators import DOMAIN
from mcc.ir.program import DType, Stream
from mcc.ir.program.instructions import Dequantize, Quantize, ReduceOperation
from mcc.ir.program.instructions.vector import CLASSES

WIDTHS = range(2, 9)
"""Bits of the weights that quantize makes."""
USUAL_BITS = 8
"""Bits of a weight where the user asks for nothing else."""
COPIED = ("Concat", "Pad", "Resize")
"""Movements that take a copy; the others are strided views."""


@final
@dataclass(frozen=True, kw_only=True)
class VectorRate:
    """How fast one vector unit computes, as far as its memory port keeps up."""

    elements: int
    """Worked on at the same time."""
    cycles: int
    """That they take."""
    of: str
    """Which elements count."""

    def __str__(self) -> str:
        return f"{self.elements} elements of {self.of} in {_cycles(self.cycles)}"


@final
@dataclass(frozen=True, kw_only=True)
class MoveRate:
    """How fast one mover brings elements in from the global buffer, and out again, at best."""

    bytes_per_cycle: int

    def __str__(self) -> str:
        return f"{self.bytes_per_cycle} bytes in a cycle, in and out"


@final
@dataclass(frozen=True, kw_only=True)
class MacroExtent:
    """What one macro holds of a weight matrix."""

    rows: int
    columns: int
    """Columns of weights; 0 where not even one weight fits."""
    weight_bits: int
    """Of the weights that are counted."""
    widest_weight_bits: int
    """Bits of the widest weights that fit a macro; 0 where none does."""

    def __str__(self) -> str:
        if not self.widest_weight_bits:
            return "no weight fits"
        extent = f"{self.rows} x {self.columns} weights of {self.weight_bits} bits"
        return f"{extent}, at most {self.widest_weight_bits} bits"


Capability = VectorRate | MoveRate | MacroExtent


def capability(domain: str, op_type: str, unit: Unit, target: Target) -> Capability | None:
    """Return what a chip makes of an operator; None where that is only another view of bytes.

    Args:
        domain: Of the operator.
        op_type: Its name.
        unit: Where it runs.
        target: The chip.
    """
    if unit is Unit.CROSSBAR:
        return macro_extent(target)
    if unit is Unit.VECTOR and op_type in COPIED:
        return move_rate(target)
    classes = _CLASSES.get((domain, op_type))
    if classes is None:
        return None
    cycles = sum(int(getattr(target.core.vector.cycles, name)) for name in classes)
    of = _OPERANDS.get(op_type, "the result")
    return VectorRate(elements=target.core.vector.lanes, cycles=cycles, of=of)


def macro_extent(target: Target) -> MacroExtent:
    """Return how many weights of the usual width a macro holds, and the widest that fit."""
    macro, cell = target.macro, target.cell
    fitting = [bits for bits in WIDTHS if most_columns(macro, cell, bits)]
    return MacroExtent(
        rows=macro.rows,
        columns=most_columns(macro, cell, USUAL_BITS),
        weight_bits=USUAL_BITS,
        widest_weight_bits=max(fitting, default=0),
    )


def move_rate(target: Target) -> MoveRate:
    """Return the bytes that one mover loads in a cycle, by the timing rule of `load`."""
    chip = target.chip
    ports = (target.core.memory.port_bytes, chip.buffer.port_bytes)
    return MoveRate(bytes_per_cycle=min(chip.link_bytes_per_cycle, *ports))


def _cycles(count: int) -> str:
    return "1 cycle" if count == 1 else f"{count} cycles"


_CODE = Stream(DType.INT8, 0, ())
_NUMBER = Stream(DType.FLOAT32, 0, ())

_CLASSES: dict[tuple[str, str], tuple[str, ...]] = {
    **{("", op): CLASSES[operation] for op, operation in (BINARY | UNARY).items()},
    ("", "MaxPool"): CLASSES[ReduceOperation.MAX],
    ("", "ReduceMax"): CLASSES[ReduceOperation.MAX],
    (DOMAIN, "Mean"): CLASSES[ReduceOperation.ADD],
    (DOMAIN, "Quantize"): Quantize(_CODE, _NUMBER, _NUMBER, zero=0, low=0, high=0).classes(),
    (DOMAIN, "Dequantize"): Dequantize(_NUMBER, _CODE, _NUMBER, _NUMBER).classes(),
}
"""Classes of the elementary operations of one element; `Dequantize` with a bias."""

_OPERANDS = {
    "MaxPool": "its windows",
    "Mean": "the operand",
    "ReduceMax": "the operand",
}
"""Which elements count, where it is not those of the result."""
