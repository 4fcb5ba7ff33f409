"""Writing the code of one kernel for one core: local buffers by name, loops, streams."""

from __future__ import annotations

import math
from collections.abc import Generator, Hashable, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeAlias, final

from mcc.backends.crossbar.buffers import Layout, Lifetime, allocate
from mcc.backends.crossbar.strips import Run
from mcc.backends.crossbar.views import View, dense_strides
from mcc.ir.program import DType, Stream
from mcc.ir.program.instructions import EndLoop, Instruction, Loop
from mcc.ir.program.places import Place

Dims: TypeAlias = tuple[tuple[int, int], ...]
"""Count and stride in bytes of each dimension, outermost first."""


@final
@dataclass(frozen=True, slots=True)
class Local:
    """A block of a tensor in local memory."""

    name: Hashable
    dtype: DType
    base: int
    counts: tuple[int, ...]
    strides: tuple[int, ...]

    @property
    def dims(self) -> Dims:
        """Count and stride of each dimension."""
        return tuple(zip(self.counts, self.strides, strict=True))

    def stream(self) -> Stream:
        """Return the stream over all its elements, in order."""
        return stream(self.dtype, self.base, self.dims)


@final
@dataclass(frozen=True, slots=True)
class Line:
    """An instruction, the network node it works for, and the integers that it shows."""

    instruction: Instruction
    node: str
    place: Place | None = None


@final
class Writer:
    """Collects instructions, and when which local buffer is alive.

    A kernel is written twice: first with every buffer at address 0, to learn how long each one
    lives, then with the addresses that follow.
    """

    def __init__(self, addresses: Mapping[str, int], layout: Layout | None = None) -> None:
        """Start to write; `addresses` are those of the storages in the chip's buffer."""
        self.lines: list[Line] = []
        self.node = ""
        """Network node that the next instructions work for."""
        self.runs: tuple[Run, ...] = ()
        """The strip along each dimension of the result that the next instructions work on."""
        self.scope = 0
        """Buffers of the same name in different scopes are different ones."""
        self._addresses = addresses
        self._layout = layout
        self._sizes: dict[Hashable, int] = {}
        self._uses: dict[Hashable, tuple[int, int]] = {}
        self._loops: list[tuple[int, int]] = []
        self._active: tuple[int, ...] = ()

    def emit(
        self, instruction: Instruction, *operands: Local | None, place: Place | None = None
    ) -> None:
        """Append an instruction that uses these local buffers."""
        here = len(self.lines)
        for operand in operands:
            if operand is not None:
                first, _ = self._uses.get(operand.name, (here, here))
                self._uses[operand.name] = (first, here)
        self.lines.append(Line(instruction, self.node, place))

    def buffer(
        self, key: Hashable, dtype: DType, counts: Sequence[int], order: Sequence[int] = ()
    ) -> Local:
        """Return the local buffer of this name, alive from its first to its last use.

        Args:
            key: The name; the same name in the same scope is the same bytes.
            dtype: Type of the elements.
            counts: Shape of the block.
            order: Dimensions from the outermost to the innermost; by default as they are.
        """
        order = tuple(order) or tuple(range(len(counts)))
        dense = dense_strides([counts[dim] for dim in order], dtype.itemsize)
        strides = tuple(dense[order.index(dim)] for dim in range(len(counts)))
        name = (self.scope, key)
        self._sizes[name] = max(self._sizes.get(name, 0), dtype.itemsize * math.prod(counts))
        base = self._layout.offsets[name] if self._layout else 0
        return Local(name, dtype, base, tuple(counts), strides)

    @contextmanager
    def loops(self) -> Generator[None]:
        """Repeat what is written inside for every strip of the runs, outer dimensions first."""
        active = tuple(dim for dim, run in enumerate(self.runs) if run.trips > 1)
        start = len(self.lines)
        for dim in active:
            self.emit(Loop(self.runs[dim].trips))
        self._active = active
        yield
        self._active = ()
        for _ in active:
            self.emit(EndLoop())
        if active:
            self._loops.append((start, len(self.lines)))

    def steps(self, moves: Sequence[int]) -> tuple[int, ...]:
        """Return the steps of a stream that moves by so many bytes per strip of each dimension."""
        return tuple(moves[dim] for dim in self._active)

    def address(self, view: View, starts: Sequence[int]) -> int:
        """Return the address of an element in the chip's buffer."""
        offset = sum(start * stride for start, stride in zip(starts, view.strides, strict=True))
        return self._addresses[view.storage.name] + view.offset + offset

    def layout(self) -> Layout:
        """Return where the buffers lie so that those alive together do not overlap."""
        lifetimes: list[Lifetime] = []
        for name, (first, last) in self._uses.items():
            for start, end in self._loops:
                if first < start < last:
                    last = max(last, end)
            lifetimes.append(Lifetime(name, self._sizes[name], first, last))
        return allocate(lifetimes)


def stream(
    dtype: DType, base: int, dims: Iterable[tuple[int, int]], steps: tuple[int, ...] = ()
) -> Stream:
    """Return a stream with neighbouring dimensions joined where they are one regular run."""
    return Stream(dtype, base, joined(tuple(dims))[0], steps)


def joined(*streams: Dims) -> list[Dims]:
    """Join neighbouring dimensions that are one regular run in every one of the streams.

    All have the same counts; dimensions of count 1 are dropped, but one always stays.
    """
    kept: list[list[tuple[int, int]]] = [[] for _ in streams]
    for dims in zip(*streams, strict=True):
        count = dims[0][0]
        if count == 1:
            continue
        pairs = list(zip(kept, dims, strict=True))
        if kept[0] and all(before[-1][1] == count * stride for before, (_, stride) in pairs):
            for before, (_, stride) in pairs:
                before[-1] = (before[-1][0] * count, stride)
        else:
            for before, dim in pairs:
                before.append(dim)
    if not kept[0]:
        return [((1, dims[-1][1] if dims else 1),) for dims in streams]
    return [tuple(dims) for dims in kept]
