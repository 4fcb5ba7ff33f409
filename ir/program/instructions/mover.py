"""Instructions of the mover."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import ClassVar, final

from mcc.ir.program.events import Events
from mcc.ir.program.instructions.base import (
    Access,
    Context,
    Instruction,
    buffer,
    local,
    repeats,
)
from mcc.ir.program.kinds import COUNT, NUMBER, STREAM
from mcc.ir.program.streams import Stream
from mcc.ir.program.timing import Pipeline, Step, ceil_div
from mcc.ir.program.units import MOVER, Unit


@dataclass(frozen=True, slots=True)
class MoverInstruction(Instruction):
    """An instruction of the mover."""

    def unit(self, context: Context) -> Unit:
        """Return the mover."""
        return MOVER


@final
@dataclass(frozen=True, slots=True)
class Load(MoverInstruction):
    """Copy from the global buffer into the local memory.

    Both streams have the same type and number of elements, which are taken in order.
    """

    OPCODE: ClassVar[int] = 0x30
    MNEMONIC: ClassVar[str] = "load"

    result: Stream = field(metadata=STREAM("in local memory"))
    source: Stream = field(metadata=STREAM("in the global buffer"))

    def timing(self, context: Context) -> Pipeline:
        """One step with a local memory port, a buffer port and all links of the path.

        `links * hop_cycles + ceil(bytes / width)` cycles, `links` being those from the buffer to
        the core, `bytes` those of `result`, `width` the least of `chip.link_bytes_per_cycle`,
        `memory.port_bytes` and `buffer.port_bytes`.
        """
        path = context.topology.path_from_buffer(context.core)
        return _to_or_from_buffer(context, path, self.result.bytes)

    def events(self, context: Context) -> Events:
        """The bytes of `result` in local memory, in the buffer, and over every link."""
        links = len(context.topology.path_from_buffer(context.core))
        size = self.result.bytes
        return Events(memory_bytes=size, buffer_bytes=size, link_byte_hops=size * links)

    def reads(self, context: Context) -> tuple[Access, ...]:
        """Return the source."""
        return buffer(self.source)

    def writes(self, context: Context) -> tuple[Access, ...]:
        """Return the result."""
        return local(self.result)

    def problems(self, context: Context) -> Iterator[str]:
        """Name what differs."""
        yield from _same(self.result, self.source)


@final
@dataclass(frozen=True, slots=True)
class Store(MoverInstruction):
    """Copy from the local memory into the global buffer.

    Both streams have the same type and number of elements, which are taken in order.
    """

    OPCODE: ClassVar[int] = 0x31
    MNEMONIC: ClassVar[str] = "store"

    result: Stream = field(metadata=STREAM("in the global buffer"))
    source: Stream = field(metadata=STREAM("in local memory"))

    def timing(self, context: Context) -> Pipeline:
        """As `load`, with the path from the core to the buffer."""
        path = context.topology.path_to_buffer(context.core)
        return _to_or_from_buffer(context, path, self.result.bytes)

    def events(self, context: Context) -> Events:
        """The bytes of `result` in local memory, in the buffer, and over every link."""
        links = len(context.topology.path_to_buffer(context.core))
        size = self.result.bytes
        return Events(memory_bytes=size, buffer_bytes=size, link_byte_hops=size * links)

    def reads(self, context: Context) -> tuple[Access, ...]:
        """Return the source."""
        return local(self.source)

    def writes(self, context: Context) -> tuple[Access, ...]:
        """Return the result."""
        return buffer(self.result)

    def problems(self, context: Context) -> Iterator[str]:
        """Name what differs."""
        yield from _same(self.result, self.source)


@final
@dataclass(frozen=True, slots=True)
class Copy(MoverInstruction):
    """Copy inside the local memory.

    Both streams have the same type and number of elements, which are taken in order; the bytes
    read and those written do not overlap.
    """

    OPCODE: ClassVar[int] = 0x32
    MNEMONIC: ClassVar[str] = "copy"

    result: Stream = field(metadata=STREAM("in local memory"))
    source: Stream = field(metadata=STREAM("in local memory"))

    def timing(self, context: Context) -> Pipeline:
        """One step with a local memory port.

        `1 + ceil(bytes / memory.port_bytes)` cycles, `bytes` being those of `result` twice, as
        they are read and written.
        """
        return _inside(context, 2 * self.result.bytes)

    def events(self, context: Context) -> Events:
        """The bytes of `result` twice in local memory."""
        return Events(memory_bytes=2 * self.result.bytes)

    def reads(self, context: Context) -> tuple[Access, ...]:
        """Return the source."""
        return local(self.source)

    def writes(self, context: Context) -> tuple[Access, ...]:
        """Return the result."""
        return local(self.result)

    def problems(self, context: Context) -> Iterator[str]:
        """Name what differs."""
        yield from _same(self.result, self.source)


@final
@dataclass(frozen=True, slots=True)
class Fill(MoverInstruction):
    """Write one value everywhere: `result = value`, rounded to the type of `result`."""

    OPCODE: ClassVar[int] = 0x33
    MNEMONIC: ClassVar[str] = "fill"

    result: Stream = field(metadata=STREAM("in local memory"))
    value: float = field(metadata=NUMBER("what to write"))

    def timing(self, context: Context) -> Pipeline:
        """One step with a local memory port.

        `1 + ceil(bytes / memory.port_bytes)` cycles, `bytes` being those of `result`.
        """
        return _inside(context, self.result.bytes)

    def events(self, context: Context) -> Events:
        """The bytes of `result` in local memory."""
        return Events(memory_bytes=self.result.bytes)

    def writes(self, context: Context) -> tuple[Access, ...]:
        """Return the result."""
        return local(self.result)

    def problems(self, context: Context) -> Iterator[str]:
        """Name a result without places."""
        yield from _same(self.result, self.result)


@final
@dataclass(frozen=True, slots=True)
class Send(MoverInstruction):
    """Copy from the local memory into that of another core, which must `recv` as many bytes.

    The two instructions start together, when both are first in the queues of their movers and
    both movers are free, and end together. Elements are taken in the order of each stream.
    """

    OPCODE: ClassVar[int] = 0x34
    MNEMONIC: ClassVar[str] = "send"

    core: int = field(metadata=COUNT("core that receives"))
    source: Stream = field(metadata=STREAM("in local memory"))

    def timing(self, context: Context) -> Pipeline:
        """One step with a local memory port of either core and all links of the path.

        `links * hop_cycles + ceil(bytes / width)` cycles, `links` being those between the cores,
        `bytes` those of `source`, `width` the lesser of `chip.link_bytes_per_cycle` and
        `memory.port_bytes`.
        """
        target = context.target
        path = context.topology.path(context.core, self.core)
        width = min(target.chip.link_bytes_per_cycle, target.core.memory.port_bytes)
        cycles = len(path) * target.chip.hop_cycles + ceil_div(self.source.bytes, width)
        ports = sorted((context.topology.memory(context.core), context.topology.memory(self.core)))
        return Pipeline((Step(cycles, (*ports, *sorted(path))),))

    def events(self, context: Context) -> Events:
        """The bytes of `source` in both local memories and over every link."""
        links = len(context.topology.path(context.core, self.core))
        size = self.source.bytes
        return Events(memory_bytes=2 * size, link_byte_hops=size * links)

    def reads(self, context: Context) -> tuple[Access, ...]:
        """Return the source."""
        return local(self.source)

    def problems(self, context: Context) -> Iterator[str]:
        """Name a core that cannot receive."""
        yield from _other(context, self.core)


@final
@dataclass(frozen=True, slots=True)
class Recv(MoverInstruction):
    """Take what another core sends with `send`, of the same type and number of elements."""

    OPCODE: ClassVar[int] = 0x35
    MNEMONIC: ClassVar[str] = "recv"

    core: int = field(metadata=COUNT("core that sends"))
    result: Stream = field(metadata=STREAM("in local memory"))

    def timing(self, context: Context) -> None:
        """Starts and ends with its `send`, which holds the resources of both."""
        return

    def events(self, context: Context) -> Events:
        """None; `send` counts both sides."""
        return Events()

    def writes(self, context: Context) -> tuple[Access, ...]:
        """Return the result."""
        return local(self.result)

    def problems(self, context: Context) -> Iterator[str]:
        """Name a core that cannot send."""
        yield from _other(context, self.core)
        yield from _same(self.result, self.result)


def _inside(context: Context, size: int) -> Pipeline:
    cycles = 1 + ceil_div(size, context.target.core.memory.port_bytes)
    return Pipeline((Step(cycles, (context.topology.memory(context.core),)),))


def _to_or_from_buffer(context: Context, path: tuple[int, ...], size: int) -> Pipeline:
    chip, memory = context.target.chip, context.target.core.memory
    width = min(chip.link_bytes_per_cycle, memory.port_bytes, chip.buffer.port_bytes)
    cycles = len(path) * chip.hop_cycles + ceil_div(size, width)
    held = (context.topology.memory(context.core), context.topology.buffer, *sorted(path))
    return Pipeline((Step(cycles, held),))


def _same(result: Stream, source: Stream) -> Iterator[str]:
    if (result.dtype, result.elements) != (source.dtype, source.elements):
        yield "both streams must have the same type and number of elements"
    if repeats(result):
        yield "a result must have a place for every element"


def _other(context: Context, core: int) -> Iterator[str]:
    if core == context.core or core >= context.topology.cores:
        yield f"core {core} is not another core of the chip"
