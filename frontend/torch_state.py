"""State that a module changes while it runs, read from its exported program."""

from __future__ import annotations

import re
from typing import Any, cast

from torch import fx
from torch.export import ExportedProgram

from mcc.frontend.quiet import quiet
from mcc.frontend.torch_effects import location_of_node
from mcc.frontend.torch_flat import PREFIX
from mcc.ir.diagnostics import NOWHERE, Diagnostic, Location


def mutations(program: ExportedProgram, inputs: tuple[str, ...]) -> list[Diagnostic]:
    """Find buffers, parameters and inputs that the program writes.

    They are on no other record: the signature shows them only after decomposition, and the ONNX
    graph drops them.

    Args:
        program: Left as it is.
        inputs: The user's names of the inputs, in order.
    """
    try:
        with quiet():
            signature = cast(Any, program).run_decompositions({}).graph_signature
    except RuntimeError as problem:
        constant = re.search(r"Constant (\S+) is mutated in the forward", str(problem))
        if constant is None:
            raise
        return [_mutated_constant(program, constant.group(1))]
    places = dict(zip(program.graph_signature.user_inputs, inputs, strict=True))
    kept = {
        **program.graph_signature.inputs_to_buffers,
        **program.graph_signature.inputs_to_parameters,
    }
    found: list[Diagnostic] = []
    written = {
        *signature.buffers_to_mutate.values(),
        *getattr(signature, "parameters_to_mutate", {}).values(),
    }
    for target in sorted(written):
        names = [name for name, owner in kept.items() if owner == target]
        where = _first_write(program.graph, names)
        found.append(mutated_state(target.removeprefix(PREFIX), where))
    for target in sorted(set(signature.user_inputs_to_mutate.values())):
        where = _first_write(program.graph, [target])
        name = places.get(target, target)
        text = f"the module changes its input `{name}` in place"
        help = f"work on a copy: `{name} = {name}.clone()`"
        found.append(Diagnostic("mutated-input", text, help, where))
    return found


def _mutated_constant(program: ExportedProgram, target: str) -> Diagnostic:
    owners = program.graph_signature.inputs_to_lifted_tensor_constants
    names = [name for name, owner in owners.items() if owner == target]
    return mutated_state(target.removeprefix(PREFIX), _first_write(program.graph, names))


def mutated_state(name: str, where: Location = NOWHERE) -> Diagnostic:
    """Say that a module keeps state between calls."""
    text = f"the module changes `{name}` while it runs, so that a second call would differ"
    help = "make the state an input and an output of the module"
    return Diagnostic("mutated-state", text, help, where)


def _first_write(graph: fx.Graph, names: list[str]) -> Location:
    """Find the first operator that writes a placeholder or a view of it."""
    aliases: set[fx.Node] = {node for node in graph.nodes if node.name in names}
    for node in graph.nodes:
        schema: Any = getattr(node.target, "_schema", None)
        if schema is None or not aliases.intersection(node.all_input_nodes):
            continue
        for argument, value in zip(schema.arguments, node.args, strict=False):
            if value in aliases and argument.alias_info is not None:
                if argument.alias_info.is_write:
                    return location_of_node(node)
                aliases.add(node)
    return NOWHERE
