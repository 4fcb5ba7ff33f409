"""Changes of what a compiled file says: its certificates, report, signature and provenance."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from mcc.ir.artifact import Artifact
from mcc.ir.structure import Group, GroupKind, Leaf

Forgery = Callable[[Artifact], Artifact]


def certificate(index: int, **changes: Any) -> Forgery:
    def forge(made: Artifact) -> Artifact:
        items = list(made.certificates)
        items[index] = replace(items[index], **changes)
        return replace(made, certificates=tuple(items))

    return forge


def other_numbers(index: int) -> Forgery:
    def forge(made: Artifact) -> Artifact:
        detail = re.sub(r"\b\d\S*", "777", made.certificates[index].detail)
        return certificate(index, detail=detail)(made)

    return forge


def without_certificate(index: int) -> Forgery:
    def forge(made: Artifact) -> Artifact:
        items = list(made.certificates)
        del items[index]
        return replace(made, certificates=tuple(items))

    return forge


def number(*path: str) -> Forgery:
    """Change one number of the report by its smallest part."""

    def forge(made: Artifact) -> Artifact:
        return replace(made, report=_changed(made.report, path))

    return forge


def float_cycles(made: Artifact) -> Artifact:
    """Write the same number in another way."""
    time = made.report["time"]
    cycles = time["cycles"] | {"value": float(time["cycles"]["value"])}
    return replace(made, report={**made.report, "time": time | {"cycles": cycles}})


def _changed(data: Any, path: tuple[str, ...]) -> Any:
    if not path:
        return data + 1 if isinstance(data, int) else float(np.nextafter(data, np.inf))
    if isinstance(data, list):
        return [_changed(data[0], path), *data[1:]]
    mapping: Mapping[str, Any] = data
    return {**mapping, path[0]: _changed(mapping[path[0]], path[1:])}


def leaf(**changes: Any) -> Forgery:
    """Change what the signature says of the input."""

    def forge(made: Artifact) -> Artifact:
        [parameter] = made.signature.parameters
        assert isinstance(parameter.structure, Leaf)
        other = replace(parameter, structure=replace(parameter.structure, **changes))
        return replace(made, signature=replace(made.signature, parameters=(other,)))

    return forge


def argument(made: Artifact) -> Artifact:
    [parameter] = made.signature.parameters
    signature = replace(made.signature, parameters=(replace(parameter, name="image"),))
    return replace(made, signature=signature)


def nested_output(made: Artifact) -> Artifact:
    group = Group(GroupKind.DICT, (made.signature.outputs,), ("banana",))
    return replace(made, signature=replace(made.signature, outputs=group))


def provenance(**changes: Any) -> Forgery:
    return lambda made: replace(made, provenance={**made.provenance, **changes})
