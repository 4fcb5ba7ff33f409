"""`mcc.Conv`: a convolution with a constant kernel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import onnx_ir as ir

from mcc.ir.network.operators.base import Operator, disagree
from mcc.ir.network.operators.windows import Window, convolution_shape
from mcc.ir.network.values import dtype_of, shape_of


@final
@dataclass(frozen=True, kw_only=True)
class Conv(Operator):
    """The standard's convolution in float, with every attribute given.

    x: (batch, channels, *spatial), one to three spatial axes
    weight: (cols, channels / group, *kernel), constant
    bias: (cols), constant, may be absent
    y: (batch, cols, *spatial)
    """

    OP_TYPE: ClassVar[str] = "Conv"
    FUNCTIONS: ClassVar = {
        "": """Conv <strides, pads, dilations, group> (x, weight) => (y) {
            y = Conv <strides: ints = @strides, pads: ints = @pads,
                      dilations: ints = @dilations, group: int = @group> (x, weight)
        }""",
        "bias": """Conv <strides, pads, dilations, group> (x, weight, bias) => (y) {
            y = Conv <strides: ints = @strides, pads: ints = @pads,
                      dilations: ints = @dilations, group: int = @group> (x, weight, bias)
        }""",
    }

    x: ir.Value
    weight: ir.Value
    bias: ir.Value | None = None
    strides: tuple[int, ...]
    pads: tuple[int, ...]
    dilations: tuple[int, ...]
    group: int = 1

    @property
    def overload(self) -> str:
        """`"bias"` when there is one."""
        return "bias" if self.bias is not None else ""

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
        """Infer (batch, cols, *spatial)."""
        weight = shape_of(self.weight)
        shape = convolution_shape(shape_of(self.x), weight, self.group, self.window)
        if isinstance(shape, str):
            raise disagree(self, shape)
        if self.bias is not None and shape_of(self.bias) != weight[:1]:
            raise disagree(self, f"bias {shape_of(self.bias)} is not one per column of {weight}")
        return dtype_of(self.x), shape
