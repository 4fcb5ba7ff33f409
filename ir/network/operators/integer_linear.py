"""`mcc.IntegerLinear`: the matrix product a crossbar makes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import onnx_ir as ir

from mcc.ir.network.operators.base import Operator, disagree
from mcc.ir.network.values import shape_of


@final
@dataclass(frozen=True, kw_only=True)
class IntegerLinear(Operator):
    """`sums = sum over rows of (codes - zero_point) * weight`, exact in int32.

    codes: (..., rows), int8 or uint8
    weight: (rows, cols), int8, constant
    sums: (..., cols), int32
    """

    OP_TYPE: ClassVar[str] = "IntegerLinear"
    # Both operands are shifted to uint8: the kernels for int8 weights saturate at 16 bits on
    # processors with AVX2 but without VNNI, those for two uint8 operands never do.
    FUNCTIONS: ClassVar = {
        "": """IntegerLinear <zero_point, input_signed> (codes, weight) => (sums) {
            half = Constant <value = int32 {128}> ()
            wide_half = Constant <value = int64 {128}> ()
            sign = Constant <value_int: int = @input_signed> ()
            wide_offset = Mul(sign, wide_half)
            offset = Cast <to = 6> (wide_offset)
            codes_wide = Cast <to = 6> (codes)
            codes_moved = Add(codes_wide, offset)
            codes_unsigned = Cast <to = 2> (codes_moved)
            zero = Constant <value_int: int = @zero_point> ()
            zero_moved = Add(zero, wide_offset)
            zero_unsigned = Cast <to = 2> (zero_moved)
            weight_wide = Cast <to = 6> (weight)
            weight_moved = Add(weight_wide, half)
            weight_unsigned = Cast <to = 2> (weight_moved)
            weight_zero = Cast <to = 2> (half)
            sums = MatMulInteger(codes_unsigned, weight_unsigned, zero_unsigned, weight_zero)
        }""",
    }

    codes: ir.Value
    weight: ir.Value
    zero_point: int
    input_bits: int
    input_signed: bool
    weight_bits: int

    def result(self) -> tuple[ir.DataType, tuple[int, ...]]:
        """Infer (..., cols), int32."""
        codes, weight = shape_of(self.codes), shape_of(self.weight)
        if len(weight) != 2 or not codes or codes[-1] != weight[0]:
            raise disagree(self, f"codes {codes} do not end in the rows of weight {weight}")
        return ir.DataType.INT32, (*codes[:-1], weight[1])
