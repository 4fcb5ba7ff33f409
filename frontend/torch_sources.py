"""The torch objects that can be captured."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

import torch
from torch.export import ExportedProgram

from mcc.frontend.capture import Capture
from mcc.frontend.quiet import quiet
from mcc.frontend.request import Request
from mcc.frontend.torch_capture import capture_module


def capture_torch(source: Any, request: Request) -> Capture | None:
    """Capture a torch object; nothing for an object that is not of torch."""
    if isinstance(source, ExportedProgram):
        return capture_program(source, request)
    if isinstance(source, torch.jit.ScriptModule):
        from mcc.frontend.torch_script import capture_script

        return capture_script(source, request)
    if isinstance(source, torch.nn.Module):
        args, kwargs = request.arguments(argument_names(source))
        return capture_module(source, args, kwargs)
    return None


def capture_program(
    program: ExportedProgram, request: Request, called: Sequence[str] = ()
) -> Capture:
    """Capture an exported program, by default on the example inputs that it carries.

    Args:
        program: Left as it is.
        request: Example inputs.
        called: What to call its arguments, in order, where it has lost their names.
    """
    with quiet():
        module = program.module()
    for part in module.modules():
        part.training = False
    names = argument_names(module)
    bare = request.example_inputs is None and not request.kwargs and not request.input_shapes
    if bare and program.example_inputs is not None:
        args, kwargs = program.example_inputs
    else:
        args, kwargs = _by_position(program, names, *request.arguments(names))
    renamed = dict(zip(names, called, strict=False))
    found = capture_module(module, args, kwargs, repeat=True, names=renamed)
    provenance = {key: value for key, value in found.provenance.items() if key != "class"}
    return replace(found, provenance={**provenance, "source": "exported program"})


def _by_position(
    program: ExportedProgram,
    names: Sequence[str],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Give by position what was so at export, which torch insists on."""
    count = cast(Any, program).call_spec.in_spec.child(0).num_children
    rest = dict(kwargs)
    moved = list(args)
    for name in names[len(args) : count]:
        if name not in rest:
            break
        moved.append(rest.pop(name))
    return tuple(moved), rest


def argument_names(module: torch.nn.Module) -> Sequence[str]:
    """List the names of the arguments of `forward`."""
    return [
        name
        for name, item in inspect.signature(module.forward).parameters.items()
        if item.kind not in (item.VAR_POSITIONAL, item.VAR_KEYWORD)
    ]
