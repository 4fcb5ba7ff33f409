"""Grouping the nodes of a mapped network into kernels, and where their values lie."""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import final

import numpy as np
import onnx_ir as ir

from mcc.backends.crossbar.aliases import is_alias, view_results
from mcc.backends.crossbar.elementwise import is_elementwise, operands
from mcc.backends.crossbar.types import dtype_of_value
from mcc.backends.crossbar.views import View
from mcc.backends.onnx.partition import HostGroup, Item
from mcc.backends.onnx.subgraph import HostGraph, extract
from mcc.ir.diagnostics import NOWHERE, Location
from mcc.ir.network.location import location_of
from mcc.ir.network.operators import Mean
from mcc.ir.network.values import Array, Network, constant_of, is_constant, shape_of
from mcc.ir.program import DType


@final
@dataclass(eq=False)
class Kernel:
    """Nodes that run as one: a head, then elementwise nodes on its result; or a host graph."""

    index: int
    head: ir.Node | None = None
    nodes: list[ir.Node] = field(default_factory=list[ir.Node])
    """Elementwise nodes, in order."""
    frame: tuple[int, ...] = ()
    """Shape of what the elementwise nodes make."""
    host: HostGraph | None = None
    host_nodes: tuple[ir.Node, ...] = ()
    """Nodes of the host graph."""
    duplicate: ir.Value | None = None
    """The value that is copied, where that is all."""
    reads: dict[str, View] = field(default_factory=dict[str, View])
    """Tensors in the chip's buffer that it reads, by storage."""
    stores: dict[ir.Value, View] = field(default_factory=dict[ir.Value, View])
    """Tensors in the chip's buffer that it makes."""

    @property
    def name(self) -> str:
        """The node that says most about it."""
        if self.head is not None:
            return self.head.name or ""
        if self.host is not None:
            return f"host {self.index}"
        return (self.nodes[0].name or "") if self.nodes else f"copy {self.index}"

    @property
    def location(self) -> Location:
        """Where in the user's source it comes from."""
        nodes = [*([self.head] if self.head is not None else []), *self.nodes]
        return location_of(nodes[0]) if nodes else NOWHERE

    @property
    def made(self) -> set[ir.Value]:
        """Values that are in local memory inside of it."""
        nodes = [*([self.head] if self.head is not None else []), *self.nodes]
        return {value for node in nodes for value in node.outputs}


