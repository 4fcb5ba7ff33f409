"""What a compilation tells about its kernels, as plain data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

from mcc.backends.crossbar.kernels import Kernel
from mcc.backends.crossbar.seating import Seat
from mcc.ir.hardware import Target


@final
@dataclass(frozen=True, kw_only=True)
class KernelSummary:
    """One kernel: what it is made of and what of the chip it uses."""

    name: str
    kind: str
    """Operator of its head, `elementwise`, `copy` or `host`."""
    nodes: tuple[str, ...]
    """Network nodes that it runs."""
    cores: tuple[int, ...]
    tiles: int
    macros: int
    """Macros that hold its tiles."""
    rounds: int
    """Sets of tiles that the chip holds for it one after another."""
    utilisation: float
    """Used fraction of the cells of those macros, by this kernel alone."""

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "name": self.name,
            "kind": self.kind,
            "nodes": list(self.nodes),
            "cores": list(self.cores),
            "tiles": self.tiles,
            "macros": self.macros,
            "rounds": self.rounds,
            "utilisation": self.utilisation,
        }


def summarise(kernel: Kernel, cores: set[int], seats: list[Seat], target: Target) -> KernelSummary:
    """Return the summary of a kernel."""
    macros = {(seat.core, seat.macro, seat.round) for seat in seats}
    cells = sum(seat.piece.rows * seat.piece.cols for seat in seats)
    room = len(macros) * target.macro.rows * target.macro.cols
    if kernel.host is not None:
        nodes = kernel.host_nodes
    else:
        nodes = [*([kernel.head] if kernel.head is not None else []), *kernel.nodes]
    return KernelSummary(
        name=kernel.name,
        kind=_kind(kernel),
        nodes=tuple(node.name or "" for node in nodes),
        cores=tuple(sorted(cores)),
        tiles=len(seats),
        macros=len({(core, macro) for core, macro, _ in macros}),
        rounds=len({number for _, _, number in macros}),
        utilisation=cells / room if room else 0.0,
    )


def _kind(kernel: Kernel) -> str:
    if kernel.host is not None:
        return "host"
    if kernel.head is not None:
        return kernel.head.op_type
    return "copy" if kernel.duplicate is not None else "elementwise"
