"""What the user gave beside the network."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast, final

from mcc.frontend.examples import InputSpec, make_example
from mcc.ir.diagnostics import error, nearest
from mcc.ir.tensors import is_torch


@final
@dataclass(frozen=True)
class Request:
    """The example inputs, and the permissions."""

    example_inputs: Any = None
    kwargs: Mapping[str, Any] | None = None
    input_shapes: Mapping[str, InputSpec] | None = None
    module_factory: str | Callable[[], Any] | None = None
    trust_pickle: bool = False

    def arguments(self, names: Sequence[str]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Read the example call of a network with arguments of these names.

        Inputs that only have a shape are drawn at random.

        Raises:
            MccError: There is no example, or a name is not one of `names`.
        """
        args, keywords = self._given(names)
        for index, (name, spec) in enumerate((self.input_shapes or {}).items()):
            if name not in names:
                text = f"there is no input `{name}` to give a shape"
                raise error("input-unknown", text, nearest(name, names))
            if name not in keywords:
                keywords[name] = make_example(name, spec, index)
        if not args and not keywords:
            inputs = ", ".join(names)
            help = "give example inputs, or a shape: `--input name=1x3x32x32`"
            text = f"the network needs example inputs ({inputs})"
            raise error("example-inputs", text, help)
        return args, keywords

    def _given(self, names: Sequence[str]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        keywords = dict(self.kwargs or {})
        given: Any = self.example_inputs
        if given is None:
            return (), keywords
        if isinstance(given, tuple):
            return cast("tuple[Any, ...]", given), keywords
        if isinstance(given, Mapping):
            mapping = cast("Mapping[Any, Any]", given)
            if mapping and all(key in names for key in mapping):
                return (), {**mapping, **keywords}
        if isinstance(given, list) and not is_torch(given):
            return tuple(cast("list[Any]", given)), keywords
        return (cast(Any, given),), keywords
