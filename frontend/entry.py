"""The one door: tells what it was given and sends it on its way."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import onnx
import onnx_ir as ir

from mcc.frontend.capture import Capture
from mcc.frontend.examples import InputSpec
from mcc.frontend.request import Request
from mcc.ir.diagnostics import Diagnostic, MccError, error

if TYPE_CHECKING:
    import torch

Source = Any
"""A module, an exported program, a graph module, an ONNX model, or a path."""


def capture(
    source: Source,
    example_inputs: Any = None,
    *,
    kwargs: Mapping[str, Any] | None = None,
    input_shapes: Mapping[str, tuple[int, ...] | InputSpec] | None = None,
    module_factory: str | Callable[[], torch.nn.Module] | None = None,
    trust_pickle: bool = False,
) -> Capture:
    """Capture a network for one sample, and certify it against the original.

    Args:
        source: An `nn.Module`, `ExportedProgram`, `torch.fx.GraphModule`, ONNX model (of onnx or
            onnx_ir), or a path to a `.pt`, `.pth`, `.pt2` or `.onnx` file. It is left as it is.
        example_inputs: A tuple or list of the positional arguments, one tensor or array, or a
            mapping from the names of the arguments.
        kwargs: Arguments by keyword.
        input_shapes: Shapes of inputs for which no example is given, by name.
        module_factory: What builds the module of a state dict: a function or `pkg.mod:function`.
        trust_pickle: Whether a pickled module may be loaded, which runs any code it holds.

    Raises:
        MccError: The source is refused, with every reason that was found.
    """
    specs = {
        name: spec if isinstance(spec, InputSpec) else InputSpec(tuple(spec))
        for name, spec in (input_shapes or {}).items()
    }
    request = Request(example_inputs, dict(kwargs or {}), specs, module_factory, trust_pickle)
    found = _send(source, request)
    _refuse_hollow(found)
    return found


def _refuse_hollow(found: Capture) -> None:
    """Refuse outputs without elements, which no chip can give."""
    problems = [
        Diagnostic(
            "output-unsupported",
            f"output `{leaf.name}` has no elements: {'x'.join(map(str, leaf.shape))}",
            "leave it out of the network",
        )
        for leaf in found.signature.output_leaves
        if 0 in leaf.shape
    ]
    if problems:
        raise MccError(problems)


def _send(source: Source, request: Request) -> Capture:
    if isinstance(source, (str, Path)):
        from mcc.frontend.files import capture_file

        return capture_file(Path(source), request)
    if isinstance(source, (onnx.ModelProto, ir.Model)):
        from mcc.frontend.onnx_capture import capture_onnx

        return capture_onnx(source, request)
    if "torch" in sys.modules:
        from mcc.frontend.torch_sources import capture_torch

        found = capture_torch(source, request)
        if found is not None:
            return found
    raise error(
        "source-unsupported",
        f"{type(source).__name__} is nothing that can be compiled",
        "give an nn.Module, an ExportedProgram, a GraphModule, an ONNX model or a path",
    )
