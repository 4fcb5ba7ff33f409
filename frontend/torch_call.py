"""One call of a module: its example inputs, bound to the names of its arguments."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast, final

import torch
from torch.utils import _pytree as pytree

from mcc.frontend.names import distinct
from mcc.frontend.torch_structure import describe
from mcc.ir.diagnostics import Diagnostic, MccError, error, nearest
from mcc.ir.signature import Parameter
from mcc.ir.structure import Leaf, Plain, leaves_of, map_leaves
from mcc.ir.tensors import Array, to_array, type_name


@final
@dataclass(frozen=True)
class Call:
    """The arguments of a module with places for their tensors."""

    values: tuple[Any, ...]
    """Every leaf of the arguments; tensors are the example inputs."""
    spec: Any
    """How to build `(args, kwargs)` from the leaves."""
    parameters: tuple[Parameter, ...]

    @property
    def tensors(self) -> tuple[torch.Tensor, ...]:
        """The example inputs in order."""
        return tuple(value for value in self.values if isinstance(value, torch.Tensor))

    def arguments(self, tensors: Sequence[torch.Tensor]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Build the positional and keyword arguments around other tensors."""
        rest = iter(tensors)
        leaves = [next(rest) if isinstance(v, torch.Tensor) else v for v in self.values]
        args, kwargs = pytree.tree_unflatten(leaves, self.spec)
        return args, kwargs


def bind(
    module: torch.nn.Module,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    names: Mapping[str, str] | None = None,
) -> Call:
    """Bind example inputs to the arguments of `module.forward`.

    Args:
        module: What is called.
        args: Example inputs.
        kwargs: Example inputs by keyword.
        names: What to call arguments whose own names say nothing.

    Raises:
        MccError: The arguments do not fit, or hold something that is no tensor and not plain.
    """
    args, kwargs = to_tensors(tuple(args)), to_tensors(dict(kwargs))
    signature = inspect.signature(module.forward)
    _refuse_unknown(signature, kwargs)
    try:
        bound = signature.bind(*args, **kwargs)
    except TypeError as problem:
        text = f"the example inputs do not fit {type(module).__name__}.forward: {problem}"
        raise error("example-inputs", text, "give the arguments of one call") from problem
    found: list[torch.Tensor] = []
    shown = dict(names or {})
    arguments = list(_named(bound))
    described = tuple(
        Parameter(
            name=called,
            structure=describe(value, called, "input-unsupported", found),
            positional=positional,
            optional=_is_default(signature, name, value),
        )
        for name, value, positional in arguments
        for called in [shown.get(name, name)]
    )
    ordered = {name: kwargs[name] for name, _, _ in arguments if name in kwargs}
    values, spec = pytree.tree_flatten((args, ordered))
    call = Call(tuple(values), spec, _named_apart(described))
    if [id(tensor) for tensor in call.tensors] != [id(tensor) for tensor in found]:
        text = f"{type(module).__name__}.forward takes a container that torch cannot take apart"
        help = "use tuples, lists and dicts, or `torch.export.register_dataclass` for a dataclass"
        raise error("input-unsupported", text, help)
    if not found:
        raise error("example-inputs", "the example inputs hold no tensor", "give tensors or arrays")
    return call


def _named_apart(parameters: tuple[Parameter, ...]) -> tuple[Parameter, ...]:
    """Give every tensor a name of its own."""
    leaves = [leaf for item in parameters for leaf in leaves_of(item.structure)]
    names = iter(distinct([leaf.name for leaf in leaves]))

    def rename(leaf: Leaf) -> Leaf:
        return replace(leaf, name=next(names))

    return tuple(replace(item, structure=map_leaves(item.structure, rename)) for item in parameters)


def _refuse_unknown(signature: inspect.Signature, kwargs: Mapping[str, Any]) -> None:
    parameters = signature.parameters
    if any(item.kind is item.VAR_KEYWORD for item in parameters.values()):
        return
    problems = [
        Diagnostic("input-unknown", f"there is no input `{name}`", nearest(name, parameters))
        for name in kwargs
        if name not in parameters
    ]
    if problems:
        raise MccError(problems)


def resize(call: Call, inputs: Sequence[Array]) -> tuple[Parameter, ...]:
    """Describe the parameters of `call` for inputs of other shapes."""
    arrays = iter(inputs)

    def change(leaf: Leaf) -> Leaf:
        return replace(leaf, shape=next(arrays).shape)

    return tuple(
        replace(item, structure=map_leaves(item.structure, change)) for item in call.parameters
    )


def _named(bound: inspect.BoundArguments) -> Iterator[tuple[str, Any, bool]]:
    """Name every argument; one that was left out has its default, where that is a plain value.

    They are positional while none before them is without a value.
    """
    contiguous = True
    for name, parameter in bound.signature.parameters.items():
        if name not in bound.arguments and not isinstance(parameter.default, Plain):
            contiguous = contiguous and parameter.kind is parameter.VAR_POSITIONAL
            continue
        value: Any = bound.arguments.get(name, cast(Any, parameter).default)
        if parameter.kind is parameter.VAR_POSITIONAL:
            for index, item in enumerate(value):
                yield f"{name}.{index}", item, contiguous
        elif parameter.kind is parameter.VAR_KEYWORD:
            for key, item in value.items():
                yield key, item, False
        else:
            keyword = parameter.kind is parameter.KEYWORD_ONLY
            yield name, value, contiguous and not keyword


def _is_default(signature: inspect.Signature, name: str, value: Any) -> bool:
    """Tell whether a module that is called without the argument takes the same plain value."""
    parameter = signature.parameters.get(name)
    if parameter is None or not isinstance(value, Plain):
        return False
    return type(parameter.default) is type(value) and parameter.default == value


def to_tensor(array: Array) -> torch.Tensor:
    """Make a tensor of its own memory from an array.

    Raises:
        MccError: `input-dtype`: torch has no such elements.
    """
    try:
        return cast(Any, torch).from_numpy(array.copy())
    except TypeError as problem:
        text = f"an input is an array of {type_name(array.dtype)}"
        raise error("input-dtype", text, "give numbers, such as float32") from problem


def to_tensors(value: Any) -> Any:
    """Turn the NumPy arrays of a nested value into tensors, and leave all else."""

    def convert(leaf: Any) -> Any:
        array = None if isinstance(leaf, torch.Tensor) else to_array(leaf)
        if array is not None:
            return to_tensor(array)
        return leaf.detach() if isinstance(leaf, torch.Tensor) else leaf

    return pytree.tree_map(convert, value)
