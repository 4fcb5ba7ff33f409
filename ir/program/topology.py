"""The shared resources of a chip: their numbers, and the links a message passes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from typing import final

from mcc.ir.hardware.target import Target


@final
class Direction(IntEnum):
    """Where the four links lead that leave a router."""

    EAST = 0
    WEST = 1
    SOUTH = 2
    NORTH = 3


@final
@dataclass(frozen=True)
class Topology:
    """Numbers of the resources, of which each is held by as many steps as its capacity.

    Cores are numbered row by row. The global buffer lies along the west edge: the router of column
    0 in every row has a link to it and one from it. Messages go along their row first, then along
    the column.
    """

    cores: int
    mesh_cols: int
    memory_ports: int
    buffer_ports: int

    def memory(self, core: int) -> int:
        """Return the memory ports of a core."""
        return core

    @property
    def buffer(self) -> int:
        """The ports of the global buffer."""
        return self.cores

    @property
    def host(self) -> int:
        """The host."""
        return self.cores + 1

    def link(self, core: int, direction: Direction) -> int:
        """Return the link that leaves the router of `core`."""
        return self.cores + 2 + 4 * core + direction

    def entry(self, row: int) -> int:
        """Return the link from the global buffer to the first router of a row."""
        return self.cores + 2 + 4 * self.cores + row

    @property
    def count(self) -> int:
        """How many resources there are."""
        return self.entry(self.cores // self.mesh_cols)

    def capacity(self, resource: int) -> int:
        """Return how many steps can hold a resource at the same time."""
        if resource < self.cores:
            return self.memory_ports
        return self.buffer_ports if resource == self.buffer else 1

    def name(self, resource: int) -> str:
        """Return how reports and traces call a resource."""
        if resource < self.cores:
            return f"core{resource}.memory"
        if resource <= self.host:
            return "buffer" if resource == self.buffer else "host"
        link = resource - self.cores - 2
        if link >= 4 * self.cores:
            return f"link.buffer-{(link - 4 * self.cores) * self.mesh_cols}"
        core, direction = divmod(link, 4)
        return f"link.{core}-{Direction(direction).name.lower()}"

    def path(self, source: int, destination: int) -> tuple[int, ...]:
        """Return the links from core to core, in the order they are passed."""
        row, col = divmod(source, self.mesh_cols)
        last_row, last_col = divmod(destination, self.mesh_cols)
        links: list[int] = []
        while col != last_col:
            east = col < last_col
            direction = Direction.EAST if east else Direction.WEST
            links.append(self.link(row * self.mesh_cols + col, direction))
            col += 1 if east else -1
        while row != last_row:
            south = row < last_row
            direction = Direction.SOUTH if south else Direction.NORTH
            links.append(self.link(row * self.mesh_cols + col, direction))
            row += 1 if south else -1
        return tuple(links)

    def path_from_buffer(self, core: int) -> tuple[int, ...]:
        """Return the links from the global buffer to a core."""
        row = core // self.mesh_cols
        return (self.entry(row), *self.path(row * self.mesh_cols, core))

    def path_to_buffer(self, core: int) -> tuple[int, ...]:
        """Return the links from a core to the global buffer."""
        first = core // self.mesh_cols * self.mesh_cols
        return (*self.path(core, first), self.link(first, Direction.WEST))


@lru_cache(maxsize=16)
def topology(target: Target) -> Topology:
    """Return the resources of a target."""
    chip, core = target.chip, target.core
    cores = chip.mesh_rows * chip.mesh_cols
    return Topology(cores, chip.mesh_cols, core.memory.ports, chip.buffer.ports)
