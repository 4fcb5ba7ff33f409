"""The independent judge of every network: ONNX Runtime, one thread, no optimizations."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias, cast, final

import numpy as np
import onnx_ir as ir
import onnxruntime  # pyright: ignore[reportMissingTypeStubs]

from mcc.ir.diagnostics import MccError, error
from mcc.ir.network.operators import attach_functions
from mcc.ir.network.values import Array

Feeds: TypeAlias = Mapping[str, Array]
"""One set of inputs of a network, by name."""

_SHARED_BYTES = 4096


@final
class ReferenceExecutor:
    """Runs a network of any stage; every value of its main graph can be asked for."""

    def __init__(
        self, network: ir.Model, threads: int = 1, values: Sequence[str] | None = None
    ) -> None:
        """Prepare to run `network`.

        Args:
            network: left as it is.
            threads: of ONNX Runtime; the bits of float sums may depend on it.
            values: names of the values to return by default; the network's outputs if None.
        """
        self._network = network
        self._threads = threads
        self.inputs = tuple(value.name or "" for value in network.graph.inputs)
        self.outputs = tuple(value.name or "" for value in network.graph.outputs)
        self._default = tuple(values) if values is not None else self.outputs
        self._given = frozenset(self.inputs).union(network.graph.initializers) - {*self.outputs}
        self._watched = frozenset(self._default) - self._given
        self._session, self._keep = _session(network, tuple(sorted(self._watched)), threads)

    def run(self, feeds: Feeds, values: Sequence[str] | None = None) -> dict[str, Array]:
        """Run once and return the named values, by default those given at the start."""
        wanted = tuple(values) if values is not None else self._default
        computed = [name for name in wanted if name not in self._given]
        if not self._watched.issuperset(computed):
            self._watched = self._watched.union(computed)
            order = tuple(sorted(self._watched))
            self._session, self._keep = _session(self._network, order, self._threads)
        given = {name: np.asarray(feeds[name]) for name in self.inputs if name in feeds}
        try:
            found = cast("list[Array]", self._session.run(computed, given)) if computed else []
        except Exception as problem:
            raise _failed(self._network, problem) from problem
        results = dict(zip(computed, found, strict=True))
        return {
            name: results[name] if name in results else self._passed(name, given) for name in wanted
        }

    def inferred(self) -> dict[str, tuple[ir.DataType, tuple[int, ...]]]:
        """Return the types and shapes that ONNX Runtime infers for the values asked for.

        Left out are sizes that it leaves open, and scalars, which it tells not from these.
        """
        found: dict[str, tuple[ir.DataType, tuple[int, ...]]] = {}
        for item in self._session.get_outputs():
            kind = re.fullmatch(r"tensor\((\w+)\)", item.type)
            if kind and item.shape and all(isinstance(size, int) for size in item.shape):
                found[item.name] = ir.DataType[kind[1].upper()], tuple(item.shape)
        return found

    def _passed(self, name: str, given: Mapping[str, Array]) -> Array:
        """Return a value that is not computed: an input or a constant."""
        if name in given:
            return given[name]
        constant = self._network.graph.initializers[name].const_value
        assert constant is not None
        return constant.numpy()


def session_options(threads: int = 1) -> Any:
    """Return the settings under which results are the reference."""
    runtime = cast("Any", onnxruntime)
    options = runtime.SessionOptions()
    options.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    options.add_session_config_entry("session.x64quantprecision", "1")
    return options


def _session(network: ir.Model, values: Sequence[str], threads: int) -> tuple[Any, list[Any]]:
    copy = attach_functions(network.clone())
    _watch(copy.graph, values)
    options = session_options(threads)
    shared = _share_constants(copy.graph, options)
    try:
        session = cast("Any", onnxruntime).InferenceSession(
            ir.to_proto(copy).SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
    except Exception as problem:
        raise _failed(network, problem) from problem
    return session, shared


def _watch(graph: ir.Graph, values: Sequence[str]) -> None:
    """Make the named computed values outputs of `graph`."""
    present = {value.name for value in graph.outputs}
    known = {value.name: value for node in graph for value in node.outputs}
    for name in values:
        if name in present:
            continue
        if name not in known:
            raise error("value-unknown", f"the network has no value `{name}`")
        graph.outputs.append(known[name])


def _share_constants(graph: ir.Graph, options: Any) -> list[Any]:
    """Hand large constants to ONNX Runtime in place, not through the serialized model."""
    names: list[str] = []
    tensors: list[Any] = []
    for name, value in list(graph.initializers.items()):
        if not value.uses() and not value.is_graph_output():
            # ONNX Runtime drops what nobody reads, and then refuses to be handed it.
            del graph.initializers[name]
            continue
        tensor = value.const_value
        if tensor is None or tensor.nbytes < _SHARED_BYTES or tensor.dtype not in _NUMPY_TYPES:
            continue
        array = np.ascontiguousarray(tensor.numpy())
        names.append(name)
        tensors.append(cast("Any", onnxruntime).OrtValue.ortvalue_from_numpy(array))
        value.const_value = ir.ExternalTensor(
            "in-memory", 0, array.nbytes, tensor.dtype, shape=ir.Shape(array.shape), name=name
        )
    if names:
        options.add_external_initializers(names, tensors)
    return tensors


_NUMPY_TYPES = frozenset(
    {
        ir.DataType.FLOAT,
        ir.DataType.DOUBLE,
        ir.DataType.INT8,
        ir.DataType.UINT8,
        ir.DataType.INT32,
        ir.DataType.INT64,
        ir.DataType.FLOAT16,
    }
)


def _failed(network: ir.Model, problem: Exception) -> MccError:
    name = network.graph.name or "the network"
    text = f"ONNX Runtime does not run {name}: {_reason(str(problem))}"
    help = "`onnx.checker.check_model(path, full_check=True)` tells more about a model"
    return error("reference-failed", text, help)


_FAILED_NODE = re.compile(
    r"Non-zero status code returned while running (?P<kind>\w+) node. Name:'(?P<name>.*?)' "
    r"Status Message: (?P<reason>.*)",
    re.DOTALL,
)


def _reason(text: str) -> str:
    """Leave out of a message of ONNX Runtime what only tells of its own source."""
    text = re.sub(r"^\[ONNXRuntimeError\] : \d+ : \w+ : ", "", text).strip()
    found = _FAILED_NODE.match(text)
    if found is None:
        return text
    reason = re.sub(r"^/\S+:\d+ .* was false\. ", "", found["reason"], flags=re.DOTALL)
    return f"{found['kind']} `{found['name']}`: {reason}"
