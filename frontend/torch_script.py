"""TorchScript, which torch turns into an exported program where it can."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch.utils import _pytree as pytree

from mcc.frontend.capture import Capture
from mcc.frontend.quiet import quiet
from mcc.frontend.request import Request
from mcc.frontend.samples import close
from mcc.frontend.torch_call import to_tensors
from mcc.frontend.torch_sources import capture_program
from mcc.ir.diagnostics import MccError, error
from mcc.ir.tensors import Array

_HELP = "compile the original module, or save it with `torch.export.save`"


def capture_script(script: torch.jit.ScriptModule, request: Request) -> Capture:
    """Convert TorchScript to an exported program, compare the two, and capture the program.

    Raises:
        MccError: torch cannot convert it, or the result differs.
    """
    inputs = _inputs(script, request)
    try:
        with quiet(), torch.no_grad():
            from torch._export.converter import TS2EPConverter

            program: Any = TS2EPConverter(script, inputs).convert()
            expected = _arrays(script(*inputs))
            found = _arrays(program.module()(*inputs))
    except Exception as problem:
        lines = str(problem).strip().splitlines() or [type(problem).__name__]
        text = f"torch cannot turn this TorchScript into an exported program: {lines[0]}"
        raise error("file-kind", text, _HELP) from problem
    if len(expected) != len(found) or not all(map(close, expected, found)):
        text = "the exported program that torch makes of this TorchScript computes something else"
        raise error("capture-differs", text, _HELP)
    given = replace(request, example_inputs=inputs, kwargs=None, input_shapes=None)
    return capture_program(program, given, _argument_names(script))


def _inputs(script: torch.jit.ScriptModule, request: Request) -> tuple[Any, ...]:
    names = _argument_names(script)
    args, kwargs = request.arguments(names)
    rest = [name for name in names[len(args) :] if name in kwargs]
    if len(rest) != len(kwargs) or rest != list(names[len(args) : len(args) + len(rest)]):
        raise _unfit(names)
    return tuple(to_tensors([*args, *(kwargs[name] for name in rest)]))


def _argument_names(script: torch.jit.ScriptModule) -> Sequence[str]:
    forward: Any = script.forward
    return [item.name for item in forward.schema.arguments[1:]]


def _unfit(names: Sequence[str]) -> MccError:
    text = f"the example inputs do not fit the arguments {', '.join(names)}"
    return error("example-inputs", text, "give the arguments of one call")


def _arrays(value: Any) -> list[Array]:
    leaves = pytree.tree_leaves(value)
    return [leaf.numpy(force=True) for leaf in leaves if isinstance(leaf, torch.Tensor)]
