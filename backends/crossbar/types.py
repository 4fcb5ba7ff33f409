"""Element types: from the network's to the program's."""

from __future__ import annotations

import onnx_ir as ir

from mcc.ir.network.values import dtype_of
from mcc.ir.program import DType


def dtype_of_value(value: ir.Value) -> DType:
    """Return the element type of a value as the program has it."""
    return DType.of(dtype_of(value).numpy())
