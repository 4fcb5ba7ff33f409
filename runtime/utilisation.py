"""How much of a chip a program uses, and how busy what it uses is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import final

from mcc.ir.hardware.derived import cores
from mcc.ir.hardware.encoding import tile_columns
from mcc.ir.program import Program, topology
from mcc.ir.program.units import Unit, UnitKind
from mcc.runtime.cycles import Cycles, units_per_core

_KINDS = {
    UnitKind.VECTOR: "vector units",
    UnitKind.MOVER: "movers",
    UnitKind.HOST: "host",
    UnitKind.ARRAY: "macros",
}


def occupancy(program: Program) -> dict[str, tuple[int, int]]:
    """Return how many of the chip's parts the program uses, and how many there are."""
    target = program.target
    macros, cells = set[tuple[int, int]](), 0
    starts = {(image.core, image.macro): i for i, image in reversed([*enumerate(program.images)])}
    for tile in program.tiles:
        macros.add((tile.core, tile.macro))
        if starts[tile.core, tile.macro] == tile.image:
            cells += tile.rows * tile_columns(
                target.macro, target.cell, tile.weight_bits, tile.cols
            )
    every = cores(target) * target.core.macros
    busy = sum(len(instructions) > 1 for instructions in program.cores)
    return {
        "cores": (busy, cores(target)),
        "macros": (len(macros), every),
        "cells": (cells, every * target.macro.rows * target.macro.cols),
        "buffer bytes": (program.buffer_bytes, target.chip.buffer.bytes),
        "local memory bytes": (max(program.memory_bytes, default=0), target.core.memory.bytes),
    }


@final
@dataclass(frozen=True)
class Business:
    """How busy the parts of one kind are.

    A share is busy cycles over all cycles (and over the capacity of the part).
    """

    parts: int
    """Parts that worked at all."""
    mean: float
    """Mean share of those."""
    most: float
    """Share of the busiest."""
    busiest: str
    """Name of the busiest."""


def business(program: Program, timing: Cycles) -> dict[str, Business]:
    """Return how busy the parts of the chip are, by kind."""
    found: dict[str, dict[str, float]] = {}
    for kind, name, share in (*_units(program, timing), *_resources(program, timing)):
        if share > 0:
            found.setdefault(kind, {})[name] = share
    return {kind: _summary(shares) for kind, shares in found.items()}


def _summary(shares: Mapping[str, float]) -> Business:
    busiest = max(shares, key=lambda name: shares[name])
    return Business(len(shares), sum(shares.values()) / len(shares), shares[busiest], busiest)


def _units(program: Program, timing: Cycles) -> Iterator[tuple[str, str, float]]:
    width = units_per_core(program)
    for number, busy in enumerate(timing.unit_busy.tolist()):
        core, code = divmod(number, width)
        unit = Unit.of(code)
        yield _KINDS[unit.kind], f"core{core}.{unit}", busy / timing.cycles


def _resources(program: Program, timing: Cycles) -> Iterator[tuple[str, str, float]]:
    chip = topology(program.target)
    for number, busy in enumerate(timing.resource_busy.tolist()):
        if number == chip.host:
            continue
        kind = "links" if number > chip.host else "local memory ports"
        kind = "buffer ports" if number == chip.buffer else kind
        yield kind, chip.name(number), busy / (timing.cycles * chip.capacity(number))
