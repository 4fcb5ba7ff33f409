"""What an ONNX network must be before anything runs it."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from typing import Any

import onnx
import onnx_ir as ir

from mcc.ir.diagnostics import Diagnostic, Location, MccError
from mcc.ir.network import DOMAIN, OPERATORS

_STANDARD = ("", "ai.onnx", "ai.onnx.ml", "ai.onnx.preview")
_RUNTIME = ("com.microsoft",)
_RANDOM = frozenset(
    {
        "Bernoulli",
        "Multinomial",
        "RandomNormal",
        "RandomNormalLike",
        "RandomUniform",
        "RandomUniformLike",
    }
)


def check_model(model: ir.Model, file: str) -> None:
    """Refuse a network without outputs, with unknown operators, undefined values or a cycle.

    Raises:
        MccError: Every problem that was found.
    """
    problems = list(_no_text(model, file)) or [
        *_no_outputs(model, file),
        *_unknown_operators(model, file),
        *_random_operators(model, file),
        *_mixed_opsets(model, file),
        *_undefined_values(model.graph, set(), file),
        *_cycle(model.graph, file),
    ]
    if problems:
        raise MccError(problems)


def _no_text(model: ir.Model, file: str) -> Iterator[Diagnostic]:
    """Find names that are no UTF-8, which protobuf hands on as bytes."""
    values = [*model.graph.inputs, *model.graph.outputs, *model.graph.initializers.values()]
    names: list[Any] = [value.name for value in values]
    for node in (*model.graph.all_nodes(), *_function_nodes(model)):
        names += [node.name, node.op_type, node.domain]
        names += [value.name for value in (*node.inputs, *node.outputs) if value is not None]
    wrong = [name for name in names if isinstance(name, bytes)]
    if wrong:
        text = f"a name is no text: {wrong[0]!r}"
        yield Diagnostic("network-damaged", text, "export the model again", Location(file))


def _no_outputs(model: ir.Model, file: str) -> Iterator[Diagnostic]:
    """Find outputs that nothing computes, or the lack of any."""
    graph = model.graph
    known = {id(value) for value in (*graph.inputs, *graph.initializers.values())}
    known |= {id(value) for node in graph for value in node.outputs}
    lost = [value.name for value in graph.outputs if id(value) not in known]
    if lost or not graph.outputs:
        text = f"nothing computes output `{lost[0]}`" if lost else "the network has no outputs"
        help = "export the model again, with what it computes as outputs"
        yield Diagnostic("network-damaged", text, help, Location(file))


def _unknown_operators(model: ir.Model, file: str) -> Iterator[Diagnostic]:
    for node in (*model.graph.all_nodes(), *_function_nodes(model)):
        if node.op_identifier() in model.functions or node.domain in _RUNTIME:
            continue
        if node.domain == DOMAIN and node.op_type in OPERATORS:
            continue
        version = _version(model, node)
        if node.domain in _STANDARD and version > onnx.defs.onnx_opset_version():
            newest = onnx.defs.onnx_opset_version()
            text = f"opset {version} is newer than {newest}, the newest that is known"
            yield Diagnostic("opset-unsupported", text, "export at an older opset", Location(file))
            return
        name = f"{node.domain}::{node.op_type}" if node.domain else node.op_type
        domain = "" if node.domain == "ai.onnx" else node.domain
        if domain not in _STANDARD or not is_known(node.op_type, version, domain):
            text = f"operator `{name}` of opset {version} is unknown"
            help = "export the model with standard operators, or as a function in the model"
            yield Diagnostic("operator-unknown", text, help, Location(file, 0, node.name or ""))


def _random_operators(model: ir.Model, file: str) -> Iterator[Diagnostic]:
    for node in (*model.graph.all_nodes(), *_function_nodes(model)):
        if node.domain in ("", "ai.onnx") and node.op_type in _RANDOM:
            text = f"`{node.op_type}` draws random numbers, so that two calls do not agree"
            help = "make the random numbers an input of the network"
            yield Diagnostic("random-operator", text, help, Location(file, 0, node.name or ""))
        if node.domain in ("", "ai.onnx") and node.op_type == "Dropout" and _trains(node):
            text = "`Dropout` in training mode draws random numbers, so that two calls do not agree"
            help = "export the model for inference"
            yield Diagnostic("random-operator", text, help, Location(file, 0, node.name or ""))


def _trains(node: ir.Node) -> bool:
    """Tell whether a dropout may be asked for training."""
    mode = node.inputs[2] if len(node.inputs) > 2 else None
    known = None if mode is None else ir.convenience.get_const_tensor(mode)
    return mode is not None and (known is None or bool(known.numpy()))


def _version(model: ir.Model, node: ir.Node) -> int:
    imports = model.graph.opset_imports
    return imports.get(node.domain, imports.get("ai.onnx", 1) if not node.domain else 1)


def is_known(op_type: str, version: int, domain: str) -> bool:
    """Tell whether the standard has an operator, or ONNX Runtime has it in the standard's domain.

    What the standard advises against (`GroupNormalization` of opset 18) ONNX Runtime may run.
    """
    if onnx.defs.has(op_type, version, domain):
        return True
    runtime: Any = importlib.import_module("onnxruntime.capi.onnxruntime_pybind11_state")
    versions = {
        schema.since_version: not schema.deprecated
        for schema in runtime.get_all_operator_schema()
        if (schema.name, schema.domain) == (op_type, domain) and schema.since_version <= version
    }
    return bool(versions) and versions[max(versions)]


def _function_nodes(model: ir.Model) -> Iterator[ir.Node]:
    for function in model.functions.values():
        yield from function.all_nodes()


def _mixed_opsets(model: ir.Model, file: str) -> Iterator[Diagnostic]:
    """Find functions of another opset, with an operator that changed between the two.

    The standard reads it at the opset of the function, ONNX Runtime at that of the network.
    """
    for function in model.functions.values():
        inner, outer = (_opset(item.opset_imports) for item in (function, model.graph))
        for node in function.all_nodes():
            if node.domain in ("", "ai.onnx") and _since(node, inner) != _since(node, outer):
                text = f"`{node.op_type}` in function `{function.name}` has opset {inner}, in the"
                text += f" network it has another meaning or form, at opset {outer}"
                help = "export the model at one opset"
                place = Location(file, 0, node.name or "")
                yield Diagnostic("opset-unsupported", text, help, place)


def _since(node: ir.Node, opset: int) -> int:
    known = onnx.defs.has(node.op_type, opset, "")
    return onnx.defs.get_schema(node.op_type, opset, "").since_version if known else 0


def _opset(imports: Mapping[str, int]) -> int:
    return imports.get("", imports.get("ai.onnx", 1))


def _undefined_values(graph: ir.Graph, outer: set[int], file: str) -> Iterator[Diagnostic]:
    """Find inputs of nodes that nothing defines."""
    known = outer | {id(value) for value in (*graph.inputs, *graph.initializers.values())}
    known |= {id(value) for node in graph for value in node.outputs}
    for node in graph:
        for value in node.inputs:
            if value is not None and id(value) not in known:
                text = f"value `{value.name}` is used and never defined"
                place = Location(file, 0, node.name or "")
                yield Diagnostic("network-damaged", text, "export the model again", place)
        for attribute in node.attributes.values():
            for inner in _graphs_in(attribute):
                yield from _undefined_values(inner, known, file)


def _graphs_in(attribute: ir.Attr) -> tuple[ir.Graph, ...]:
    if attribute.type == ir.AttributeType.GRAPH:
        return (attribute.as_graph(),)
    return tuple(attribute.as_graphs()) if attribute.type == ir.AttributeType.GRAPHS else ()


def _cycle(graph: ir.Graph, file: str) -> Iterator[Diagnostic]:
    """Take away nodes whose inputs are computed until none is left; what is left has a cycle."""
    waiting = {
        node: {item for item in node.predecessors() if item.graph is graph} for node in graph
    }
    ready = [node for node, before in waiting.items() if not before]
    while ready:
        done = ready.pop()
        waiting.pop(done, None)
        for node in done.successors():
            if node in waiting and done in waiting[node]:
                waiting[node].discard(done)
                if not waiting[node]:
                    ready.append(node)
    if waiting:
        names = [node.name or node.op_type for node in waiting][:5]
        text = f"nodes feed each other in a circle: {', '.join(names)}"
        yield Diagnostic(
            "network-cycle", text, "export the model again", Location(file, 0, names[0])
        )
