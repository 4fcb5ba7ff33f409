"""What makes a program legal, apart from timing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import final

from mcc.ir.diagnostics import Diagnostic, Location, MccError
from mcc.ir.hardware.encoding import row_groups, tile_columns
from mcc.ir.hardware.significance import largest_digit
from mcc.ir.program.instructions.base import Context, Instruction, Space
from mcc.ir.program.instructions.control import EndLoop, Halt, Loop, Wait
from mcc.ir.program.program import Program
from mcc.ir.program.streams import Stream
from mcc.ir.program.tables import Image, Region, Tile
from mcc.ir.program.units import Unit, UnitKind

MOST_REPORTED = 20
Problem = tuple[str, str]
"""Where, and what is wrong."""


def check(program: Program) -> None:
    """Refuse a program that breaks a rule of the machine.

    Raises:
        MccError: `program-invalid`, with the first problems.
    """
    found: list[Diagnostic] = []
    for where, problem in problems(program):
        found.append(Diagnostic("program-invalid", f"{where}: {problem}", "", Location()))
        if len(found) == MOST_REPORTED:
            break
    if found:
        raise MccError(found)


def problems(program: Program) -> Iterator[Problem]:
    """Yield every broken rule with its place."""
    found = list(_sizes(program))
    yield from found
    if found:
        return
    yield from _tables(program)
    waiting: dict[int, int] = {}
    for core in range(len(program.cores)):
        yield from _Core(program, core).problems(waiting)


def _sizes(program: Program) -> Iterator[Problem]:
    chip, memory = program.target.chip, program.target.core.memory
    cores = chip.mesh_rows * chip.mesh_cols
    if len(program.cores) != cores or len(program.memory_bytes) != cores:
        yield "memory", f"the target has {cores} cores, the program {len(program.cores)}"
    if program.buffer_bytes > chip.buffer.bytes:
        yield "memory", f"{program.buffer_bytes} bytes of a buffer of {chip.buffer.bytes}"
    for core, size in enumerate(program.memory_bytes):
        if size > memory.bytes:
            yield "memory", f"core {core} uses {size} bytes of a memory of {memory.bytes}"
    lengths = [len(nodes) for nodes in program.source_map]
    if lengths and lengths != [len(instructions) for instructions in program.cores]:
        yield "nodes", "the source map does not name every instruction"


def _tables(program: Program) -> Iterator[Problem]:
    for index, image in enumerate(program.images):
        yield from ((f"image {index}", text) for text in _image(program, image))
    for index, tile in enumerate(program.tiles):
        yield from ((f"tile {index}", text) for text in _tile(program, tile))
    for constant in program.constants:
        yield from _region(program, "constant", constant.region)
        if len(constant.data) != constant.region.bytes:
            yield f"constant {constant.region.name}", "its data has another size"
    for region in program.inputs:
        yield from _region(program, "input", region)
    for region in program.outputs:
        yield from _region(program, "output", region)
    for index, call in enumerate(program.host_calls):
        if call.graph >= len(program.host_graphs):
            yield f"host call {index}", f"there is no host graph {call.graph}"
        for region in (*call.inputs, *call.outputs):
            yield from _region(program, f"host call {index}", region)


def _region(program: Program, owner: str, region: Region) -> Iterator[Problem]:
    if region.address < 0 or region.address + region.bytes > program.buffer_bytes:
        yield f"{owner} {region.name}", "it lies outside of the used part of the global buffer"


def _image(program: Program, image: Image) -> Iterator[str]:
    target = program.target
    if image.core >= len(program.cores) or image.macro >= target.core.macros:
        yield f"there is no macro {image.macro} in a core {image.core}"
    if image.cells.shape != (target.macro.rows, target.macro.cols):
        yield f"its shape is {image.cells.shape}, not that of the macro"
    if image.cells.size and int(image.cells.max()) > largest_digit(target.cell):
        yield "a state is higher than a cell has"


def _tile(program: Program, tile: Tile) -> Iterator[str]:
    macro, cell = program.target.macro, program.target.cell
    if not 0 <= tile.image < len(program.images):
        yield f"there is no image {tile.image}"
    elif (program.images[tile.image].core, program.images[tile.image].macro) != (
        tile.core,
        tile.macro,
    ):
        yield f"image {tile.image} belongs to another macro"
    if min(tile.rows, tile.cols, tile.weight_bits, tile.input_bits) < 1:
        yield "it is empty"
        return
    cols = tile_columns(macro, cell, tile.weight_bits, tile.cols)
    if tile.row + tile.rows > macro.rows or tile.col + cols > macro.cols:
        yield "it reaches over the edge of the macro"
    flips = row_groups(macro, tile.rows) * cols
    if tile.flips and len(tile.flips) != -(-flips // 8):
        yield "its flips have another size"


@final
class _Core:
    """Walks through the instructions of one core."""

    def __init__(self, program: Program, core: int) -> None:
        self.program = program
        self.core = core
        self.context: Context = program.context(core)
        self.loops: list[int] = []
        self.units: dict[frozenset[Unit], str] = {}

    def problems(self, waiting: dict[int, int]) -> Iterator[Problem]:
        """Yield what is wrong; `waiting` collects which core waits for which semaphore."""
        instructions = self.program.cores[self.core]
        for index, instruction in enumerate(instructions):
            where = f"core {self.core}, instruction {index} ({instruction.MNEMONIC})"
            for text in self._instruction(instruction):
                yield where, text
            if isinstance(instruction, Halt) != (index == len(instructions) - 1):
                yield where, "a core ends in its only `halt`"
            if isinstance(instruction, Wait):
                other = waiting.setdefault(instruction.semaphore, self.core)
                if other != self.core:
                    yield where, f"core {other} waits for the same semaphore"
        if self.loops or not instructions:
            yield f"core {self.core}", "a loop is not closed, or there is no `halt`"

    def _instruction(self, instruction: Instruction) -> Iterator[str]:
        if isinstance(instruction, EndLoop):
            if not self.loops:
                yield "it closes no loop"
                return
            self.loops.pop()
        yield from self._waits(instruction.wait)
        found = list(instruction.problems(self.context))
        yield from found
        if not found:
            for access in (*instruction.reads(self.context), *instruction.writes(self.context)):
                yield from self._bounds(access.space, access.stream)
        if isinstance(instruction, Loop):
            self.loops.append(instruction.count)

    def _waits(self, units: frozenset[Unit]) -> Iterator[str]:
        if units not in self.units:
            wrong = [str(unit) for unit in units if not self._exists(unit)]
            self.units[units] = f"it waits for {', '.join(wrong)}, not there" if wrong else ""
        if self.units[units]:
            yield self.units[units]

    def _exists(self, unit: Unit) -> bool:
        if unit.kind is UnitKind.ARRAY:
            return unit.index < self.program.target.core.macros
        return unit.kind is not UnitKind.HOST or self.core == 0

    def _bounds(self, space: Space, stream: Stream) -> Iterator[str]:
        if len(stream.steps) > len(self.loops):
            yield f"a stream has {len(stream.steps)} steps inside {len(self.loops)} loops"
            return
        low, high = stream.span
        low, high = low + stream.base, high + stream.base
        for step, count in zip(stream.steps, self.loops, strict=False):
            reach = step * (count - 1)
            low, high = low + min(reach, 0), high + max(reach, 0)
        local = space is Space.LOCAL
        size = self.program.memory_bytes[self.core] if local else self.program.buffer_bytes
        if low < 0 or high > size:
            yield f"bytes {low} to {high} of the {space}, of which {size} are used"
