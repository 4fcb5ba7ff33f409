"""A tiny network and its data, as files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper

INPUTS, OUTPUTS = 16, 4


def linear(rows: int = INPUTS, columns: int = OUTPUTS, batch: str | int = "n") -> onnx.ModelProto:
    """Return a linear layer with ReLU, from `x` (batch, rows) to `y` (batch, columns)."""
    drawn = np.random.default_rng(0)
    weight = drawn.normal(size=(rows, columns)).astype(np.float32)
    nodes = [
        helper.make_node("Gemm", ["x", "w", "b"], ["h"], name="fc"),
        helper.make_node("Relu", ["h"], ["y"], name="act"),
    ]
    constants = {"w": weight, "b": weight[0]}
    return model(nodes, constants, [batch, rows], [batch, columns])


def model(
    nodes: Sequence[NodeProto],
    constants: dict[str, NDArray[Any]],
    taken: Sequence[str | int] = ("n", INPUTS),
    given: Sequence[str | int] = ("n", OUTPUTS),
) -> onnx.ModelProto:
    """Return a network from `x` to `y`."""
    graph = helper.make_graph(
        list(nodes),
        "tiny",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, list(taken))],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, list(given))],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid("my.operators", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=10)


def data(count: int = 8) -> NDArray[np.float32]:
    """Return inputs of that network, (count, 16)."""
    return np.random.default_rng(1).normal(size=(count, INPUTS)).astype(np.float32)


def write(path: Path, content: onnx.ModelProto) -> None:
    """Write a network as it is, without looking at it."""
    path.write_bytes(content.SerializeToString())
