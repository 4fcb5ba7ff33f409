"""Changing a graph: names stay unique, results typed, source locations inherited."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, final

import numpy as np
import onnx_ir as ir

from mcc.ir.network.location import inherit
from mcc.ir.network.operators.base import Operator
from mcc.ir.network.shapes import infer
from mcc.ir.network.values import Array


@final
class Editor:
    """Adds, replaces and removes nodes of one graph."""

    def __init__(self, graph: ir.Graph) -> None:
        self.graph = graph
        self._values = _Names(_value_names(graph))
        self._nodes = _Names(node.name for node in graph.all_nodes())
        self._opsets = dict(graph.opset_imports)
        self._added: set[ir.Value] = set()

    def constant(self, array: Array | np.generic, name: str) -> ir.Value:
        """Add a constant, named `name`, or `name_2`, `name_3` and so on where that is taken."""
        unique = self._values.fresh(name)
        tensor = ir.tensor(np.array(array, copy=None, order="C"), name=unique)
        value = ir.Value(
            name=unique,
            type=ir.TensorType(tensor.dtype),
            shape=ir.Shape(np.shape(array)),
            const_value=tensor,
        )
        self.graph.register_initializer(value)
        return value

    def add(
        self,
        operator: Operator,
        *,
        before: ir.Node,
        name: str,
        origins: Sequence[ir.Node] | None = None,
    ) -> ir.Value:
        """Add a node of the `mcc` domain and return its output, which is named like the node.

        The node inherits the locations of `origins`, by default those of `before`. It may have
        the name of `before`, which it is then going to replace.
        """
        node = operator.build(self._node_name(name, before), self._values.fresh(name))
        return self._insert(node, before, origins)

    def standard(
        self,
        op_type: str,
        inputs: Sequence[ir.Value | None],
        attributes: Mapping[str, Any] | None = None,
        *,
        before: ir.Node,
        name: str,
        origins: Sequence[ir.Node] | None = None,
    ) -> ir.Value:
        """Add a node of the standard with one output, typed by ONNX's own inference."""
        output = ir.Value(name=self._values.fresh(name))
        node = ir.node(
            op_type,
            inputs,
            attributes or {},
            outputs=[output],
            name=self._node_name(name, before),
        )
        infer(node, self._opsets)
        return self._insert(node, before, origins)

    def replace(self, node: ir.Node, *results: ir.Value) -> None:
        """Let the users of the outputs of `node` use `results`, and remove `node`.

        A result made by this editor takes over the name of the output it replaces, and so does
        any result that becomes an output of the network.
        """
        for old, new in zip(node.outputs, results, strict=True):
            self._hand_over(old, new, node)
        self.graph.remove(node, safe=True)

    def remove(self, nodes: Iterable[ir.Node]) -> None:
        """Remove nodes that nobody uses."""
        self.graph.remove(list(nodes), safe=True)

    def _node_name(self, name: str, before: ir.Node) -> str:
        return name if name == before.name else self._nodes.fresh(name)

    def _insert(
        self, node: ir.Node, before: ir.Node, origins: Sequence[ir.Node] | None
    ) -> ir.Value:
        inherit(node, *(origins if origins is not None else [before]))
        self.graph.insert_before(before, node)
        self._added.add(node.outputs[0])
        return node.outputs[0]

    def _hand_over(self, old: ir.Value, new: ir.Value, node: ir.Node) -> None:
        is_output = old.is_graph_output()
        if is_output and (new.producer() is None or new.is_graph_output()):
            name = f"{node.name}/identity"
            new = self.standard("Identity", [new], before=node, name=name)
        ir.convenience.replace_all_uses_with(old, new, replace_graph_outputs=True)
        if is_output or new in self._added:
            self._added.discard(new)
            kept, old.name = old.name, None
            new.name = kept


@final
class _Names:
    """Names in use, and how often each was asked for."""

    def __init__(self, taken: Iterable[str | None]) -> None:
        self._taken = {name for name in taken if name}
        self._asked: dict[str, int] = {}

    def fresh(self, name: str) -> str:
        """Return `name`, or `name_2` and so on where it is taken, and take it."""
        count = self._asked.get(name, 1)
        unique = name if count == 1 else f"{name}_{count}"
        while unique in self._taken:
            count += 1
            unique = f"{name}_{count}"
        self._asked[name] = count
        self._taken.add(unique)
        return unique


def _value_names(graph: ir.Graph) -> Iterator[str | None]:
    yield from (value.name for value in graph.inputs)
    yield from graph.initializers
    yield from (value.name for node in graph.all_nodes() for value in node.outputs)
