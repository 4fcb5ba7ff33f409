"""Files that come quantized run as they are: no scale is found anew, nothing runs on the host."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import onnx
import onnx.numpy_helper
import pytest
import torch

from mcc.backends.crossbar import targets
from mcc.frontend import capture
from mcc.ir.network import (
    Feeds,
    IntegerConv,
    IntegerLinear,
    Network,
    ReferenceExecutor,
    Unit,
    constant_of,
    placement_of,
)
from mcc.passes import PassContext, parse_passes, run_pipeline
from tests.acceptance.networks import Residual, manual_seed
from tests.acceptance.trained import DATA, ResNet, from_numpy
from tests.quantized_files import quantized_file

Array = np.ndarray[Any, Any]


def compiled(network: Network, sample: Feeds) -> Network:
    context = PassContext(target=targets.load("rram40nm"), calibration=(sample,))
    return run_pipeline(network, parse_passes("default"), context).network


def weights(network: Network) -> list[Array]:
    """The matrices and kernels on the crossbars."""
    kinds = (IntegerConv, IntegerLinear)
    views = [kind.of(node) for node in network.graph for kind in kinds if kind.matches(node)]
    return [cast("Array", constant_of(view.weight)) for view in views]


def integers(file: onnx.ModelProto) -> list[Array]:
    """The matrices and kernels of a file."""
    found = [onnx.numpy_helper.to_array(item) for item in file.graph.initializer]
    return [array for array in found if array.dtype == np.int8 and array.ndim > 1]


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("operators", [False, True])
def test_the_chip_holds_the_integers_of_the_file_and_runs_all(
    signed: bool, per_channel: bool, operators: bool
) -> None:
    manual_seed(1)
    samples = [{"x": torch.randn(1, 3, 12, 12).numpy()} for _ in range(6)]
    network = capture(Residual().eval(), (from_numpy(samples[0]["x"]),)).network
    file = quantized_file(
        network, samples, signed=signed, per_channel=per_channel, operators=operators
    )
    result = compiled(capture(file).network, samples[0])
    places = [placement_of(node) for node in result.graph]
    assert all(place is not None and place.unit is not Unit.HOST for place in places)
    *kernels, matrix = weights(result)
    wanted = [*kernels, matrix.T]
    assert len(wanted) == len(integers(file)) == 4
    for array in integers(file):
        assert any(np.array_equal(array, made) for made in wanted)


def images(pixels: Array) -> list[Feeds]:
    mean = np.array([0.485, 0.456, 0.406], np.float32)
    spread = np.array([0.229, 0.224, 0.225], np.float32)
    scaled = (pixels.astype(np.float32) / np.float32(255) - mean) / spread
    return [{"x": np.ascontiguousarray(item.transpose(2, 0, 1)[None])} for item in scaled]


@pytest.mark.skipif(not DATA.is_dir(), reason="../shared/data is not present")
@pytest.mark.parametrize("operators", [False, True])
def test_a_trained_network_decides_as_in_onnx_runtime(operators: bool) -> None:
    """Sums may be rounded otherwise, so that a code flips here and there; the largest score not."""
    with np.load(DATA / "cifar10" / "cifar10_jpeg_subset.npz") as archive:
        training = images(archive["train_images"][:32])
    with np.load(DATA / "models" / "cifar10_mlperftiny_test200.npz") as archive:
        test, labels = images(archive["images"]), archive["labels"]
    network = capture(ResNet.load(20).eval(), (from_numpy(training[0]["x"]),)).network
    file = capture(quantized_file(network, training, operators=operators)).network
    result = compiled(file, training[0])
    both = [ReferenceExecutor(item) for item in (file, result)]
    (name,) = both[0].outputs
    old, new = (np.concatenate([item.run(x)[name] for x in test]) for item in both)
    step = np.diff(np.unique(old)).min()
    assert np.array_equal(old.argmax(axis=1), new.argmax(axis=1))
    assert np.abs(old - new).max() < 3.5 * step
    assert (old.argmax(axis=1) == labels).mean() > 0.87
