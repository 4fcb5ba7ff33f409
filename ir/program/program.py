"""A program: everything the chip and its host execute, and the tables that it names things in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from mcc.ir.hardware.target import Target
from mcc.ir.program.events import Events
from mcc.ir.program.instructions.base import Context, Instruction
from mcc.ir.program.instructions.control import EndLoop, Loop
from mcc.ir.program.tables import Constant, HostCall, Image, Region, Tile
from mcc.ir.program.topology import topology


@final
@dataclass(frozen=True, kw_only=True)
class Program:
    """A program for one target."""

    target: Target
    cores: tuple[tuple[Instruction, ...], ...]
    """Instructions of every core of the mesh, each ending in `Halt`."""
    tiles: tuple[Tile, ...] = ()
    images: tuple[Image, ...] = ()
    constants: tuple[Constant, ...] = ()
    host_calls: tuple[HostCall, ...] = ()
    host_graphs: tuple[bytes, ...] = ()
    """ONNX models."""
    inputs: tuple[Region, ...] = ()
    outputs: tuple[Region, ...] = ()
    semaphores: int = 0
    buffer_bytes: int = 0
    """Used part of the global buffer."""
    memory_bytes: tuple[int, ...] = ()
    """Used part of each core's local memory."""
    source_map: tuple[tuple[str, ...], ...] = ()
    """Network node of every instruction, by core; empty where there is none."""

    def context(self, core: int) -> Context:
        """Return what the instructions of a core refer to."""
        return Context(
            target=self.target,
            topology=topology(self.target),
            core=core,
            tiles=self.tiles,
            images=tuple((image.core, image.macro) for image in self.images),
            calls=self.host_calls,
            semaphores=self.semaphores,
        )

    def node(self, core: int, index: int) -> str:
        """Return the network node of an instruction, or nothing."""
        return self.source_map[core][index] if self.source_map else ""


def trip_counts(instructions: tuple[Instruction, ...]) -> list[int]:
    """Return how often each instruction of a core is executed."""
    counts: list[int] = []
    nest = [1]
    for instruction in instructions:
        counts.append(nest[-1])
        if isinstance(instruction, Loop):
            nest.append(nest[-1] * instruction.count)
        elif isinstance(instruction, EndLoop):
            nest.pop()
    return counts


def count_events(program: Program) -> Events:
    """Return the energy events of one run."""
    total = Events()
    for core, instructions in enumerate(program.cores):
        context = program.context(core)
        for instruction, trips in zip(instructions, trip_counts(instructions), strict=True):
            total += instruction.events(context) * trips
    return total
