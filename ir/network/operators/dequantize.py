"""`mcc.Dequantize`: integer sums, or codes, back to floats."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np
import onnx_ir as ir

from mcc.ir.network.operators.base import Operator, disagree
from mcc.ir.network.values import shape_of


@final
@dataclass(frozen=True, kw_only=True)
class Dequantize(Operator):
    """`y = float32(sums) * scale + bias`: one rounding for each of the three steps.

    sums: any shape, int32; or codes, int8 or uint8
    scale: broadcasts to sums: per column, per token, or both; float32
    bias: broadcasts to sums, float32, may be absent
    y: the shape of sums, float32
    """

    OP_TYPE: ClassVar[str] = "Dequantize"
    FUNCTIONS: ClassVar = {
        "": """Dequantize (sums, scale) => (y) {
            wide = Cast <to = 1> (sums)
            y = Mul(wide, scale)
        }""",
        "bias": """Dequantize (sums, scale, bias) => (y) {
            wide = Cast <to = 1> (sums)
            scaled = Mul(wide, scale)
            y = Add(scaled, bias)
        }""",
    }

    sums: ir.Value
    scale: ir.Value
    bias: ir.Value | None = None

    @property
    def overload(self) -> str:
        """`"bias"` when there is one."""
        return "bias" if self.bias is not None else ""

    def result(self) -> tuple[ir.DataType, tuple[int, ...]]:
        """Infer the shape of sums, float32."""
        sums = shape_of(self.sums)
        for name, operand in (("scale", self.scale), ("bias", self.bias)):
            if operand is not None and not _broadcasts(shape_of(operand), sums):
                shape = shape_of(operand)
                raise disagree(self, f"{name} {shape} does not broadcast to sums {sums}")
        return ir.DataType.FLOAT, sums


def _broadcasts(shape: tuple[int, ...], to: tuple[int, ...]) -> bool:
    try:
        return np.broadcast_shapes(shape, to) == to
    except ValueError:
        return False
