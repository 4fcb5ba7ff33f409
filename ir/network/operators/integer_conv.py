"""`mcc.IntegerConv`: the convolution a crossbar makes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import onnx_ir as ir

from mcc.ir.network.operators.base import Operator, disagree
from mcc.ir.network.operators.windows import Window, convolution_shape
from mcc.ir.network.values import shape_of


@final
@dataclass(frozen=True, kw_only=True)
class IntegerConv(Operator):
    """`sums = convolution of (codes - zero_point) with weight`, exact in int32.

    Padding holds the zero point as its code, so it adds nothing.

    codes: (batch, channels, *spatial), int8 or uint8
    weight: (cols, channels / group, *kernel), int8, constant
    sums: (batch, cols, *spatial), int32
    """

    OP_TYPE: ClassVar[str] = "IntegerConv"
    # Shifted to uint8 for the reason given at IntegerLinear.
    FUNCTIONS: ClassVar = {
        "": """IntegerConv <zero_point, input_signed, strides, pads, dilations, group>
            (codes, weight) => (sums) {
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
            sums = ConvInteger <strides: ints = @strides, pads: ints = @pads,
                dilations: ints = @dilations, group: int = @group>
                (codes_unsigned, weight_unsigned, zero_unsigned, weight_zero)
        }""",
    }

    codes: ir.Value
    weight: ir.Value
    zero_point: int
    strides: tuple[int, ...]
    pads: tuple[int, ...]
    dilations: tuple[int, ...]
    group: int = 1
    input_bits: int
    input_signed: bool
    weight_bits: int

    @property
    def window(self) -> Window:
        """The geometry, with the kernel's shape from the weight."""
        return Window(
            kernel=shape_of(self.weight)[2:],
            strides=self.strides,
            pads=self.pads,
            dilations=self.dilations,
        )

    def result(self) -> tuple[ir.DataType, tuple[int, ...]]:
        """Infer (batch, cols, *spatial), int32."""
        weight = shape_of(self.weight)
        shape = convolution_shape(shape_of(self.codes), weight, self.group, self.window)
        if isinstance(shape, str):
            raise disagree(self, shape)
        return ir.DataType.INT32, shape
