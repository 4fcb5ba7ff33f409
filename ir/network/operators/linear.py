"""`mcc.Linear`: a product with a constant matrix."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import onnx_ir as ir

from mcc.ir.network.operators.base import Operator, disagree
from mcc.ir.network.values import dtype_of, shape_of


@final
@dataclass(frozen=True, kw_only=True)
class Linear(Operator):
    """`y = x @ weight + bias`, in float.

    x: (..., rows)
    weight: (rows, cols), constant
    bias: (cols), constant, may be absent
    y: (..., cols)
    """

    OP_TYPE: ClassVar[str] = "Linear"
    FUNCTIONS: ClassVar = {
        "": "Linear (x, weight) => (y) { y = MatMul(x, weight) }",
        "bias": """Linear (x, weight, bias) => (y) {
            product = MatMul(x, weight)
            y = Add(product, bias)
        }""",
    }

    x: ir.Value
    weight: ir.Value
    bias: ir.Value | None = None

    @property
    def overload(self) -> str:
        """`"bias"` when there is one."""
        return "bias" if self.bias is not None else ""

    def result(self) -> tuple[ir.DataType, tuple[int, ...]]:
        """Infer (..., cols)."""
        x, weight = shape_of(self.x), shape_of(self.weight)
        if len(weight) != 2 or not x or x[-1] != weight[0]:
            raise disagree(self, f"x {x} does not end in the rows of weight {weight}")
        if self.bias is not None and shape_of(self.bias) != weight[1:]:
            raise disagree(self, f"bias {shape_of(self.bias)} is not one per column of {weight}")
        return dtype_of(self.x), (*x[:-1], weight[1])
