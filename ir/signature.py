"""What a compiled network takes and gives back, in the structure of the module it came from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, final

import numpy as np

from mcc.ir.diagnostics import Diagnostic, MccError, nearest
from mcc.ir.inputs import check_array, check_counts, collect, fits, missing
from mcc.ir.structure import (
    Leaf,
    Structure,
    build,
    leaves_of,
    structure_from_dict,
    structure_to_dict,
)
from mcc.ir.tensors import Array


@final
@dataclass(frozen=True)
class Parameter:
    """One argument of the network."""

    name: str
    structure: Structure
    positional: bool = True
    """Whether it may be given without its name."""
    optional: bool = False
    """Whether it may be left out: the module would take the value that it had at capture."""


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
                "optional": item.optional,
            }
            for item in self.parameters
        ]
        outputs = structure_to_dict(self.outputs)
        return {"parameters": parameters, "outputs": outputs, "samples": self.samples}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Signature:
        """Read what `to_dict` wrote."""
        parameters = tuple(
            Parameter(
                name=item["name"],
                structure=structure_from_dict(item["structure"]),
                positional=item["positional"],
                optional=item["optional"],
            )
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
                collect(item.structure, given[item.name], item.name, feeds, problems)
            elif not item.optional:
                problems.append(missing(item.name))
        if problems:
            raise MccError(problems)
        return self.check_feeds(feeds)

    def tensors_only(self) -> Signature:
        """Return it for data that hold tensors only: what is no tensor may be left out."""
        plain = [not any(leaves_of(item.structure)) for item in self.parameters]
        parameters = [
            replace(item, optional=item.optional or without)
            for item, without in zip(self.parameters, plain, strict=True)
        ]
        return replace(self, parameters=tuple(parameters))

    def takes(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> bool:
        """Tell whether any input may be an array of this form."""
        return any(
            dtype.name == leaf.dtype and fits(shape, leaf, self.samples)
            for leaf in self.input_leaves
        )

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
        problems += [missing(name, leaf) for name, leaf in leaves.items() if name not in feeds]
        for name, leaf in leaves.items():
            if name in feeds:
                problems += check_array(feeds[name], leaf, self.samples)
        if not problems and self.samples:
            problems += check_counts({name: feeds[name] for name in leaves})
        if problems:
            raise MccError(problems)
        return {name: np.asarray(feeds[name], order="C") for name in leaves}

    def unflatten_outputs(self, outputs: Mapping[str, Array], as_torch: bool = False) -> Any:
        """Put named tensors back into the structure that the module returned."""
        return build(self.outputs, outputs, as_torch)

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
