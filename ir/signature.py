"""What a compiled network takes and gives back, in the structure of the module it came from."""

from __future__ import annotations

import collections
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, cast, final

import numpy as np
from numpy.typing import NDArray

from mcc.ir.diagnostics import Diagnostic, MccError, nearest

Array = NDArray[Any]
"""An array of any element type."""

Plain = None | bool | int | float | str
"""A value that is no tensor: it is part of the structure and never changes."""


@final
class GroupKind(StrEnum):
    """The containers that a structure is made of."""

    TUPLE = "tuple"
    LIST = "list"
    DICT = "dict"
    NAMED_TUPLE = "named_tuple"


@final
@dataclass(frozen=True)
class Leaf:
    """One tensor: its name in the network, its element type, and its shape for one sample."""

    name: str
    dtype: str
    shape: tuple[int, ...]


@final
@dataclass(frozen=True)
class Constant:
    """A value that is no tensor."""

    value: Plain


@final
@dataclass(frozen=True)
class Group:
    """A container; `keys` names its items where the kind has names."""

    kind: GroupKind
    items: tuple[Structure, ...]
    keys: tuple[str | int, ...] = ()
    type_name: str = ""


Structure = Leaf | Constant | Group


def leaves_of(structure: Structure) -> Iterator[Leaf]:
    """Walk the tensors of a structure in order."""
    if isinstance(structure, Leaf):
        yield structure
    elif isinstance(structure, Group):
        for item in structure.items:
            yield from leaves_of(item)


def map_leaves(structure: Structure, change: Callable[[Leaf], Leaf]) -> Structure:
    """Return the same structure around other tensors."""
    if isinstance(structure, Leaf):
        return change(structure)
    if isinstance(structure, Group):
        items = tuple(map_leaves(item, change) for item in structure.items)
        return replace(structure, items=items)
    return structure


def structure_to_dict(structure: Structure) -> dict[str, Any]:
    """Write a structure as plain data."""
    if isinstance(structure, Leaf):
        shape = list(structure.shape)
        return {"kind": "leaf", "name": structure.name, "dtype": structure.dtype, "shape": shape}
    if isinstance(structure, Constant):
        return {"kind": "constant", "value": structure.value}
    return {
        "kind": str(structure.kind),
        "items": [structure_to_dict(item) for item in structure.items],
        "keys": list(structure.keys),
        "type_name": structure.type_name,
    }


def structure_from_dict(data: Mapping[str, Any]) -> Structure:
    """Read what `structure_to_dict` wrote."""
    kind = data["kind"]
    if kind == "leaf":
        return Leaf(data["name"], data["dtype"], tuple(data["shape"]))
    if kind == "constant":
        return Constant(data["value"])
    items = tuple(structure_from_dict(item) for item in data["items"])
    return Group(GroupKind(kind), items, tuple(data["keys"]), data["type_name"])


@final
@dataclass(frozen=True)
class Parameter:
    """One argument of the network; `positional` where it may be given without its name."""

    name: str
    structure: Structure
    positional: bool = True


