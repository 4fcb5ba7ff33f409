"""Counts of everything that costs energy."""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import final


@final
@dataclass(frozen=True, slots=True)
class Events:
    """How often each kind of energy event happens; the names are those of `hardware.Energy`."""

    cell_reads: int = 0
    """Cells of driven rows, once per phase."""
    dac_drives: int = 0
    """Word lines driven, once per phase."""
    adc_conversions: int = 0
    """Analog sums converted."""
    shift_adds: int = 0
    """Converted codes added to their sums."""
    vector_operations: int = 0
    """Operations of the vector unit on one element."""
    memory_bytes: int = 0
    """Bytes read from or written to local memories."""
    buffer_bytes: int = 0
    """Bytes read from or written to the global buffer."""
    link_byte_hops: int = 0
    """Bytes times links."""
    cell_writes: int = 0
    """Write pulses on cells."""
    host_operations: int = 0
    """Arithmetic operations of the host, estimated."""
    host_bytes: int = 0
    """Bytes between the global buffer and the host."""

    def __add__(self, other: Events) -> Events:
        return Events(*map(operator.add, _COUNTS(self), _COUNTS(other)))

    def __mul__(self, times: int) -> Events:
        return Events(*(count * times for count in _COUNTS(self)))


FIELDS: tuple[str, ...] = tuple(Events.__dataclass_fields__)
"""Names of the counts, in the order of the report."""
_COUNTS = operator.attrgetter(*FIELDS)
