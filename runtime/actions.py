"""What the instructions that move and compute data do, for all samples at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, final

import numpy as np
from numpy.typing import NDArray

from mcc.ir.diagnostics import error
from mcc.ir.program import HostCall, Program, Region, Stream
from mcc.ir.program.instructions import (
    Binary,
    CallHost,
    Copy,
    Dequantize,
    Fill,
    Instruction,
    Load,
    Mvm,
    ProgramMacro,
    Quantize,
    Reduce,
    Store,
    Unary,
)
from mcc.runtime import vector
from mcc.runtime.memory import Memory, Window, apart
from mcc.runtime.observation import Integers, Observation, Observer

Counters = Sequence[int]
Action = Callable[[Counters], None]
"""Executes one instruction in an iteration of the loops around it."""


class Arrays(Protocol):
    """The programmed macros, as `ProgrammedArrays`."""

    def start(self, first_sample: int = 0) -> None:
        """Begin to run samples from this number."""
        ...

    def reprogram(self, core: int, macro: int, image: int) -> None:
        """Write an image into a macro."""
        ...

    def accumulate(self, tile: int, codes: NDArray[Any], totals: NDArray[np.int32]) -> None:
        """Add the sums of codes `(batch, *positions, *rows)` to `(batch, *positions, cols)`."""
        ...


class Host(Protocol):
    """The host, as `HostGraphs`."""

    def run(
        self, call: HostCall, inputs: Sequence[NDArray[Any]], outputs: Sequence[NDArray[Any]]
    ) -> None:
        """Run a call on every sample and write its outputs."""
        ...


@final
@dataclass
class State:
    """Everything that the instructions of a chip work on."""

    program: Program
    arrays: Arrays
    host: Host
    buffer: Memory
    memories: Sequence[Memory]
    observer: Observer | None = None
    first_sample: int = 0

    @property
    def bytes(self) -> int:
        """Of all memories."""
        return sum(memory.rows.nbytes for memory in (self.buffer, *self.memories))

    def select(self, rows: slice) -> None:
        """Let the memories hold these samples, as many as they were made for or fewer."""
        self.first_sample = rows.start
        for memory in (self.buffer, *self.memories):
            memory.batch = rows.stop - rows.start


@final
class Actions:
    """Makes the actions of the instructions of one core."""

    def __init__(self, state: State, core: int) -> None:
        """Prepare for a core."""
        self._state = state
        self._core = core
        self._memory = state.memories[core]

    def action(self, index: int, instruction: Instruction) -> Action:
        """Return what instruction `index` of the core does."""
        match instruction:
            case Mvm():
                return self._mvm(instruction)
            case ProgramMacro():
                return self._program(instruction)
            case Quantize():
                return self._quantize(index, instruction)
            case Dequantize():
                return self._dequantize(index, instruction)
            case Binary() | Unary() | Reduce():
                return self._compute(instruction)
            case Fill():
                return self._fill(instruction)
            case Load() | Store() | Copy():
                return self._move(instruction)
            case CallHost():
                return self._call(instruction)
            case _:
                raise AssertionError(f"{instruction.MNEMONIC} is not data work")

    def local(self, stream: Stream) -> Window:
        """Return a stream of the core's own memory."""
        return self._memory.window(stream)

    def _mvm(self, it: Mvm) -> Action:
        source, result = self.local(it.source), self.local(it.result)
        arrays, tile = self._state.arrays, it.tile
        return lambda counters: arrays.accumulate(tile, source.at(counters), result.at(counters))

    def _program(self, it: ProgramMacro) -> Action:
        arrays, core = self._state.arrays, self._core
        return lambda counters: arrays.reprogram(core, it.macro, it.image)

    def _quantize(self, index: int, it: Quantize) -> Action:
        source, scale, result = (self.local(s) for s in (it.source, it.scale, it.result))
        limits = (it.zero, it.low, it.high)

        def act(counters: Counters) -> None:
            codes = result.at(counters)
            reals, steps = source.at(counters), scale.at(counters)
            vector.quantize(apart(reals, codes), apart(steps, codes), limits, codes)
            self._observe(index, counters, Integers.CODES, codes)

        return act

    def _dequantize(self, index: int, it: Dequantize) -> Action:
        source, scale, result = (self.local(s) for s in (it.source, it.scale, it.result))
        bias = self.local(it.bias) if it.bias is not None else None

        def act(counters: Counters) -> None:
            sums, reals = source.at(counters), result.at(counters)
            self._observe(index, counters, Integers.SUMS, sums)
            offset = apart(bias.at(counters), reals) if bias is not None else None
            steps = apart(scale.at(counters), reals)
            vector.dequantize(apart(sums, reals), steps, offset, reals)

        return act

    def _compute(self, it: Binary | Unary | Reduce) -> Action:
        result = self.local(it.result)
        if isinstance(it, Binary):
            left, right = self.local(it.left), self.local(it.right)
            return lambda counters: vector.binary(
                it.operation, left.at(counters), right.at(counters), result.at(counters)
            )
        source = self.local(it.source)

        def act(counters: Counters) -> None:
            target = result.at(counters)
            operand = apart(source.at(counters), target)
            if isinstance(it, Unary):
                vector.unary(it.operation, operand, it.a, it.b, target)
            else:
                target[...] = vector.reduce(it.operation, operand, it.reduce_dims)

        return act

    def _fill(self, it: Fill) -> Action:
        result = self.local(it.result)
        value = number(it.value, it.result.dtype.numpy)

        def act(counters: Counters) -> None:
            result.at(counters)[...] = value

        return act

    def _move(self, it: Load | Store | Copy) -> Action:
        buffer = self._state.buffer
        source = buffer.window(it.source) if isinstance(it, Load) else self.local(it.source)
        result = buffer.window(it.result) if isinstance(it, Store) else self.local(it.result)

        def act(counters: Counters) -> None:
            target = result.at(counters)
            target[...] = source.at(counters).reshape(target.shape)

        return act

    def _call(self, it: CallHost) -> Action:
        call, host = self._state.program.host_calls[it.call], self._state.host

        def act(counters: Counters) -> None:
            inputs = [self._tensor(region) for region in call.inputs]
            host.run(call, inputs, [self._tensor(region) for region in call.outputs])

        return act

    def _tensor(self, region: Region) -> NDArray[Any]:
        return tensor(self._state.buffer, region)

    def _observe(
        self, index: int, counters: Counters, kind: Integers, values: NDArray[Any]
    ) -> None:
        if self._state.observer is not None:
            node = self._state.program.node(self._core, index)
            first = self._state.first_sample
            seen = Observation(self._core, index, node, tuple(counters), kind, first, values)
            self._state.observer(seen)


def number(value: float, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return a value rounded to a type.

    Raises:
        MccError: `program-invalid` where an integer type does not reach so far.
    """
    if dtype.kind == "f":
        with np.errstate(over="ignore"):
            return np.array(value).astype(dtype)
    limits = np.iinfo(np.uint8 if dtype.kind == "b" else dtype)
    if not limits.min <= value <= limits.max:
        raise error("program-invalid", f"{value} is no {dtype}")
    return np.array(round(value), dtype)


def tensor(buffer: Memory, region: Region) -> NDArray[Any]:
    """Return the tensor of a region as a view `(batch, *shape)`."""
    if region.elements == 0:
        return np.zeros((buffer.batch, *region.shape), region.dtype.numpy)
    return buffer.at(region.stream())
