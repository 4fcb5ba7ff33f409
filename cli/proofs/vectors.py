"""Test inputs and expected outputs, under the names that they have in the compiled file."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from numpy.typing import NDArray

from mcc.cli.proofs.checks import Check
from mcc.ir.artifact import VECTORS, Artifact
from mcc.ir.network import Feeds, Network
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
        if match := re.fullmatch(rf"{kind}/([0-9]+)/(.*)", key, re.DOTALL):
            runs.setdefault(int(match[1]), {})[match[2]] = array
    return [runs[index] for index in sorted(runs)]


def check_names(artifact: Artifact, network: Network) -> Iterator[Check]:
    """Require at least one run, and of every run what its name says, no array more or less."""
    names = {
        "input": [value.name or "" for value in network.graph.inputs],
        "output": [value.name or "" for value in network.graph.outputs],
    }
    inputs, outputs = (len(runs_of(artifact, kind)) for kind in names)
    expected = {
        f"{kind}/{index}/{name}"
        for kind, count in (("input", inputs), ("output", outputs))
        for index in range(count)
        for name in names[kind]
    }
    found = artifact.vectors.keys()
    if strange := sorted(expected ^ found):
        verb = "holds" if strange[0] in found else "lacks"
        yield Check(VECTORS, False, f"it {verb} `{strange[0]}`")
    elif not 1 <= outputs <= inputs:
        yield Check(VECTORS, False, f"it holds {inputs} runs, {outputs} with outputs")
