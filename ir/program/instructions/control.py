"""Instructions of the sequencer itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import ClassVar, final

from mcc.ir.program.instructions.base import Context, Instruction
from mcc.ir.program.kinds import COUNT


@dataclass(frozen=True, slots=True)
class ControlInstruction(Instruction):
    """An instruction that the sequencer executes itself."""

    def timing(self, context: Context) -> None:
        """Its issue slot, one cycle."""
        return


@final
@dataclass(frozen=True, slots=True)
class Loop(ControlInstruction):
    """Repeat everything up to the matching `end` as often as `count` says, at least once."""

    OPCODE: ClassVar[int] = 0x01
    MNEMONIC: ClassVar[str] = "loop"

    count: int = field(metadata=COUNT("iterations"))

    def problems(self, context: Context) -> Iterator[str]:
        """Name an empty loop."""
        if self.count < 1:
            yield "a loop runs at least once"


@final
@dataclass(frozen=True, slots=True)
class EndLoop(ControlInstruction):
    """Go back to the instruction after the matching `loop`, or go on after the last iteration."""

    OPCODE: ClassVar[int] = 0x02
    MNEMONIC: ClassVar[str] = "end"


@final
@dataclass(frozen=True, slots=True)
class Post(ControlInstruction):
    """Add one to a semaphore when everything before it in this core is done."""

    OPCODE: ClassVar[int] = 0x03
    MNEMONIC: ClassVar[str] = "post"

    semaphore: int = field(metadata=COUNT("number of the semaphore"))

    def timing(self, context: Context) -> None:
        """Issues, in one cycle, when all units of the core are idle.

        The semaphore rises `max(1, chip.sync_cycles)` cycles later.
        """
        return

    def problems(self, context: Context) -> Iterator[str]:
        """Name a semaphore that is not there."""
        if self.semaphore >= context.semaphores:
            yield f"there is no semaphore {self.semaphore}"


@final
@dataclass(frozen=True, slots=True)
class Wait(ControlInstruction):
    """Stop until a semaphore is at least `count`, then subtract `count` from it."""

    OPCODE: ClassVar[int] = 0x04
    MNEMONIC: ClassVar[str] = "wait"

    semaphore: int = field(metadata=COUNT("number of the semaphore"))
    count: int = field(default=1, metadata=COUNT("how far it must have risen"))

    def timing(self, context: Context) -> None:
        """Issues, in one cycle, when the semaphore is high enough."""
        return

    def problems(self, context: Context) -> Iterator[str]:
        """Name a semaphore that is not there."""
        if self.semaphore >= context.semaphores:
            yield f"there is no semaphore {self.semaphore}"


@final
@dataclass(frozen=True, slots=True)
class Halt(ControlInstruction):
    """End the program of this core; it is its last instruction."""

    OPCODE: ClassVar[int] = 0x05
    MNEMONIC: ClassVar[str] = "halt"

    def timing(self, context: Context) -> None:
        """Issues, in one cycle, when all units of the core are idle."""
        return
