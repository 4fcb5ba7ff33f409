"""Small networks through passes, code generation, clock and machine: what a target declares.

What `mcc.compile` does, but for capture and proofs, which cost more time than all the rest.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any, cast, final

import numpy as np
from numpy.typing import NDArray

from mcc.backends.crossbar.generate import generate
from mcc.ir.diagnostics import MccError
from mcc.ir.hardware import Target
from mcc.ir.hardware.validity import conductance_warnings
from mcc.ir.network import Network, from_text, shape_of
from mcc.ir.program import Program
from mcc.passes import PassContext, parse_passes, run_pipeline
from mcc.runtime.costs import Costs, costs_of
from mcc.runtime.devices import NOW, Conditions
from mcc.runtime.devices.conditions import condition_warnings
from mcc.runtime.fidelity import Fidelity
from mcc.runtime.machine import Machine
from mcc.runtime.report import make_report

AGED = Conditions(seconds=1e6, kelvin=330.0, cycles=10)
PASSES = "canonicalize,quantize{scheme=symmetric},place,tile"
_HEAD = '<ir_version: 10, opset_import: ["" : 20]> g'


def weights(name: str, *shape: int, seed: int) -> str:
    """Return a constant of random numbers as text."""
    summed = np.prod(shape[1:] if len(shape) > 2 else shape[:1])
    drawn = np.random.default_rng(seed).normal(size=shape).astype(np.float32) / np.sqrt(summed)
    numbers = ",".join(repr(float(number)) for number in drawn.astype(np.float32).ravel())
    return f"float[{','.join(map(str, shape))}] {name} = {{{numbers}}}"


def residual() -> Network:
    """Return a residual network that uses crossbars, vector units, links and the host."""
    constants = [
        weights("first", 32, 16, 3, 3, seed=1),
        weights("second", 32, 32, 3, 3, seed=2),
        weights("last", 32, 10, seed=3),
        "int64[2] flat = {1, 32}",
    ]
    return from_text(
        f"""{_HEAD} (float[1,16,6,6] x) => (float[1,10] y) <{", ".join(constants)}> {{
            a = Conv <pads = [1,1,1,1]> (x, first)
            b = Relu (a)
            c = Conv <pads = [1,1,1,1]> (b, second)
            d = Add (c, b)
            p = GlobalAveragePool (d)
            v = Reshape (p, flat)
            z = MatMul (v, last)
            y = Softmax (z)
        }}"""
    )


def wide() -> Network:
    """Return a linear layer of many row tiles."""
    return from_text(
        f"""{_HEAD} (float[1,768] x) => (float[1,10] y) <{weights("w", 768, 10, seed=1)}> {{
            y = MatMul (x, w)
        }}"""
    )


def samples(network: Network, count: int, seed: int) -> NDArray[np.float32]:
    """Return random inputs (count, *shape of x)."""
    shape = shape_of(network.graph.inputs[0])
    drawn = np.random.default_rng(seed).normal(size=(count, *shape))
    return drawn.astype(np.float32)


def program_for(network: Network, target: Target) -> Program:
    """Compile a network, calibrated on random inputs."""
    calibration = tuple({"x": sample} for sample in samples(network, 4, seed=7))
    context = PassContext(target=target, calibration=calibration)
    outcome = run_pipeline(network, parse_passes(PASSES), context)
    return generate(outcome.network, target).program


RUNS = {
    "outputs.device": (Fidelity.DEVICE, NOW),
    "outputs.aged": (Fidelity.DEVICE, AGED),
    "outputs.wire": (Fidelity.WIRE, NOW),
    "outputs.converter": (Fidelity.CONVERTER, NOW),
    "outputs.exact": (Fidelity.EXACT, NOW),
}


@final
class Declarations:
    """All that is declared of a network on a target, made when it is asked for."""

    PARTS = ("warnings", "report", *RUNS)

    def __init__(self, network: Network, target: Target) -> None:
        """Take the network that is compiled for the target."""
        self._network, self._target = network, target
        self._made: dict[str, dict[str, Any]] = {}

    def part(self, name: str) -> dict[str, Any]:
        """Return one of `PARTS`, by keys that begin with its name."""
        if name not in self._made:
            self._made[name] = self._make(name)
        return self._made[name]

    def all(self) -> dict[str, Any]:
        """Return every part."""
        return {key: value for name in self.PARTS for key, value in self.part(name).items()}

    @cached_property
    def _program(self) -> Program:
        return program_for(self._network, self._target)

    @cached_property
    def _costs(self) -> Costs:
        return costs_of(self._program)

    def _make(self, name: str) -> dict[str, Any]:
        if name == "report":
            return found_in(make_report(self._program, self._costs))
        if name in RUNS:
            fidelity, conditions = RUNS[name]
            costs = self._costs
            try:
                machine = Machine(self._program, fidelity, 5, costs=costs, conditions=conditions)
                outputs = machine.run({"x": samples(self._network, 1, seed=8)}).outputs
            except MccError as problem:
                return {name: str(problem)}
            return {name: {key: it.tobytes() for key, it in outputs.items()}}
        return {name: warnings_of(self._target)}


def warnings_of(target: Target) -> list[str]:
    """Return what users of a target are warned of."""
    findings = [*conductance_warnings(target.cell), *condition_warnings(AGED, target.cell)]
    return [str(item) for item in findings]


def found_in(report: Mapping[str, Any]) -> dict[str, Any]:
    """Return the leaves of a report by dotted path."""
    return dict(_leaves("report", report))


def _leaves(path: str, data: object) -> Iterator[tuple[str, Any]]:
    if isinstance(data, dict):
        for name, value in cast("dict[str, Any]", data).items():
            yield from _leaves(f"{path}.{name}", value)
    else:
        yield path, data
