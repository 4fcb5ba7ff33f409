"""Trained networks keep their accuracy; calibration and test data are disjoint."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mcc.backends.crossbar import targets
from mcc.frontend import capture
from mcc.ir.network import Feeds, Network, ReferenceExecutor, Unit, placement_of
from mcc.passes import PassContext, parse_passes, run_pipeline

Array = np.ndarray[Any, Any]
DATA = Path(__file__).parents[3] / "shared" / "data"
pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="../shared/data is not present")


def unpack(name: str, header: int, count: int) -> Array:
    with gzip.open(DATA / "mnist" / name) as file:
        return np.frombuffer(file.read(), np.uint8, offset=header)[:count]


def images(name: str, count: int) -> list[Feeds]:
    pixels = unpack(name, 16, count * 784).astype(np.float32)
    parts: list[Array] = np.split(pixels.reshape(-1, 1, 28, 28), count)
    return [{"Input3": part} for part in parts]


def accuracy(network: Network, samples: list[Feeds], labels: Array) -> float:
    executor = ReferenceExecutor(network)
    scores = [executor.run(sample)[executor.outputs[0]] for sample in samples]
    right: Array = np.concatenate(scores).argmax(axis=1) == labels
    return float(right.sum()) / len(labels)


@pytest.mark.parametrize(
    ("target", "options"),
    [("rram40nm", ""), ("isaac", "observer=percentile"), ("isaac", "granularity=token")],
)
def test_digits_of_mnist(target: str, options: str) -> None:
    source = capture(DATA / "models" / "mnist.onnx").network
    training = tuple(images("train-images-idx3-ubyte.gz", 64))
    context = PassContext(target=targets.load(target), calibration=training)
    passes = parse_passes(f"canonicalize,quantize{{{options}}},place,tile")
    network = run_pipeline(source, passes, context).network
    places = [placement_of(node) for node in network.graph]
    assert sum(place is not None and place.unit is Unit.CROSSBAR for place in places) == 3
    assert all(place is not None and place.unit is not Unit.HOST for place in places)
    test = images("t10k-images-idx3-ubyte.gz", 1000)
    labels = unpack("t10k-labels-idx1-ubyte.gz", 8, 1000)
    assert accuracy(network, test, labels) >= accuracy(source, test, labels) - 0.005