@final
class Kernels:
    """Builds the kernels of a network in the order in which they run."""

    def __init__(self, network: Network, items: Sequence[Item]) -> None:
        """Group `items`, which are in an order in which they can run."""
        self.network = network
        self.kernels: list[Kernel] = []
        self.views: dict[ir.Value, View] = {}
        self.constants: dict[str, Array] = {}
        """Contents of the constant storages."""
        self._equal: dict[Hashable, str] = {}
        self._maker: dict[str, int] = {}
        self._waiting: dict[ir.Value, ir.Node] = {}
        """Elementwise nodes without a kernel yet, by result."""
        self._dense: dict[ir.Value, View] = {}
        self._home: dict[ir.Value, Kernel] = {}
        for value in network.graph.inputs:
            self.views[value] = self._fresh(value)
        for item in items:
            self._add(item)
        self._settle(list(self._waiting.values()))
        self.outputs = [(value, self.dense(value)) for value in network.graph.outputs]
        self._finish()

    def view(self, value: ir.Value) -> View:
        """Return where a value lies in the chip's buffer."""
        if value in self._waiting:
            self._settle([self._waiting[value]])
        if value not in self.views:
            array = constant_of(value)
            assert array is not None, f"{value.name} is not in the buffer"
            self.views[value] = self.constant(value.name or "", array)
        return self.views[value]

    def constant(self, name: str, array: Array) -> View:
        """Return a constant of the chip's buffer; equal ones lie there once."""
        array = np.ascontiguousarray(array)
        key = (array.dtype.str, array.shape, hashlib.sha256(array.tobytes()).digest())
        name = self._equal.setdefault(key, f"constant {len(self._equal)}: {name}")
        self.constants[name] = array
        return View.new(name, DType.of(array.dtype), array.shape, constant=True)

    def factor(self, mean: Mean) -> View:
        """Return the constant that a mean is multiplied by."""
        return self.constant("factor", np.array(mean.factor, np.float32))

    def dense(self, value: ir.Value) -> View:
        """Return a contiguous tensor of a value, copied where it lies strided."""
        view = self.view(value)
        if view.contiguous:
            return view
        if value not in self._dense:
            kernel = self._new(duplicate=value, frame=view.shape or (1,))
            copy = View.new(f"copy of {value.name}", view.dtype, view.shape)
            kernel.stores[value] = self._dense[value] = copy
            self._maker[copy.storage.name] = kernel.index
            kernel.reads[view.storage.name] = view
        return self._dense[value]

    def _new(
        self,
        head: ir.Node | None = None,
        frame: tuple[int, ...] = (),
        duplicate: ir.Value | None = None,
    ) -> Kernel:
        kernel = Kernel(len(self.kernels), head, [], frame, duplicate=duplicate)
        self.kernels.append(kernel)
        return kernel

    def _fresh(self, value: ir.Value) -> View:
        return View.new(value.name or "", dtype_of_value(value), shape_of(value))

    def _add(self, item: Item) -> None:
        if isinstance(item, HostGroup):
            self._add_host(item)
        elif is_alias(item):
            self._add_alias(item)
        elif is_elementwise(item):
            self._add_elementwise(item)
        else:
            for value in head_operands(item):
                self.view(value)
            kernel = self._new(item, frame_of(item))
            for value in head_operands(item):
                self._read(kernel, value)
            if Mean.matches(item):
                factor = self.factor(Mean.of(item))
                kernel.reads[factor.storage.name] = factor
            self._made(kernel, item)

    def _add_host(self, group: HostGroup) -> None:
        graph = extract(self.network, group.nodes)
        views = [self.dense(value) for value in graph.inputs]
        kernel = self._new()
        kernel.host, kernel.host_nodes = graph, group.nodes
        for view in views:
            kernel.reads[view.storage.name] = view
        for value in graph.outputs:
            self.views[value] = kernel.stores[value] = self._fresh(value)
            self._maker[value.name or ""] = kernel.index

    def _add_alias(self, node: ir.Node) -> None:
        source = node.inputs[0]
        assert source is not None
        found = view_results(node, self.view(source))
        if found is None:
            found = view_results(node, self.dense(source))
        assert found is not None
        for value, view in zip(node.outputs, found, strict=True):
            self.views[value] = view

    def _add_elementwise(self, node: ir.Node) -> None:
        """Fuse a node into the latest kernel that it reads from, where that fits.

        What reads from no kernel of its shape waits until something reads its result, as it may
        fit into the kernel of that.
        """
        waiting = [self._waiting[value] for value in operands(node) if value in self._waiting]
        kernel = self._room_for(node, waiting)
        if kernel is None and waiting:
            self._settle(waiting)
            waiting, kernel = [], self._room_for(node, [])
        if kernel is None:
            self._waiting[node.outputs[0]] = node
            return
        for member in (*waiting, node):
            self._join(kernel, member)

    def _room_for(self, node: ir.Node, waiting: Sequence[ir.Node]) -> Kernel | None:
        """Return the kernel that takes a node and the waiting ones that it reads from."""
        homes = [self._home[value] for value in operands(node) if value in self._home]
        latest = max(homes, key=lambda kernel: kernel.index, default=None)
        members = (*waiting, node)
        if latest is None or any(frame_of(member) != latest.frame for member in members):
            return None
        return latest if all(self._ready(member, latest) for member in members) else None

    def _settle(self, nodes: Sequence[ir.Node]) -> None:
        """Give waiting nodes kernels of their own, one for those of the same shape."""
        kernels: dict[tuple[int, ...], Kernel] = {}
        for node in nodes:
            if node.outputs[0] in self._waiting:
                frame = frame_of(node)
                if frame not in kernels:
                    kernels[frame] = self._new(frame=frame)
                self._join(kernels[frame], node)

    def _join(self, kernel: Kernel, node: ir.Node) -> None:
        self._waiting.pop(node.outputs[0], None)
        for value in operands(node):
            if value not in kernel.made:
                self._read(kernel, value)
        kernel.nodes.append(node)
        self._made(kernel, node)

    def _ready(self, node: ir.Node, kernel: Kernel) -> bool:
        """Whether all that a node reads is there when a kernel runs."""
        return all(
            value in kernel.made
            or value in self._waiting
            or is_constant(value)
            or self._maker.get(self.views[value].storage.name, -1) < kernel.index
            for value in operands(node)
        )

    def _read(self, kernel: Kernel, value: ir.Value) -> None:
        view = self.view(value)
        kernel.reads[view.storage.name] = view

    def _made(self, kernel: Kernel, node: ir.Node) -> None:
        """Give results a place in the buffer; those that nobody asks for lose it in the end."""
        value = node.outputs[0]
        self._home[value] = kernel
        self.views[value] = kernel.stores[value] = self._fresh(value)
        self._maker[value.name or ""] = kernel.index

    def _finish(self) -> None:
        """Keep only those results in the buffer that something reads there."""
        wanted = {view.storage.name for _, view in self.outputs}
        for kernel in self.kernels:
            wanted.update(kernel.reads)
        for kernel in self.kernels:
            kernel.stores = {
                value: view
                for value, view in kernel.stores.items()
                if view.storage.name in wanted or kernel.host is not None
            }


def frame_of(node: ir.Node) -> tuple[int, ...]:
    """Return the shape of a result as kernels see it: with one dimension at least."""
    return shape_of(node.outputs[0]) or (1,)


def head_operands(node: ir.Node) -> tuple[ir.Value, ...]:
    """Return the values that a head reads as tensors."""
    values = node.inputs if node.op_type == "Concat" else node.inputs[:1]
    return tuple(value for value in values if value is not None)
