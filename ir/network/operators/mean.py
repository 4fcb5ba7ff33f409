"""`mcc.Mean`: a mean whose order of additions is defined."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np
import onnx_ir as ir

from mcc.ir.network.operators.base import Attribute, Operator, disagree
from mcc.ir.network.values import dtype_of, shape_of


@final
@dataclass(frozen=True, kw_only=True)
class Mean(Operator):
    """`y = (x[..., 0] + x[..., 1] + …) * factor`, added one after another from the left.

    The standard's reductions leave the order to the implementation; this one is the same, bit
    for bit, on every machine. `factor` is `1 / elements` rounded to float32.

    x: (..., elements)
    y: (...)
    """

    OP_TYPE: ClassVar[str] = "Mean"
    FUNCTIONS: ClassVar = {
        "": """Mean <factor> (x) => (y) {
            last = Constant <value = int64 {-1}> ()
            sums = CumSum(x, last)
            sum = Gather <axis = -1> (sums, last)
            scale = Constant <value_float: float = @factor> ()
            typed = CastLike(scale, x)
            y = Mul(sum, typed)
        }""",
    }

    x: ir.Value

    @property
    def factor(self) -> float:
        """What the sum is multiplied by."""
        return float(np.float32(1.0 / shape_of(self.x)[-1]))

    def attributes(self) -> dict[str, Attribute]:
        """Store the factor, which the function needs; the view derives it."""
        return {"factor": self.factor}

    @classmethod
    def parse(cls, attributes: object) -> dict[str, object]:
        """Nothing to read: the factor follows from the shape."""
        return {}

    def result(self) -> tuple[ir.DataType, tuple[int, ...]]:
        """Infer the shape without its last axis."""
        x = shape_of(self.x)
        if not x or x[-1] < 1:
            raise disagree(self, f"x {x} has nothing to average")
        return dtype_of(self.x), x[:-1]
