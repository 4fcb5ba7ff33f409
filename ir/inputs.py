"""What a call gives, held against what the network takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np

from mcc.ir.diagnostics import Diagnostic, nearest
from mcc.ir.structure import Constant, Group, GroupKind, Leaf, Plain, Structure
from mcc.ir.tensors import Array, is_dense, is_torch, named_items, to_array, type_name


def fits(shape: tuple[int, ...], leaf: Leaf, samples: bool) -> bool:
    """Tell whether an array of this shape is one that an input may be."""
    any_count = samples and len(shape) > 0 and shape[1:] == leaf.shape[1:]
    return any_count or shape == leaf.shape


def check_array(array: Array, leaf: Leaf, samples: bool) -> list[Diagnostic]:
    """Check type, shape and, where these are right, finiteness of one input."""
    problems: list[Diagnostic] = []
    if array.dtype.name != leaf.dtype:
        text = f"input `{leaf.name}` is {type_name(array.dtype)}, the network takes {leaf.dtype}"
        help = f"convert it: `{leaf.name}.astype('{leaf.dtype}')`"
        problems.append(Diagnostic("input-dtype", text, help))
    wanted = ("n", *leaf.shape[1:]) if samples else leaf.shape
    if not fits(array.shape, leaf, samples):
        text = f"input `{leaf.name}` is {_size(array.shape)}, the network takes {_size(wanted)}"
        fixed = "it is compiled for this shape only: axis 0 does not count independent samples"
        help = "n counts the samples" if samples else fixed
        if samples and array.shape == leaf.shape[1:]:
            help = f"add the axis of samples: `{leaf.name}[None]`"
        problems.append(Diagnostic("input-shape", text, help))
    elif array.size == 0:
        text = f"input `{leaf.name}` holds no sample"
        problems.append(Diagnostic("input-shape", text, "give at least one"))
    if not problems and array.dtype.kind == "f" and not np.isfinite(array).all():
        bad = int(array.size - np.isfinite(array).sum())
        text = f"input `{leaf.name}` is NaN or infinite in {bad} of {array.size} elements"
        problems.append(Diagnostic("input-not-finite", text, "clean the data first"))
    return problems


def _size(shape: Sequence[int | str]) -> str:
    return "x".join(str(item) for item in shape) or "a scalar"


def missing(name: str, leaf: Leaf | None = None) -> Diagnostic:
    """Say that an input is not given, and what it is where that is one tensor."""
    help = "every input of the network is needed"
    if leaf is not None:
        help = f"give an array of {leaf.dtype}, {_size(leaf.shape)} at capture"
    return Diagnostic("input-missing", f"input `{name}` is not given", help)


def check_counts(feeds: Mapping[str, Array]) -> list[Diagnostic]:
    """Check that all inputs have the same number of samples."""
    counts = {name: array.shape[0] for name, array in feeds.items()}
    if len(set(counts.values())) <= 1:
        return []
    text = ", ".join(f"`{name}` {count}" for name, count in counts.items())
    help = "give the same number of samples to every input"
    return [Diagnostic("input-shape", f"the inputs differ in their samples: {text}", help)]


def collect(
    structure: Structure,
    value: Any,
    path: str,
    feeds: dict[str, Array],
    problems: list[Diagnostic],
) -> None:
    """Find the tensors of `structure` in what was given for it.

    Args:
        structure: What was given at capture.
        value: What is given now.
        path: How to call the value.
        feeds: Receives the tensors by name.
        problems: Receives every difference.
    """
    if isinstance(structure, Leaf):
        array = to_array(value)
        if array is None and is_torch(value) and not is_dense(value):
            text = f"input `{path}` has not all of its elements ({value.layout} on {value.device})"
            help = f"give a dense tensor: `{path}.to_dense()`"
            problems.append(Diagnostic("input-dtype", text, help))
        elif array is None and is_torch(value):
            kind = str(value.dtype).removeprefix("torch.")
            text = f"input `{path}` is {kind}, the network takes {structure.dtype}"
            help = f"convert it: `{path}.to(torch.{structure.dtype})`"
            problems.append(Diagnostic("input-dtype", text, help))
        elif array is None:
            text = f"input `{path}` is {type(value).__name__}, the network takes a tensor"
            problems.append(Diagnostic("input-dtype", text, "give a NumPy array or a torch tensor"))
        else:
            feeds[structure.name] = array
    elif isinstance(structure, Constant):
        if type(value) is not type(structure.value) or value != structure.value:
            now = repr(value) if isinstance(value, Plain) else type(value).__name__
            text = f"input `{path}` was {structure.value!r} at capture and is {now} now"
            help = "a value that is no tensor is part of the network: compile again with it"
            problems.append(Diagnostic("input-value", text, help))
    else:
        for key, item in _items(structure, value, path, problems):
            collect(item[0], item[1], f"{path}.{key}", feeds, problems)


def _items(
    group: Group, value: Any, path: str, problems: list[Diagnostic]
) -> list[tuple[str | int, tuple[Structure, Any]]]:
    """Pair the items of a container with what was given for them."""
    text = f"input `{path}` is {type(value).__name__}, not a {group.kind}"
    wrong = Diagnostic("input-structure", text, "nest it as at capture")
    if group.kind in (GroupKind.DICT, GroupKind.RECORD):
        mapping = named_items(value)
        if mapping is None:
            problems.append(wrong)
            return []
        for key in mapping:
            if key not in group.keys:
                help = nearest(str(key), map(str, group.keys))
                text = f"there is no input `{path}.{key}`"
                problems.append(Diagnostic("input-unknown", text, help))
        problems += [missing(f"{path}.{key}") for key in group.keys if key not in mapping]
        pairs = zip(group.keys, group.items, strict=True)
        return [(key, (item, mapping[key])) for key, item in pairs if key in mapping]
    if not isinstance(value, (tuple, list)):
        problems.append(wrong)
        return []
    sequence = cast(Sequence[Any], value)
    if len(sequence) != len(group.items):
        text = f"input `{path}` has {len(sequence)} items, the network takes {len(group.items)}"
        problems.append(Diagnostic("input-structure", text, "nest it as at capture"))
        return []
    return list(enumerate(zip(group.items, sequence, strict=True)))
