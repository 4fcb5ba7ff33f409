"""Small networks through the whole compiler, and programs against their reference."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from typing import Any

import numpy as np

from mcc.backends.crossbar import targets
from mcc.backends.crossbar.generate import Generation, generate
from mcc.ir.hardware import Target
from mcc.ir.network import (
    Feeds,
    Network,
    ReferenceExecutor,
    Stage,
    dtype_of,
    place,
    set_stage,
    shape_of,
)
from mcc.ir.program import Program
from mcc.ir.program.instructions import EndLoop, Loop, Post, Recv, Send, Space, Wait
from mcc.ir.program.overlap import Footprint, may_overlap
from mcc.passes import PassContext, parse_passes, run_pipeline
from mcc.passes.place_rules import decide
from mcc.runtime.arrays import ProgrammedArrays
from mcc.runtime.executor import Executor
from mcc.runtime.fidelity import Fidelity
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
    network: Network,
    target: Target,
    options: str = "",
    order: int | None = 5,
    fidelities: Sequence[Fidelity] = (Fidelity.EXACT,),
) -> Generation:
    """Compile a network; its program makes every integer and every output of the reference."""
    quantized = mapped(network, target, options)
    made = generate(quantized, target)
    assert race(made.program) is None
    for fidelity in fidelities:
        assert_same(quantized, made, draw(quantized, 2), order, fidelity)
    return made


def assert_same(
    network: Network,
    made: Generation,
    feeds: Mapping[str, Any],
    order: int | None = None,
    fidelity: Fidelity = Fidelity.EXACT,
) -> None:
    """Compare a program with its mapped network, bit for bit."""
    samples = len(next(iter(feeds.values())))
    arrays = ProgrammedArrays(made.program, fidelity)
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


def placed(network: Network) -> Network:
    """Place the nodes of a network that needs no quantization, in place; it is mapped then."""
    for node in network.graph:
        place(node, decide(node))
    set_stage(network, Stage.MAPPED)
    return network


def race(program: Program) -> str | None:
    """Run the cores without data; return two accesses that no signal brings in order, if any."""
    return _Race(program).run()


class _Race:
    """Vector clocks: what each core knows of how far the others have come."""

    def __init__(self, program: Program) -> None:
        self.program = program
        count = len(program.cores)
        self.clocks = [[0] * count for _ in range(count)]
        self.posted: dict[int, list[list[int]]] = {}
        self.accesses: list[tuple[int, int, bool, Footprint, str]] = []

    def run(self) -> str | None:
        live = {core: self.walk(core) for core in range(len(self.program.cores))}
        blocked: dict[int, Any] = {core: None for core in live}
        while live:
            progress = False
            for core in list(live):
                if self.ready(core, blocked[core], blocked):
                    try:
                        blocked[core] = next(live[core])
                    except StopIteration as end:
                        if end.value is not None:
                            return end.value
                        del live[core]
                    progress = True
            assert progress, "deadlock"
        return None

    def ready(self, core: int, at: Any, blocked: dict[int, Any]) -> bool:
        """Whether a core can go on; it takes what it waited for."""
        if isinstance(at, Wait):
            clocks = self.posted.get(at.semaphore, [])
            if len(clocks) < at.count:
                return False
            for clock in clocks[: at.count]:
                self.learn(core, clock)
            del clocks[: at.count]
        if isinstance(at, Recv):
            other = blocked[at.core]
            if not (isinstance(other, Send) and other.core == core):
                return False
            self.learn(core, self.clocks[at.core])
            blocked[at.core] = None
        return not isinstance(at, Send)

    def learn(self, core: int, clock: list[int]) -> None:
        self.clocks[core] = [max(pair) for pair in zip(self.clocks[core], clock, strict=True)]

    def walk(self, core: int) -> Generator[Any, None, str | None]:
        code, context = self.program.cores[core], self.program.context(core)
        index, loops = 0, list[list[int]]()
        while index < len(code):
            it = code[index]
            index += 1
            self.clocks[core][core] += 1
            if isinstance(it, Loop):
                loops.append([index, it.count, it.count])
            elif isinstance(it, EndLoop):
                loops[-1][1] -= 1
                index = loops[-1][0] if loops[-1][1] else index
                if not loops[-1][1]:
                    loops.pop()
            elif isinstance(it, Post):
                self.posted.setdefault(it.semaphore, []).append(list(self.clocks[core]))
            elif isinstance(it, Wait | Send | Recv):
                yield it
            elif all(loop[1] == loop[2] for loop in loops):
                found = self.touch(core, it, context, [loop[2] for loop in loops])
                if found:
                    return found
        return None

    def touch(self, core: int, it: Any, context: Any, counts: list[int]) -> str | None:
        for write, accesses in ((False, it.reads(context)), (True, it.writes(context))):
            for access in accesses:
                if access.space is Space.LOCAL:
                    continue
                stream = access.stream
                dims = [*stream.dims, *zip(counts, stream.steps, strict=False)]
                here = Footprint.of(stream.base, dims, stream.dtype.itemsize)
                for other, time, wrote, there, what in self.accesses:
                    unknown = other != core and self.clocks[core][other] < time
                    if unknown and (write or wrote) and may_overlap(here, there):
                        return f"core {core}: {it}; core {other}: {what}"
                record = (core, self.clocks[core][core], write, here, str(it))
                self.accesses.append(record)
        return None
