"""One chip instance that runs a program."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from mcc.ir.program import Program
from mcc.runtime.arrays import ProgrammedArrays
from mcc.runtime.costs import Costs, costs_of
from mcc.runtime.cycles import Cycles
from mcc.runtime.devices import NOW, Conditions
from mcc.runtime.devices.stuck import check_used
from mcc.runtime.executor import Executor, Progress
from mcc.runtime.fidelity import Fidelity
from mcc.runtime.host import HostGraphs
from mcc.runtime.observation import Observer


@final
@dataclass(frozen=True)
class Run:
    """What a machine made of a number of samples, which it runs one after another."""

    outputs: dict[str, NDArray[Any]]
    """Every output of the program, `(samples, *shape)`."""
    samples: int
    cycles_per_sample: int
    cycles: int
    """Of all samples."""
    seconds: float
    """Of all samples, on the chip."""
    joules: float
    """Of all samples."""
    joules_by_component: dict[str, float]
    """Of all samples."""
    trace: Cycles | None
    """Start and end of every instruction of one sample, where it was asked for."""


@final
class Machine:
    """A chip whose macros have been programmed, with its host.

    Numbers depend on program, fidelity, seed, inputs and the number of each sample: not on
    `threads`, and not on how samples are parted into runs. The machine counts the samples that it
    has run, so that every read has noise of its own, in one run or in the next.
    """

    def __init__(
        self,
        program: Program,
        fidelity: Fidelity = Fidelity.EXACT,
        seed: int = 0,
        threads: int = 1,
        costs: Costs | None = None,
        conditions: Conditions = NOW,
        stuck: Mapping[tuple[int, int], NDArray[np.uint8]] | None = None,
    ) -> None:
        """Program one chip.

        Args:
            program: What to run.
            fidelity: How much of the physics to include.
            seed: The chip instance.
            threads: Threads to compute with.
            costs: Of the same program, where they are known already.
            conditions: When, how warm and how worn the cells are, at `device`.
            stuck: Measured maps of stuck cells by core and macro, at `device`.

        Raises:
            MccError: `stuck-map`, also for a macro into which nothing is programmed; or
                `seed-invalid`, `read-levels`.
        """
        self.program = program
        self.fidelity = fidelity
        self.seed = seed
        self._known_costs = costs
        self._next_sample = 0
        self.arrays = ProgrammedArrays(program, fidelity, seed, threads, conditions, stuck)
        check_used(stuck or (), {(image.core, image.macro) for image in program.images})
        self._executor = Executor(program, self.arrays, HostGraphs(program.host_graphs, threads))

    @cached_property
    def costs(self) -> Costs:
        """What one sample costs; the clock runs when this is first asked for."""
        return self._known_costs or costs_of(self.program)

    def run(
        self,
        feeds: Mapping[str, NDArray[Any]],
        observer: Observer | None = None,
        trace: bool = False,
        progress: Progress | None = None,
        first_sample: int | None = None,
    ) -> Run:
        """Run samples.

        Args:
            feeds: Every input of the program by name, `(samples, *shape)`.
            observer: Is told of all codes and sums.
            trace: Whether to keep start and end of every instruction.
            progress: Is told now and then which fraction of the work is done.
            first_sample: Number of the first sample, on which its read noise depends; it follows
                the samples of earlier runs if None.

        Raises:
            MccError: An input is missing or has another form, the host fails, or the program runs
                too many instructions for a trace.
        """
        traced = costs_of(self.program, trace=True) if trace else None
        first = self._next_sample if first_sample is None else first_sample
        outputs = self._executor.run(feeds, observer, progress=progress, first_sample=first)
        samples = len(feeds[self.program.inputs[0].name]) if self.program.inputs else 1
        self._next_sample = first + samples
        costs = traced or self.costs
        joules = costs.joules.times(samples)
        return Run(
            outputs=outputs,
            samples=samples,
            cycles_per_sample=costs.cycles,
            cycles=samples * costs.cycles,
            seconds=samples * costs.seconds,
            joules=joules.total,
            joules_by_component=joules.by_component,
            trace=costs.timing if trace else None,
        )
