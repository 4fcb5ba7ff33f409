"""One chip that was programmed, called like the module it came from."""

from __future__ import annotations

import reprlib
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast, final

import numpy as np
from numpy.typing import NDArray

from mcc.cli.program import Program
from mcc.ir.diagnostics import Diagnostic, MccWarning, error, nearest
from mcc.ir.hardware.validity import conductance_warnings
from mcc.ir.tensors import Array, holds_torch
from mcc.runtime import machine as engine
from mcc.runtime.cycles import Cycles
from mcc.runtime.devices import Conditions
from mcc.runtime.devices.conditions import condition_warnings
from mcc.runtime.fidelity import Fidelity
from mcc.runtime.observation import Observer
from mcc.runtime.random import check_seed


@final
@dataclass(frozen=True)
class Run:
    """What one call gave and cost; the costs are totals over all samples of the call."""

    outputs: Any
    """In the structure of the module."""
    samples: int
    cycles: int
    seconds: float
    joules: float
    joules_by_component: dict[str, float]
    trace: Cycles | None


@final
class Machine:
    """A chip instance with its host.

    At `device` and `wire`, every sample that a machine runs meets read noise of its own; a new
    machine of the same seed gives the same numbers in the same order.
    """

    def __init__(
        self,
        program: Program,
        fidelity: str | Fidelity = Fidelity.EXACT,
        seed: int | None = None,
        threads: int = 2,
        *,
        seconds: float = 0.0,
        kelvin: float | None = None,
        cycles: int = 0,
        stuck: Mapping[tuple[int, int], NDArray[np.uint8]] | None = None,
    ) -> None:
        """Program one chip; what lies beyond the range of its device model gives an `MccWarning`.

        Args:
            program: What to run.
            fidelity: `exact`, `converter`, `device` or `wire`.
            seed: The chip instance, at `device` and `wire`; 0 if None. Elsewhere all chips are the
                same.
            threads: Threads to compute with; the results do not depend on it.
            seconds: Time since programming at which cells are read, where they are real.
            kelvin: Temperature since then, likewise; the reference of the device if None.
            cycles: How often every cell was written before, likewise.
            stuck: Measured maps of stuck cells by core and macro, likewise: uint8 (rows, cols)
                of 0 free, 1 stuck low, 2 stuck high. The other macros have theirs drawn.

        Raises:
            MccError: `option-value`, `seed-invalid`, `conditions` or `stuck-map`.
        """
        if not isinstance(cast("object", program), Program):
            text = f"a machine runs a compiled program, not {reprlib.repr(program)}"
            raise error("option-value", text, "`mcc.load(path)` and `mcc.compile(...)` give one")
        conditions = Conditions(seconds=seconds, kelvin=kelvin, cycles=cycles)
        check_chip(fidelity, seed, threads)
        check_conditions(Fidelity(fidelity), conditions, stuck)
        self.program = program
        self.fidelity = Fidelity(fidelity)
        self.findings: tuple[Diagnostic, ...] = ()
        """What is doubtful about the cells and the conditions."""
        if self.fidelity.real_cells:
            cell = program.target.cell
            self.findings = (*conductance_warnings(cell), *condition_warnings(conditions, cell))
        for finding in self.findings:
            warnings.warn(str(finding), MccWarning, stacklevel=2)
        self._engine = engine.Machine(
            program.artifact.program,
            self.fidelity,
            seed or 0,
            threads,
            conditions=conditions,
            stuck=stuck,
        )

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the network; arrays or torch tensors in, the same kind out."""
        return self.run(*args, **kwargs).outputs

    def stuck_map(self, core: int, macro: int) -> NDArray[np.uint8]:
        """Return which cells (rows, cols) of a programmed macro are stuck: 0 free, 1 low, 2 high.

        Raises:
            MccError: `stuck-map`, for a macro into which nothing is programmed.
        """
        return self._engine.arrays.stuck_map(core, macro)

    def run(self, *args: Any, trace: bool = False, **kwargs: Any) -> Run:
        """Run the network, and count what that costs."""
        signature = self.program.artifact.signature
        feeds = signature.flatten_inputs(args, kwargs)
        outputs, run = self.run_feeds(feeds, trace=trace)
        as_torch = holds_torch(args) or holds_torch(kwargs)
        return Run(
            outputs=signature.unflatten_outputs(outputs, as_torch),
            samples=run.samples,
            cycles=run.cycles,
            seconds=run.seconds,
            joules=run.joules,
            joules_by_component=run.joules_by_component,
            trace=run.trace,
        )

    def run_feeds(
        self,
        feeds: dict[str, Array],
        *,
        trace: bool = False,
        observer: Observer | None = None,
        progress: Callable[[float], None] | None = None,
    ) -> tuple[dict[str, Array], engine.Run]:
        """Run inputs that the signature has checked; return outputs by name, and the costs."""
        signature = self.program.artifact.signature
        if signature.samples:
            stacked = {name: array[:, None] for name, array in feeds.items()}
        else:
            stacked = {name: array[None] for name, array in feeds.items()}
        run = self._engine.run(stacked, observer, trace, progress)
        if signature.samples:
            return {name: array[:, 0] for name, array in run.outputs.items()}, run
        return {name: array[0, ...] for name, array in run.outputs.items()}, run


def check_chip(fidelity: object, seed: object, threads: object) -> None:
    """Refuse what names no chip instance.

    Raises:
        MccError: `option-value`, `seed-invalid`.
    """
    if fidelity not in list(Fidelity):
        help = nearest(str(fidelity), Fidelity)
        raise error("option-value", f"there is no fidelity `{fidelity}`", help)
    if seed is not None:
        check_seed(seed)
        if not Fidelity(str(fidelity)).real_cells:
            text = f"at fidelity {fidelity} all chips are the same: seed {seed} has no effect"
            raise error("option-value", text, 'give `fidelity="device"` or "wire", or no seed')
    if not isinstance(threads, int) or isinstance(threads, bool) or threads < 1:
        raise error("option-value", f"threads is {threads!r}", "use a whole number from 1")


def check_conditions(fidelity: Fidelity, conditions: Conditions, stuck: object) -> None:
    """Refuse conditions and stuck cells where cells are ideal.

    Raises:
        MccError: `option-value`, `stuck-map`.
    """
    if stuck is not None and not isinstance(stuck, Mapping):
        text = f"the maps of stuck cells are given as {type(stuck).__name__}, not as a mapping"
        raise error("stuck-map", text, "give `{(core, macro): map}`")
    if (conditions != Conditions() or stuck) and not fidelity.real_cells:
        text = f"at fidelity {fidelity} cells are ideal: conditions and stuck cells have no effect"
        raise error("option-value", text, 'give `fidelity="device"` or "wire", or leave them out')
