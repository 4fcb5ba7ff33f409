"""Makes the network after a pass again: all of it that follows from the network before."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import onnx
from onnx import numpy_helper

from mcc.ir.hardware import Target
from mcc.ir.network import Contract, Network, from_bytes, set_stage, to_bytes
from mcc.passes import Pass, PassContext

_ROUNDING = 1e-5
"""How far constants that a bounded pass computes may move on another processor: in the largest."""


def difference(item: Pass, before: bytes, after: bytes, target: Target) -> str:
    """Run a pass again and say the first thing that is otherwise in the network after it.

    What calibration data alone decide is taken as it is there, since not all of them are kept.

    Args:
        item: The pass.
        before: The network that it took.
        after: The network that it is said to have made.
        target: The chip.
    """
    context = PassContext(target=target, result=from_bytes(after))
    again: Network = set_stage(item.run(from_bytes(before), context), item.to_stage)
    made = to_bytes(again)
    if made == after:
        return ""
    rounding = _ROUNDING if item.contract is Contract.BOUNDED else 0.0
    return next(_differences(_parsed(made), _parsed(after), rounding), "")


def _parsed(data: bytes) -> onnx.ModelProto:
    return onnx.load_from_string(data)


def _differences(
    expected: onnx.ModelProto, found: onnx.ModelProto, rounding: float
) -> Iterator[str]:
    """Yield what is otherwise, constants first; the rest of the two models is then compared."""
    theirs = {item.name: item for item in found.graph.initializer}
    for item in expected.graph.initializer:
        other = theirs.pop(item.name, None)
        if other is None:
            yield f"constant `{item.name}` is missing"
        elif not _same(item, other, rounding):
            yield f"constant `{item.name}` is another"
        else:
            item.CopyFrom(other)
    yield from (f"constant `{name}` is new" for name in theirs)
    pairs = zip(expected.graph.node, found.graph.node, strict=False)
    yield from (f"node `{one.name}` is another" for one, other in pairs if one != other)
    if expected.SerializeToString(deterministic=True) != found.SerializeToString(
        deterministic=True
    ):
        yield "its nodes, ends or metadata are others"


def _same(expected: onnx.TensorProto, found: onnx.TensorProto, rounding: float) -> bool:
    """Whether two constants are the same, floats but for what rounding may change."""
    if expected == found:
        return True
    left, right = numpy_helper.to_array(expected), numpy_helper.to_array(found)
    if left.dtype != right.dtype or left.shape != right.shape or left.dtype.kind != "f":
        return False
    largest = float(np.abs(left[np.isfinite(left)]).max(initial=0.0))
    return rounding > 0 and np.allclose(
        left, right, rtol=0.0, atol=rounding * largest, equal_nan=True
    )
