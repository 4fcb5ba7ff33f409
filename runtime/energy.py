"""Joules: the events of a run times what each costs, and the power that flows all the time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from mcc.ir.hardware import Target
from mcc.ir.hardware.derived import cores
from mcc.ir.program import Events
from mcc.ir.program.events import FIELDS

COMPONENTS: dict[str, str] = {
    "cell_reads": "cells",
    "dac_drives": "word lines",
    "adc_conversions": "converters",
    "shift_adds": "shift and add",
    "vector_operations": "vector units",
    "memory_bytes": "local memories",
    "buffer_bytes": "buffer",
    "link_byte_hops": "links",
    "cell_writes": "reprogramming",
    "host_operations": "host",
    "host_bytes": "host",
}
"""The component that every kind of event is charged to."""
STATIC = "static"
HOST = "host"


@final
@dataclass(frozen=True)
class Joules:
    """The energy of something, by component."""

    by_component: dict[str, float]

    @property
    def total(self) -> float:
        """All components together."""
        return sum(self.by_component.values())

    def times(self, factor: float) -> Joules:
        """Return the energy of `factor` such things."""
        return Joules({name: factor * value for name, value in self.by_component.items()})


def dynamic_joules(events: Events, target: Target) -> Joules:
    """Return the energy of events."""
    found = dict.fromkeys(COMPONENTS.values(), 0.0)
    for name in FIELDS:
        count = int(getattr(events, name))
        found[COMPONENTS[name]] += count * joules_of_event(name, target)
    return Joules(found)


def joules_of_event(name: str, target: Target) -> float:
    """Return the energy of one event, named as the field of `Events`."""
    return float(getattr(target.energy, f"{name.removesuffix('s')}_joules"))


def static_watts(target: Target) -> float:
    """Return the power that the chip takes whatever it does."""
    return cores(target) * target.energy.core_static_watts + target.energy.chip_static_watts


def joules_of_run(events: Events, seconds: float, target: Target) -> Joules:
    """Return the energy of a run of `seconds` seconds with these events."""
    dynamic = dynamic_joules(events, target)
    return Joules({**dynamic.by_component, STATIC: seconds * static_watts(target)})
