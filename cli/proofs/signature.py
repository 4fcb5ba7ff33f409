"""Whether a signature is that of a network, in all that the network knows of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mcc.frontend.names import distinct, output_names
from mcc.ir.network import Network, dtype_of, shape_of
from mcc.ir.signature import Signature
from mcc.ir.structure import Group, Leaf, Structure


def fits(signature: Signature, network: Network) -> bool:
    """Whether the tensors of a signature are those of a network, which takes one sample.

    Their names, types and shapes, and that the names say the arguments and keys that lead to them.
    """
    sides = (
        (signature.input_leaves, network.graph.inputs),
        (signature.output_leaves, network.graph.outputs),
    )
    same = all(
        [(leaf.name, leaf.dtype, leaf.shape) for leaf in leaves]
        == [(value.name, dtype_of(value).numpy().name, shape_of(value)) for value in values]
        for leaves, values in sides
    )
    leaves = [leaf for side, _ in sides for leaf in side]
    single = not signature.samples or all(leaf.shape[:1] == (1,) for leaf in leaves)
    return same and single and _named_by_paths(signature)


def _named_by_paths(signature: Signature) -> bool:
    """Whether tensors are named as the frontends name them; a result alone has any name."""
    inputs = [leaf.name for leaf in signature.input_leaves]
    outputs = [leaf.name for leaf in signature.output_leaves]
    taken = [path for item in signature.parameters for path in _paths(item.structure, item.name)]
    given = list(_paths(signature.outputs, ""))
    alone = isinstance(signature.outputs, Leaf)
    return inputs == [*distinct(taken)] and (
        alone or outputs in (given, [*output_names(given, inputs)])
    )


def _paths(structure: Structure, path: str) -> Iterator[str]:
    """Yield the keys and places that lead to each tensor, joined by dots."""
    if isinstance(structure, Leaf):
        yield path
    elif isinstance(structure, Group):
        keys: Sequence[str | int] = structure.keys or range(len(structure.items))
        prefix = f"{path}." if path else ""
        for key, item in zip(keys, structure.items, strict=True):
            yield from _paths(item, f"{prefix}{key}")
