"""`mcc.Quantize`: floats to the codes that drive the word lines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, final

import onnx_ir as ir

from mcc.ir.network.operators.base import Attribute, Operator, disagree
from mcc.ir.network.values import shape_of


def code_range(bits: int, signed: bool) -> tuple[int, int]:
    """Return the smallest and the largest code of `bits` bits."""
    if signed:
        return -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    return 0, 2**bits - 1


@final
@dataclass(frozen=True, kw_only=True)
class Quantize(Operator):
    """`codes = clip(round_half_even(x / scale) + zero_point, low, high)`, in float32 steps.

    x: any shape, float32
    scale: scalar (per tensor), or of x's shape with its last axis 1 (per token), float32
    codes: the shape of x; int8 when signed, else uint8
    """

    OP_TYPE: ClassVar[str] = "Quantize"
    FUNCTIONS: ClassVar = {
        "": """Quantize <zero_point, low, high, to> (x, scale) => (codes) {
            ratio = Div(x, scale)
            rounded = Round(ratio)
            zero_integer = Constant <value_int: int = @zero_point> ()
            low_integer = Constant <value_int: int = @low> ()
            high_integer = Constant <value_int: int = @high> ()
            zero = Cast <to = 1> (zero_integer)
            lowest = Cast <to = 1> (low_integer)
            highest = Cast <to = 1> (high_integer)
            shifted = Add(rounded, zero)
            clipped = Clip(shifted, lowest, highest)
            codes = Cast <to: int = @to> (clipped)
        }""",
    }

    x: ir.Value
    scale: ir.Value
    zero_point: int
    bits: int
    signed: bool

    @property
    def low(self) -> int:
        """The smallest code."""
        return code_range(self.bits, self.signed)[0]

    @property
    def high(self) -> int:
        """The largest code."""
        return code_range(self.bits, self.signed)[1]

    def attributes(self) -> dict[str, Attribute]:
        """Store what the function needs: the range and the type of the codes."""
        dtype = ir.DataType.INT8 if self.signed else ir.DataType.UINT8
        return {
            "zero_point": self.zero_point,
            "low": self.low,
            "high": self.high,
            "to": int(dtype),
        }

    @classmethod
    def parse(cls, attributes: Mapping[str, Any]) -> dict[str, Any]:
        """Read bits and sign back from the range and the type."""
        bits = int(attributes["high"] - attributes["low"] + 1).bit_length() - 1
        return {
            "zero_point": attributes["zero_point"],
            "bits": bits,
            "signed": attributes["to"] == ir.DataType.INT8,
        }

    def result(self) -> tuple[ir.DataType, tuple[int, ...]]:
        """Infer x's shape; int8 when signed, else uint8."""
        x, scale = shape_of(self.x), shape_of(self.scale)
        if scale not in ((), (1,)) and scale != (*x[:-1], 1):
            raise disagree(self, f"scale {scale} is neither scalar nor one per token of x {x}")
        if not 1 <= self.bits <= 8 or not self.low <= self.zero_point <= self.high:
            raise disagree(self, f"zero point {self.zero_point} is no code of {self.bits} bits")
        return (ir.DataType.INT8 if self.signed else ir.DataType.UINT8), x
