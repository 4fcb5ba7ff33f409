"""Test inputs and expected outputs, under the names that they have in the compiled file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from numpy.typing import NDArray

from mcc.ir.artifact import Artifact
from mcc.ir.network import Feeds
from mcc.ir.tensors import Array


def vectors_of(
    inputs: Sequence[Feeds], outputs: Sequence[Mapping[str, Array]]
) -> dict[str, NDArray[Any]]:
    """Name the arrays of some runs: `input/<run>/<name>` and `output/<run>/<name>`."""
    kinds = (("input", inputs), ("output", outputs))
    return {
        f"{kind}/{index}/{name}": array
        for kind, runs in kinds
        for index, run in enumerate(runs)
        for name, array in run.items()
    }


def runs_of(artifact: Artifact, kind: str) -> list[dict[str, Array]]:
    """Return the inputs or the outputs of each run; the inverse of `vectors_of`."""
    runs: dict[int, dict[str, Array]] = {}
    for key, array in artifact.vectors.items():
        label, index, name = key.split("/", 2)
        if label == kind:
            runs.setdefault(int(index), {})[name] = array
    return [runs[index] for index in sorted(runs)]
