"""Example inputs of ONNX networks: the user's, or drawn for their shapes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import onnx_ir as ir

from mcc.frontend.examples import DTYPES, InputSpec, make_example, refuse_bad_examples
from mcc.frontend.onnx_shapes import Dims, dims_of
from mcc.frontend.request import Request
from mcc.ir.diagnostics import Diagnostic, MccError, nearest
from mcc.ir.tensors import Array, to_array, type_name


def tensor_types(values: Sequence[ir.Value], code: str) -> dict[str, str]:
    """Name the element type of inputs or outputs.

    Raises:
        MccError: One is no tensor, or of a type that the digital reference cannot compute with.
    """
    found: dict[str, str] = {}
    problems: list[Diagnostic] = []
    for value in values:
        name = value.name or ""
        if not isinstance(value.type, ir.TensorType) or value.shape is None:
            text = f"`{name}` is no tensor of known rank"
            problems.append(Diagnostic(code, text, "export it as a tensor"))
            continue
        kind = value.type.dtype.name.lower()
        found[name] = {"float": "float32", "double": "float64"}.get(kind, kind)
        if found[name] not in DTYPES:
            text = f"`{name}` is {found[name]}"
            problems.append(Diagnostic("dtype-unsupported", text, "convert the model to float32"))
    if problems:
        raise MccError(problems)
    return found


def example_inputs(model: ir.Model, types: Mapping[str, str], request: Request) -> dict[str, Array]:
    """Collect one example for every input; those without data are drawn.

    Raises:
        MccError: An example does not fit, or a size is open and nobody says what it is.
    """
    dims = {value.name or "": dims_of(value) for value in model.graph.inputs}
    given = _given(dims, request)
    specs = dict(request.input_shapes or {})
    problems = [
        Diagnostic("input-unknown", f"there is no input `{name}`", nearest(name, dims))
        for name in (*given, *specs)
        if name not in dims
    ]
    examples: dict[str, Array] = {}
    for index, (name, shape) in enumerate(dims.items()):
        if name in given:
            array = to_array(given[name])
            problems += _misfits(name, array, shape, types[name])
            if array is not None:
                examples[name] = np.asarray(array, order="C")
            continue
        sizes = specs[name].shape if name in specs else _closed(shape)
        kind = specs[name].dtype if name in specs else None
        if kind not in (None, types[name]):
            problems.append(_mistyped(name, str(kind), types[name]))
        elif sizes is None:
            problems.append(_open(name, shape))
        elif not _fits(sizes, shape):
            problems.append(_misfit(name, sizes, shape))
        else:
            examples[name] = make_example(name, InputSpec(sizes, types[name]), index)
    if problems:
        raise MccError(problems)
    refuse_bad_examples(examples)
    return examples


def _given(dims: Mapping[str, Dims], request: Request) -> dict[str, object]:
    bare = request.example_inputs is None and not request.kwargs
    if bare:
        return {}
    args, kwargs = Request(request.example_inputs, request.kwargs).arguments(list(dims))
    if len(args) > len(dims):
        text = f"{len(args)} example inputs are given, the network takes {len(dims)}"
        raise MccError([Diagnostic("input-unknown", text, f"inputs: {', '.join(dims)}")])
    return {**dict(zip(dims, args, strict=False)), **kwargs}


def _closed(shape: Dims) -> tuple[int, ...] | None:
    """Fill in one sample where only the number of samples is open."""
    rest = shape[1:]
    if any(size is None for size in rest):
        return None
    return tuple(1 if size is None else size for size in shape)


def _misfits(name: str, array: Array | None, shape: Dims, dtype: str) -> list[Diagnostic]:
    if array is None:
        text = f"example input `{name}` is no array"
        return [Diagnostic("input-dtype", text, "give a NumPy array or a torch tensor")]
    problems: list[Diagnostic] = []
    if array.dtype.name != dtype:
        problems.append(_mistyped(name, type_name(array.dtype), dtype))
    if not _fits(array.shape, shape):
        problems.append(_misfit(name, array.shape, shape))
    return problems


def _fits(sizes: tuple[int, ...], shape: Dims) -> bool:
    """Tell whether sizes agree with the declared ones; one sample may become several."""
    if len(sizes) != len(shape):
        return False
    rest = zip(sizes[1:], shape[1:], strict=True)
    first = not sizes or shape[0] in (None, 1, sizes[0])
    return first and all(want is None or have == want for have, want in rest)


def _mistyped(name: str, have: str, want: str) -> Diagnostic:
    text = f"input `{name}` is {have}, the network takes {want}"
    return Diagnostic("input-dtype", text, f"convert it to {want}")


def _misfit(name: str, sizes: tuple[int, ...], shape: Dims) -> Diagnostic:
    have = "x".join(map(str, sizes)) or "a scalar"
    text = f"input `{name}` is {have}, the network takes {_text(shape)}"
    rest = tuple(size for size in shape[1:])
    if len(sizes) == len(rest) and all(b in (None, a) for a, b in zip(sizes, rest, strict=True)):
        return Diagnostic("input-shape", text, f"axis 0 counts samples: make it 1x{have}")
    open = None in shape
    help = "`?` stands for any size" if open else "give exactly this shape, or samples of it"
    return Diagnostic("input-shape", text, help)


def _open(name: str, shape: Dims) -> Diagnostic:
    text = f"input `{name}` has an open size: {_text(shape)}"
    sizes = [1, *(16 if size is None else size for size in shape[1:])]
    example = "x".join(map(str, sizes))
    return Diagnostic("dynamic-shape", text, f"say its shape: `--input {name}={example}`")


def _text(shape: Dims) -> str:
    return "x".join("?" if size is None else str(size) for size in shape) or "a scalar"
