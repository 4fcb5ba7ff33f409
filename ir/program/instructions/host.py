"""The instruction of the host."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import ClassVar, final

from mcc.ir.program.events import Events
from mcc.ir.program.instructions.base import Access, Context, Instruction, buffer
from mcc.ir.program.kinds import COUNT
from mcc.ir.program.timing import Pipeline, Step, ceil_real
from mcc.ir.program.units import HOST, Unit


@final
@dataclass(frozen=True, slots=True)
class CallHost(Instruction):
    """Run a host graph on tensors of the global buffer, as the table of host calls says."""

    OPCODE: ClassVar[int] = 0x40
    MNEMONIC: ClassVar[str] = "host"

    call: int = field(metadata=COUNT("index in the table of host calls"))

    def unit(self, context: Context) -> Unit:
        """Return the host."""
        return HOST

    def timing(self, context: Context) -> Pipeline:
        """One step with the host and a buffer port.

        `max(1, ceil(seconds * chip.clock_hertz))` cycles, where `seconds = host.call_seconds +
        bytes / host.bytes_per_second + operations / host.operations_per_second` is an estimate.
        """
        call, host = context.calls[self.call], context.target.host
        moving = call.bytes / host.bytes_per_second
        working = call.operations / host.operations_per_second
        seconds = host.call_seconds + moving + working
        cycles = max(1, ceil_real(seconds * context.target.chip.clock_hertz))
        return Pipeline((Step(cycles, (context.topology.buffer, context.topology.host)),))

    def events(self, context: Context) -> Events:
        """The operations of the call; its bytes in the buffer and to or from the host."""
        call = context.calls[self.call]
        return Events(
            host_operations=call.operations, host_bytes=call.bytes, buffer_bytes=call.bytes
        )

    def reads(self, context: Context) -> tuple[Access, ...]:
        """Return the inputs of the call."""
        return buffer(*(region.stream() for region in context.calls[self.call].inputs))

    def writes(self, context: Context) -> tuple[Access, ...]:
        """Return the outputs of the call."""
        return buffer(*(region.stream() for region in context.calls[self.call].outputs))

    def problems(self, context: Context) -> Iterator[str]:
        """Name a wrong core or call."""
        if context.core != 0:
            yield "only core 0 calls the host"
        if self.call >= len(context.calls):
            yield f"there is no host call {self.call}"
