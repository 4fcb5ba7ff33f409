"""Writing a kernel for one core: strips as large as the local memory allows."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import final

import onnx_ir as ir

from mcc.backends.crossbar.buffers import Layout
from mcc.backends.crossbar.elementwise import Group
from mcc.backends.crossbar.heads import Head
from mcc.backends.crossbar.strips import Axis, choose, runs
from mcc.backends.crossbar.writer import Line, Local, Writer
from mcc.ir.diagnostics import NOWHERE, Location, error

Bounds = tuple[tuple[int, int], ...]
"""First and one past the last position along each dimension of a result."""


@final
@dataclass(frozen=True)
class Part:
    """What one core does of a kernel: a box of its result."""

    head: Head | None
    group: Group
    bounds: Bounds

    def write(self, writer: Writer, counts: Sequence[int]) -> None:
        """Write the code with strips of these counts."""
        axes: Mapping[int, Axis] = self.head.axes if self.head is not None else {}
        dims = tuple(
            runs(start, stop, count, axes.get(dim))
            for dim, ((start, stop), count) in enumerate(zip(self.bounds, counts, strict=True))
        )
        if self.head is not None:
            self.head.prepare(writer)
        fixed = self.group.hoist(writer, dims)
        for scope, combination in enumerate(itertools.product(*dims), start=1):
            writer.scope, writer.runs = scope, combination
            if self.head is not None:
                self.head.open(writer)
            with writer.loops():
                made: Mapping[ir.Value, Local] | None = {}
                if self.head is not None:
                    made = self.head.write(writer)
                if made is not None:
                    self.group.write(writer, {**fixed, **made})


@final
@dataclass(frozen=True)
class Room:
    """What limits a kernel: addresses in the chip's buffer, and bytes of local memory."""

    addresses: Mapping[str, int]
    memory_bytes: int

    def strips(self, part: Part, name: str, location: Location = NOWHERE) -> tuple[int, ...]:
        """Return the largest strips of a part that fit.

        Raises:
            MccError: `memory-too-small`, where not even the least strip fits.
        """
        sizes = tuple(stop - start for start, stop in part.bounds)
        units = part.head.units if part.head is not None else (1,) * len(sizes)

        def needed(counts: tuple[int, ...]) -> int:
            return self._draft(part, counts).bytes

        found = choose(sizes, units, lambda counts: needed(counts) <= self.memory_bytes)
        if found is None:
            least = needed(tuple(unit or size for size, unit in zip(sizes, units, strict=True)))
            raise error(
                "memory-too-small",
                f"`{name}` needs {least} bytes of local memory for its least strip, a core has "
                f"{self.memory_bytes}",
                "choose a target with a larger `core.memory.bytes`, or set it with `--set`",
                location,
            )
        return found

    def write(self, part: Part, counts: tuple[int, ...]) -> tuple[list[Line], int]:
        """Return the code of a part and the bytes of local memory that it takes."""
        layout = self._draft(part, counts)
        writer = Writer(self.addresses, layout)
        part.write(writer, counts)
        return writer.lines, layout.bytes

    def _draft(self, part: Part, counts: tuple[int, ...]) -> Layout:
        writer = Writer(self.addresses)
        part.write(writer, counts)
        return writer.layout()