@final
@dataclass(frozen=True)
class Signature:
    """The arguments and the results of a network.

    With `samples`, axis 0 of every leaf counts samples and may have any length; else each leaf has
    exactly the shape written here.
    """

    parameters: tuple[Parameter, ...]
    outputs: Structure
    samples: bool

    @property
    def input_leaves(self) -> tuple[Leaf, ...]:
        """The input tensors in the order of the network's inputs."""
        return tuple(leaf for item in self.parameters for leaf in leaves_of(item.structure))

    @property
    def output_leaves(self) -> tuple[Leaf, ...]:
        """The output tensors in the order of the network's outputs."""
        return tuple(leaves_of(self.outputs))

    def to_dict(self) -> dict[str, Any]:
        """Write the signature as plain data."""
        parameters = [
            {
                "name": item.name,
                "structure": structure_to_dict(item.structure),
                "positional": item.positional,
            }
            for item in self.parameters
        ]
        outputs = structure_to_dict(self.outputs)
        return {"parameters": parameters, "outputs": outputs, "samples": self.samples}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Signature:
        """Read what `to_dict` wrote."""
        parameters = tuple(
            Parameter(item["name"], structure_from_dict(item["structure"]), item["positional"])
            for item in data["parameters"]
        )
        return cls(parameters, structure_from_dict(data["outputs"]), data["samples"])

    def flatten_inputs(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Array]:
        """Check a call and name its tensors.

        Raises:
            MccError: The call does not fit; every difference that was found is in it.
        """
        problems: list[Diagnostic] = []
        given = self._bind(args, kwargs, problems)
        feeds: dict[str, Array] = {}
        for item in self.parameters:
            if item.name in given:
                _collect(item.structure, given[item.name], item.name, feeds, problems)
            elif _needs_value(item.structure):
                problems.append(_missing(item.name))
        if problems:
            raise MccError(problems)
        return self.check_feeds(feeds)

    def check_feeds(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """Check tensors that are given by the names of the leaves, and put them in order.

        Raises:
            MccError: A tensor is missing, unknown, of another type or shape, or not finite.
        """
        leaves = {leaf.name: leaf for leaf in self.input_leaves}
        problems = [
            Diagnostic("input-unknown", f"there is no input `{name}`", nearest(name, leaves))
            for name in feeds
            if name not in leaves
        ]
        problems += [_missing(name) for name in leaves if name not in feeds]
        for name, leaf in leaves.items():
            if name in feeds:
                problems += check_array(feeds[name], leaf, self.samples)
        if not problems and self.samples:
            problems += _check_counts({name: feeds[name] for name in leaves})
        if problems:
            raise MccError(problems)
        return {name: np.ascontiguousarray(feeds[name]) for name in leaves}

    def unflatten_outputs(self, outputs: Mapping[str, Array], as_torch: bool = False) -> Any:
        """Put named tensors back into the structure that the module returned."""
        return _build(self.outputs, outputs, as_torch)

    def _bind(
        self, args: Sequence[Any], kwargs: Mapping[str, Any], problems: list[Diagnostic]
    ) -> dict[str, Any]:
        positional = [item.name for item in self.parameters if item.positional]
        names = [item.name for item in self.parameters]
        given = dict(zip(positional, args, strict=False))
        if len(args) > len(positional):
            text = f"{len(args)} inputs are given by position, the network takes {len(positional)}"
            problems.append(Diagnostic("input-unknown", text, f"inputs: {', '.join(names)}"))
        for name, value in kwargs.items():
            if name not in names:
                text = f"there is no input `{name}`"
                problems.append(Diagnostic("input-unknown", text, nearest(name, names)))
            elif name in given:
                text = f"input `{name}` is given twice"
                problems.append(Diagnostic("input-unknown", text, "give it once"))
            else:
                given[name] = value
        return given


def is_torch(value: Any) -> bool:
    """Tell whether a value is a torch tensor, without importing torch."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)


def holds_torch(value: Any) -> bool:
    """Tell whether a nested value holds a torch tensor."""
    if isinstance(value, Mapping):
        return any(holds_torch(item) for item in cast(Mapping[Any, Any], value).values())
    if isinstance(value, (tuple, list)):
        return any(holds_torch(item) for item in cast(Sequence[Any], value))
    return is_torch(value)


def check_array(array: Array, leaf: Leaf, samples: bool) -> list[Diagnostic]:
    """Check type, shape and finiteness of one input."""
    problems: list[Diagnostic] = []
    if array.dtype.name != leaf.dtype:
        text = f"input `{leaf.name}` is {array.dtype.name}, the network takes {leaf.dtype}"
        help = f"convert it: `{leaf.name}.astype('{leaf.dtype}')`"
        problems.append(Diagnostic("input-dtype", text, help))
    wanted = ("n", *leaf.shape[1:]) if samples else leaf.shape
    fits = array.shape[1:] == leaf.shape[1:] and array.ndim > 0 if samples else False
    if not (fits or array.shape == leaf.shape):
        text = f"input `{leaf.name}` is {_size(array.shape)}, the network takes {_size(wanted)}"
        one = samples and array.shape == leaf.shape[1:]
        help = f"add the axis of samples: `{leaf.name}[None]`" if one else ""
        problems.append(Diagnostic("input-shape", text, help))
    elif array.size == 0:
        problems.append(Diagnostic("input-shape", f"input `{leaf.name}` holds no sample"))
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        bad = int(array.size - np.isfinite(array).sum())
        text = f"input `{leaf.name}` has {bad} elements that are NaN or infinite"
        problems.append(Diagnostic("input-not-finite", text, "clean the data first"))
    return problems


def _size(shape: Sequence[int | str]) -> str:
    return "x".join(str(item) for item in shape) or "a scalar"


def _missing(name: str) -> Diagnostic:
    return Diagnostic("input-missing", f"input `{name}` is not given")


def _needs_value(structure: Structure) -> bool:
    return any(True for _ in leaves_of(structure))


def _check_counts(feeds: Mapping[str, Array]) -> list[Diagnostic]:
    counts = {name: array.shape[0] for name, array in feeds.items()}
    if len(set(counts.values())) <= 1:
        return []
    text = ", ".join(f"`{name}` {count}" for name, count in counts.items())
    help = "give the same number of samples to every input"
    return [Diagnostic("input-shape", f"the inputs differ in their samples: {text}", help)]


def _collect(
    structure: Structure,
    value: Any,
    path: str,
    feeds: dict[str, Array],
    problems: list[Diagnostic],
) -> None:
    if isinstance(structure, Leaf):
        array = to_array(value)
        if array is None:
            text = f"input `{path}` is {type(value).__name__}, the network takes a tensor"
            problems.append(Diagnostic("input-dtype", text, "give a NumPy array or a torch tensor"))
        else:
            feeds[structure.name] = array
    elif isinstance(structure, Constant):
        if type(value) is not type(structure.value) or value != structure.value:
            text = f"input `{path}` was {structure.value!r} at capture and is {value!r} now"
            help = "a value that is no tensor is part of the network: compile again with it"
            problems.append(Diagnostic("input-value", text, help))
    else:
        for key, item in _items(structure, value, path, problems):
            _collect(item[0], item[1], f"{path}.{key}", feeds, problems)


def _items(
    group: Group, value: Any, path: str, problems: list[Diagnostic]
) -> list[tuple[str | int, tuple[Structure, Any]]]:
    """Pair the items of a container with what was given for them."""
    wrong = Diagnostic(
        "input-structure", f"input `{path}` is {type(value).__name__}, not a {group.kind}"
    )
    if group.kind is GroupKind.DICT:
        if not isinstance(value, Mapping):
            problems.append(wrong)
            return []
        mapping = cast(Mapping[Any, Any], value)
        for key in mapping:
            if key not in group.keys:
                help = nearest(str(key), map(str, group.keys))
                text = f"there is no input `{path}.{key}`"
                problems.append(Diagnostic("input-unknown", text, help))
        problems += [_missing(f"{path}.{key}") for key in group.keys if key not in mapping]
        pairs = zip(group.keys, group.items, strict=True)
        return [(key, (item, mapping[key])) for key, item in pairs if key in mapping]
    if not isinstance(value, (tuple, list)):
        problems.append(wrong)
        return []
    sequence = cast(Sequence[Any], value)
    if len(sequence) != len(group.items):
        text = f"input `{path}` has {len(sequence)} items, the network takes {len(group.items)}"
        problems.append(Diagnostic("input-structure", text))
        return []
    return list(enumerate(zip(group.items, sequence, strict=True)))


def to_array(value: Any) -> Array | None:
    """View a torch tensor or a NumPy value as an array; nothing for anything else."""
    if is_torch(value):
        tensor = value.detach().cpu()
        return cast(Array, tensor.numpy(force=True)) if _has_numpy_type(tensor) else None
    if isinstance(value, (np.ndarray, np.generic)):
        return np.asarray(cast(Any, value))
    return None


def _has_numpy_type(tensor: Any) -> bool:
    return str(tensor.dtype) not in {"torch.bfloat16"} and "float8" not in str(tensor.dtype)


def _build(structure: Structure, values: Mapping[str, Array], as_torch: bool) -> Any:
    if isinstance(structure, Leaf):
        array = values[structure.name]
        return sys.modules["torch"].from_numpy(array.copy()) if as_torch else array
    if isinstance(structure, Constant):
        return structure.value
    items = [_build(item, values, as_torch) for item in structure.items]
    if structure.kind is GroupKind.DICT:
        return dict(zip(structure.keys, items, strict=True))
    if structure.kind is GroupKind.NAMED_TUPLE:
        fields = [str(key) for key in structure.keys]
        return cast(Any, collections).namedtuple(structure.type_name, fields)(*items)
    return items if structure.kind is GroupKind.LIST else tuple(items)
