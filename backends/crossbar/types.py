"""Element types: from the network's to the program's."""

from __future__ import annotations

import onnx_ir as ir

from mcc.ir.diagnostics import error
from mcc.ir.network.values import dtype_of
from mcc.ir.program import DType

_NAMES = {"FLOAT": "float32", "DOUBLE": "float64"}
_KNOWN = {
    kind: DType(name)
    for kind in ir.DataType
    if (name := _NAMES.get(kind.name, kind.name.lower())) in set(DType)
}


def dtype_of_value(value: ir.Value) -> DType:
    """Return the element type of a value as the program has it.

    Raises:
        MccError: `element-type`, where the chip's buffer cannot hold such elements.
    """
    found = _KNOWN.get(dtype_of(value))
    if found is None:
        raise error(
            "element-type",
            f"`{value.name}` is of {dtype_of(value).name.lower()} elements, which cannot lie in "
            "the chip's buffer",
            "keep values of this type inside one run of host operators",
        )
    return found
