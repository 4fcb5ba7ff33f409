"""From kernels to the code of cores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import final

import onnx_ir as ir

from mcc.backends.crossbar.assignment import Share, Turn
from mcc.backends.crossbar.contraction import Contraction, ContractionHead
from mcc.backends.crossbar.elementwise import Group
from mcc.backends.crossbar.emission import Bounds, Part, Room
from mcc.backends.crossbar.heads import Head
from mcc.backends.crossbar.kernels import Kernel, Kernels, head_operands
from mcc.backends.crossbar.matrices import Matrices
from mcc.backends.crossbar.movement import Concat, Duplicate, Pad, Resize
from mcc.backends.crossbar.pooling import MaxPool, RowReduction
from mcc.backends.crossbar.seating import nearest
from mcc.backends.crossbar.synchronisation import Job, Range
from mcc.backends.crossbar.views import Storage, View
from mcc.backends.crossbar.writer import Line
from mcc.ir.network.operators import Mean
from mcc.ir.program import DType
from mcc.ir.program.instructions import CallHost

ELEMENTS_PER_CORE = 4096
"""Results that are worth a further core in kernels without tiles."""


@final
class Jobs:
    """Writes the jobs of all kernels, in order."""

    def __init__(
        self, kernels: Kernels, room: Room, matrices: Matrices, starts: Mapping[Kernel, View]
    ) -> None:
        """Prepare to write.

        Args:
            kernels: The kernels and their tensors.
            room: Addresses and memory.
            matrices: The tile tables.
            starts: What the sums of contractions start from, where it is not zero.
        """
        self.memory: dict[int, int] = {}
        """Bytes of local memory in use, by core."""
        self.kernels = kernels
        self._room = room
        self._matrices = matrices
        self._starts = starts
        self._cores = nearest(matrices.target)
        self._next = 0

    def host(self, kernel: Kernel, call: int) -> Job:
        """Return the job of a host call."""
        return self._job(kernel, {0: [Line(CallHost(call), kernel.name)]})

    def digital(self, kernel: Kernel) -> Job:
        """Return the job of a kernel without tiles, spread over some cores."""
        head, group = self._head(kernel), self._group(kernel)
        units = head.units if head is not None else (1,) * len(kernel.frame)
        code: dict[int, list[Line]] = {}
        for bounds in _spread(kernel.frame, units, len(self._cores)):
            core = self._cores[self._next % len(self._cores)]
            self._next += 1
            self._write(kernel, core, [Part(head, group, bounds)], code)
        return self._job(kernel, code)

    def contraction(
        self, kernel: Kernel, contraction: Contraction, turns: Sequence[Turn]
    ) -> list[Job]:
        """Return the jobs of a contraction, one for each turn."""
        found: list[Job] = []
        for turn in turns:
            code: dict[int, list[Line]] = {}
            for shares in _partners(turn.shares):
                parts = [self._share(kernel, contraction, turn, share) for share in shares]
                cores = [share.core for share in shares]
                self._write_together(kernel, cores, parts, code)
            sums = sums_view(kernel, contraction) if len(turns) > 1 else None
            carried = sums if not turn.first else None
            kept = sums if not turn.last else None
            found.append(self._job(kernel, code, carried, kept, complete=turn.last))
        return found

    def _share(self, kernel: Kernel, contraction: Contraction, turn: Turn, share: Share) -> Part:
        """Return what one core does for some columns."""
        codes = head_operands(contraction.node)[0]
        sums = sums_view(kernel, contraction)
        head = ContractionHead(
            contraction,
            self.kernels.view(codes),
            share,
            self._matrices.index[contraction.node],
            self._starts.get(kernel) if turn.first else None,
            None if turn.first else sums,
            None if turn.last else sums,
            self._matrices.writes(share.seats),
        )
        column = contraction.column_dim
        bounds = tuple(
            head.bounds if dim == column else (0, size)
            for dim, size in enumerate(contraction.frame)
        )
        complete = turn.last and share.core == share.primary
        return Part(head, self._group(kernel) if complete else Group((), (), (), {}), bounds)

    def _write(
        self, kernel: Kernel, core: int, parts: Sequence[Part], code: dict[int, list[Line]]
    ) -> None:
        self._write_together(kernel, [core], parts, code)

    def _write_together(
        self,
        kernel: Kernel,
        cores: Sequence[int],
        parts: Sequence[Part],
        code: dict[int, list[Line]],
    ) -> None:
        """Write parts with the same strips, so that messages between them meet."""
        strips = [self._room.strips(part, kernel.name, kernel.location) for part in parts]
        counts = tuple(map(min, zip(*strips, strict=True)))
        for core, part in zip(cores, parts, strict=True):
            lines, size = self._room.write(part, counts)
            code.setdefault(core, []).extend(lines)
            self.memory[core] = max(self.memory.get(core, 0), size)

    def _group(self, kernel: Kernel) -> Group:
        given = tuple(kernel.head.outputs) if kernel.head is not None else ()
        views = {
            value: self.kernels.view(value)
            for node in kernel.nodes
            for value in node.inputs
            if value is not None and value not in kernel.made and value in self.kernels.views
        }
        return Group(given, tuple(kernel.nodes), tuple(kernel.stores.items()), views)

    def _head(self, kernel: Kernel) -> Head | None:
        if kernel.duplicate is not None:
            return Duplicate(kernel.duplicate, self.kernels.view(kernel.duplicate))
        if kernel.head is None:
            return None
        return head_of(kernel.head, self.kernels)

    def _job(
        self,
        kernel: Kernel,
        code: Mapping[int, list[Line]],
        carried: View | None = None,
        kept: View | None = None,
        complete: bool = True,
    ) -> Job:
        reads = [self._range(view.storage) for view in kernel.reads.values()]
        writes = [self._range(view.storage) for view in kernel.stores.values()]
        more_reads = [self._range(carried.storage)] if carried is not None else []
        more_writes = [self._range(kept.storage)] if kept is not None else []
        return Job(
            kernel.name,
            code,
            tuple(item for item in (*reads, *more_reads) if item is not None),
            tuple(item for item in (*(writes if complete else []), *more_writes) if item),
        )

    def _range(self, storage: Storage) -> Range | None:
        """Return the bytes of a storage, if they ever change."""
        if storage.constant or not storage.bytes:
            return None
        start = self._room.addresses[storage.name]
        return start, start + storage.bytes


def head_of(node: ir.Node, kernels: Kernels) -> Head:
    """Return what begins a kernel with a node that is no contraction."""
    sources = tuple(kernels.view(value) for value in head_operands(node))
    match node.op_type:
        case "MaxPool":
            return MaxPool(node, sources[0])
        case "ReduceMax":
            return RowReduction(node, sources[0], None)
        case "Mean":
            return RowReduction(node, sources[0], kernels.factor(Mean.of(node)))
        case "Pad":
            return Pad(node, sources[0])
        case "Concat":
            return Concat(node, sources)
        case "Resize":
            return Resize(node, sources[0])
        case _:
            raise AssertionError(f"{node.name}: {node.op_type} is not for the chip")


def sums_view(kernel: Kernel, contraction: Contraction) -> View:
    """Return the tensor of sums that wait for the next turn."""
    return View.new(f"sums of {kernel.name}", DType.INT32, contraction.frame)


def _partners(shares: Sequence[Share]) -> list[list[Share]]:
    """Group shares that exchange partial sums."""
    found: dict[range, list[Share]] = {}
    for share in shares:
        found.setdefault(share.blocks, []).append(share)
    return list(found.values())


def _spread(frame: tuple[int, ...], units: Sequence[int], cores: int) -> list[Bounds]:
    """Cut a result into boxes, one for each core that is worth it."""
    elements = 1
    for size in frame:
        elements *= size
    whole = tuple((0, size) for size in frame)
    wanted = min(cores, max(1, elements // ELEMENTS_PER_CORE))
    for dim, (size, unit) in enumerate(zip(frame, units, strict=True)):
        if unit and size >= 2 * unit and wanted > 1:
            steps = size // unit
            each = -(-steps // min(wanted, steps)) * unit
            return [
                (*whole[:dim], (start, min(start + each, size)), *whole[dim + 1 :])
                for start in range(0, size, each)
            ]
    return [whole]
