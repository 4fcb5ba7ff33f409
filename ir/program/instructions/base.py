"""What every instruction declares."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar, final

from mcc.ir.hardware.target import Target
from mcc.ir.program.events import Events
from mcc.ir.program.kinds import UNITS
from mcc.ir.program.streams import Stream
from mcc.ir.program.tables import HostCall, Tile
from mcc.ir.program.timing import Pipeline
from mcc.ir.program.topology import Topology
from mcc.ir.program.units import Unit


@final
class Space(StrEnum):
    """A memory."""

    LOCAL = "local memory"
    BUFFER = "global buffer"


@final
@dataclass(frozen=True, slots=True)
class Access:
    """A stream in one of the memories."""

    space: Space
    stream: Stream


@final
@dataclass(frozen=True, slots=True)
class Context:
    """Where an instruction stands: its core, and the tables it names things in."""

    target: Target
    topology: Topology
    core: int
    tiles: tuple[Tile, ...]
    images: tuple[tuple[int, int], ...]
    """Core and macro of every cell image."""
    calls: tuple[HostCall, ...]
    semaphores: int


@dataclass(frozen=True, slots=True)
class Instruction(ABC):
    """One instruction; the docstring of each class says what it does."""

    OPCODE: ClassVar[int]
    MNEMONIC: ClassVar[str]

    wait: frozenset[Unit] = field(
        default=frozenset(),
        kw_only=True,
        metadata=UNITS("units of this core that must be idle before this instruction issues"),
    )

    def unit(self, context: Context) -> Unit | None:
        """Return the unit that executes it, or None when the sequencer does."""
        return None

    @abstractmethod
    def timing(self, context: Context) -> Pipeline | None:
        """Return what it asks of time, or None when it only takes its issue slot."""

    def events(self, context: Context) -> Events:
        """None."""
        return Events()

    def reads(self, context: Context) -> tuple[Access, ...]:
        """Return everything it reads from memory."""
        return ()

    def writes(self, context: Context) -> tuple[Access, ...]:
        """Return everything it writes to memory."""
        return ()

    def problems(self, context: Context) -> Iterator[str]:
        """Name what makes it illegal, apart from addresses, which are checked for all alike."""
        return iter(())


def local(*streams: Stream | None) -> tuple[Access, ...]:
    """Return accesses to the local memory."""
    return tuple(Access(Space.LOCAL, stream) for stream in streams if stream is not None)


def buffer(*streams: Stream) -> tuple[Access, ...]:
    """Return accesses to the global buffer."""
    return tuple(Access(Space.BUFFER, stream) for stream in streams)


def repeats(stream: Stream) -> bool:
    """Say whether a stream names the same bytes twice by a stride of 0."""
    return any(count > 1 and stride == 0 for count, stride in stream.dims)
