"""Small networks through the whole compiler, and programs against their reference."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from mcc.backends.crossbar import targets
from mcc.backends.crossbar.generate import Generation, generate
from mcc.ir.hardware import Target
from mcc.ir.network import Feeds, Network, ReferenceExecutor, dtype_of, shape_of
from mcc.passes import PassContext, parse_passes, run_pipeline
from mcc.runtime.arrays import Fidelity, ProgrammedArrays
from mcc.runtime.executor import Executor
from mcc.runtime.host import HostGraphs
from mcc.runtime.observation import Collector

PASSES = "canonicalize,quantize{},place,tile"


def chip(name: str = "rram40nm", **changes: Any) -> Target:
    """A shipped target with a small mesh and other changes; `__` stands for a dot."""
    small = {"chip.mesh_rows": 2, "chip.mesh_cols": 2}
    return targets.load(name).with_values(
        small | {key.replace("__", "."): value for key, value in changes.items()}
    )


def draw(network: Network, samples: int, seed: int = 0) -> dict[str, np.ndarray[Any, Any]]:
    """Random inputs, samples on axis 0."""
    generator = np.random.default_rng(seed)
    return {
        value.name or "": _draw(generator, dtype_of(value).numpy(), (samples, *shape_of(value)))
        for value in network.graph.inputs
    }


def _draw(
    generator: np.random.Generator, dtype: np.dtype[Any], shape: tuple[int, ...]
) -> np.ndarray[Any, Any]:
    if dtype.kind == "f":
        return generator.normal(size=shape).astype(dtype)
    return generator.integers(0, 2 if dtype.kind == "b" else 7, shape).astype(dtype)


def one(feeds: Mapping[str, np.ndarray[Any, Any]], sample: int) -> Feeds:
    return {name: array[sample] for name, array in feeds.items()}


def mapped(network: Network, target: Target, options: str = "", samples: int = 3) -> Network:
    """Quantize, place and tile a network; random inputs calibrate."""
    feeds = draw(network, samples, seed=1)
    calibration = tuple(one(feeds, sample) for sample in range(samples))
    context = PassContext(target=target, calibration=calibration)
    passes = parse_passes(PASSES.replace("{}", f"{{{options}}}" if options else ""))
    return run_pipeline(network, passes, context).network


def assert_exact(
    network: Network, target: Target, options: str = "", order: int | None = 5
) -> Generation:
    """Compile a network; its program makes every integer and every output of the reference."""
    quantized = mapped(network, target, options)
    made = generate(quantized, target)
    assert_same(quantized, made, draw(quantized, 2), order)
    return made


def assert_same(
    network: Network, made: Generation, feeds: Mapping[str, Any], order: int | None = None
) -> None:
    """Compare a program with its mapped network, bit for bit."""
    samples = len(next(iter(feeds.values())))
    arrays = ProgrammedArrays(made.program, Fidelity.EXACT)
    executor = Executor(made.program, arrays, HostGraphs(made.program.host_graphs))
    collector = Collector(made.places, samples)
    outputs = executor.run(feeds, collector, order, fill=0xA5)
    integers = collector.values()
    assert not collector.unplaced
    values = (*outputs, *integers)
    reference = ReferenceExecutor(network, values=tuple(dict.fromkeys(values)))
    for sample in range(samples):
        expected = reference.run(one(feeds, sample))
        for name, array in (*integers.items(), *outputs.items()):
            np.testing.assert_array_equal(array[sample], expected[name], err_msg=name)
