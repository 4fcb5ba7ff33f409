"""The user's names for inputs, outputs and weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import onnx_ir as ir

from mcc.ir.tensors import Array


def name_ends(model: ir.Model, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    """Rename the inputs and outputs of a network; every output gets a node of its own.

    Args:
        model: Changed in place.
        inputs: One name for each input, in order.
        outputs: One name for each output, in order.
    """
    graph = model.graph
    _separate_outputs(graph)
    ends = [*graph.inputs, *graph.outputs]
    for index, value in enumerate(ends):
        value.name = f"mcc/end/{index}"
    taken = {*inputs, *outputs}
    for value in _inner_values(graph):
        if value.name in taken:
            value.name = _fresh(value.name, taken | {other.name for other in _inner_values(graph)})
    for value, name in zip(ends, (*inputs, *outputs), strict=True):
        value.name = name


def output_names(paths: Sequence[str], inputs: Sequence[str]) -> tuple[str, ...]:
    """Name outputs by their path in the result; `output` stands for a bare tensor or a row."""
    names = [
        path if path and not path[0].isdigit() else f"output.{path}".rstrip(".") for path in paths
    ]
    apart = [f"output.{name}" if name in inputs else name for name in names]
    return distinct(apart, inputs)


def distinct(names: Sequence[str], taken: Sequence[str] = ()) -> tuple[str, ...]:
    """Number names that come again: `{"a.b": …}` and `{"a": {"b": …}}` have one path."""
    found = list(taken)
    for name in names:
        found.append(_fresh(name, {*found}))
    return tuple(found[len(taken) :])


def name_weights(model: ir.Model, weights: Mapping[str, Array], prefix: str) -> None:
    """Give constants the names of the parameters whose values they hold.

    The exporter transposes and renames most weights. A constant that is a parameter, or its
    transpose, gets the parameter's name back, with `.transposed` where the name is in use.

    Args:
        model: Changed in place.
        weights: The user's parameters and buffers.
        prefix: What stands before the names that torch kept.
    """
    graph = model.graph
    for value in list(graph.initializers.values()):
        if value.name and value.name.startswith(prefix):
            _rename(graph, value, value.name.removeprefix(prefix))
    by_size: dict[tuple[str, int], list[tuple[str, Array]]] = {}
    for name, array in _parts(weights):
        by_size.setdefault((array.dtype.name, array.size), []).append((name, array))
    for value in list(graph.initializers.values()):
        if value.name in weights or value.const_value is None or value.const_value.size < 2:
            continue
        dtype = value.const_value.dtype
        if dtype.itemsize < 1 or dtype == ir.DataType.STRING:
            continue
        array = value.const_value.numpy()
        name = _find(array, by_size.get((array.dtype.name, array.size), []))
        if name:
            _rename(graph, value, name)


def _parts(weights: Mapping[str, Array]) -> Iterator[tuple[str, Array]]:
    """List the parameters, and the matrices of those that are rows of matrices, as experts are."""
    yield from ((name, array) for name, array in weights.items() if array.size > 1)
    for name, array in weights.items():
        if array.ndim == 3:
            yield from ((f"{name}.{index}", part) for index, part in enumerate(array))


def _find(array: Array, candidates: Sequence[tuple[str, Array]]) -> str:
    for name, other in candidates:
        if array.shape == other.shape and np.array_equal(array, other):
            return name
    for name, other in candidates:
        turned = other.T
        if other.ndim == 2 and array.shape == turned.shape and np.array_equal(array, turned):
            return name
    return ""


def _rename(graph: ir.Graph, value: ir.Value, name: str) -> None:
    taken = {*(item.name or "" for item in _inner_values(graph)), *graph.initializers}
    taken.update(item.name or "" for item in (*graph.inputs, *graph.outputs))
    if name in taken:
        name = _fresh(f"{name}.transposed", taken)
    value.name = name


def _separate_outputs(graph: ir.Graph) -> None:
    """Put an Identity before outputs that are inputs, constants, or named twice."""
    seen: set[int] = set()
    for index, value in enumerate(graph.outputs):
        if value.producer() is None or id(value) in seen:
            node = ir.node("Identity", [value])
            node.outputs[0].type, node.outputs[0].shape = value.type, value.shape
            graph.append(node)
            graph.outputs[index] = node.outputs[0]
        seen.add(id(value))


def _inner_values(graph: ir.Graph) -> list[ir.Value]:
    ends = {id(value) for value in (*graph.inputs, *graph.outputs)}
    made = [value for node in graph.all_nodes() for value in node.outputs]
    return [v for v in (*made, *graph.initializers.values()) if id(v) not in ends and v.name]


def _fresh(name: str, taken: set[str] | set[str | None]) -> str:
    unique, count = name, 1
    while unique in taken:
        count += 1
        unique = f"{name}_{count}"
    return unique
