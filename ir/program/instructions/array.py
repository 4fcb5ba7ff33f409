"""Instructions of the macros."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import ClassVar, final

from mcc.ir.hardware.derived import conversions, conversions_in_sequence, phase_cycles
from mcc.ir.hardware.encoding import physical_columns, row_groups, subtracts_reference
from mcc.ir.hardware.encoding import tile_columns as columns_of
from mcc.ir.hardware.phases import phases, steps
from mcc.ir.hardware.target import Target
from mcc.ir.program.events import Events
from mcc.ir.program.instructions.base import Access, Context, Instruction, local, repeats
from mcc.ir.program.kinds import COUNT, STREAM
from mcc.ir.program.streams import DType, Stream
from mcc.ir.program.tables import Tile
from mcc.ir.program.timing import Pipeline, Step, ceil_div, ceil_real
from mcc.ir.program.units import Unit, array

SUM_BYTES = 4


def tile_columns(target: Target, tile: Tile) -> int:
    """Return the number of physical columns of a tile, its reference column included."""
    return columns_of(target.macro, target.cell, tile.weight_bits, tile.cols)


def converted_columns(target: Target, tile: Tile) -> int:
    """Return the number of physical columns of a tile that are converted, alone or in pairs."""
    if subtracts_reference(target.macro):
        return tile.cols * physical_columns(target.macro, target.cell, tile.weight_bits)
    return tile_columns(target, tile)


def analog_steps(target: Target, tile: Tile) -> int:
    """Return how many times the sums of one product are converted: steps times row groups."""
    count = len(steps(target.macro, tile.input_bits, tile.input_signed))
    return count * row_groups(target.macro, tile.rows)


def driving_cycles(target: Target, tile: Tile) -> int:
    """Return the cycles in which the word lines are driven before one conversion."""
    step = steps(target.macro, tile.input_bits, tile.input_signed)[0]
    return len(step.phases) * phase_cycles(target.macro)


def array_cycles(target: Target, tile: Tile) -> int:
    """Return the cycles a macro needs for one product with a tile."""
    macro = target.macro
    count, driving = analog_steps(target, tile), driving_cycles(target, tile)
    sequence = conversions_in_sequence(macro, tile.col, converted_columns(target, tile))
    converting = sequence * macro.adc.cycles
    if macro.sample_and_hold:
        return driving + converting + (count - 1) * max(driving, converting)
    return count * (driving + converting)


@final
@dataclass(frozen=True, slots=True)
class Mvm(Instruction):
    """Add to sums the products of input vectors with a tile.

    For every position, `result[col] += sum over rows of source[row] * weight[row, col]`, as the
    macro computes it. The dimensions of `source` are the positions, then the rows of the tile
    (`row_dims` dimensions whose counts multiply to its number of rows); those of `result` are the
    same positions, then one dimension of the columns of the tile. Sums are `int32`; codes are
    `int8` where the input of the tile is signed, else `uint8`.
    """

    OPCODE: ClassVar[int] = 0x10
    MNEMONIC: ClassVar[str] = "mvm"

    tile: int = field(metadata=COUNT("index in the tile table"))
    source: Stream = field(metadata=STREAM("input codes in local memory"))
    row_dims: int = field(metadata=COUNT("trailing dimensions of `source` that are the rows"))
    result: Stream = field(metadata=STREAM("sums in local memory, read and written"))

    @property
    def positions(self) -> int:
        """Number of input vectors."""
        return self.result.elements // self.result.dims[-1][0]

    def unit(self, context: Context) -> Unit:
        """Return the macro of the tile."""
        return array(context.tiles[self.tile].macro)

    def timing(self, context: Context) -> Pipeline:
        """One iteration per position, in three stages.

        1. Load: `ceil(rows * itemsize / memory.port_bytes)` cycles with one local memory port.
        2. Array: `steps * (driving + converting)` cycles, or with sample-and-hold
           `driving + converting + (steps - 1) * max(driving, converting)`. No shared resource.
           Phases are `ceil(input_bits / macro.dac_bits)`, for signed codes in two's complement
           `ceil((input_bits - 1) / macro.dac_bits) + 1`. With digital accumulation
           `steps = phases * ceil(rows / macro.active_rows)` and `driving` is the time of a phase;
           with analog accumulation `steps = ceil(rows / macro.active_rows)` and `driving` is that
           of all phases. A phase takes `settle_cycles`, by pulse width
           `settle_cycles * (2**macro.dac_bits - 1)`. `converting` is `macro.adc.cycles`
           times the conversions of the busiest converter: converter i serves the physical columns
           from `i * columns_per_adc`, and those of the tile take one conversion each, or one per
           pair where pairs are subtracted before conversion. A reference column takes those of one
           more column of weights after the others, or none where it is subtracted before.
        3. Add: `ceil(2 * 4 * columns / memory.port_bytes)` cycles with one local memory port, as
           sums are read and written.
        """
        tile = context.tiles[self.tile]
        width = context.target.core.memory.port_bytes
        port = (context.topology.memory(context.core),)
        load = Step(ceil_div(tile.rows * self.source.dtype.itemsize, width), port)
        add = Step(ceil_div(2 * SUM_BYTES * tile.cols, width), port)
        return Pipeline((load, Step(array_cycles(context.target, tile)), add), self.positions)

    def events(self, context: Context) -> Events:
        """Per position, as the tile demands.

        `rows * phases` DAC drives; times the physical columns, cell reads; one conversion and one
        shift-add per step and analog sum (a differential pair of columns makes one sum where it is
        subtracted before conversion, as a column does with its reference); memory bytes of the
        codes, and of the sums twice.
        """
        target, tile = context.target, context.tiles[self.tile]
        columns = tile_columns(target, tile)
        drives = tile.rows * len(phases(target.macro, tile.input_bits, tile.input_signed))
        samples = analog_steps(target, tile) * conversions(
            target.macro, converted_columns(target, tile)
        )
        once = Events(
            cell_reads=drives * columns,
            dac_drives=drives,
            adc_conversions=samples,
            shift_adds=samples,
            memory_bytes=tile.rows * self.source.dtype.itemsize + 2 * SUM_BYTES * tile.cols,
        )
        return once * self.positions

    def reads(self, context: Context) -> tuple[Access, ...]:
        """Return codes and sums."""
        return local(self.source, self.result)

    def writes(self, context: Context) -> tuple[Access, ...]:
        """Return the sums."""
        return local(self.result)

    def problems(self, context: Context) -> Iterator[str]:
        """Name what does not fit the tile."""
        if self.tile >= len(context.tiles):
            yield f"there is no tile {self.tile}"
            return
        tile = context.tiles[self.tile]
        if tile.core != context.core:
            yield f"tile {self.tile} is in core {tile.core}"
        split = len(self.source.dims) - self.row_dims
        rows = Stream(self.source.dtype, 0, self.source.dims[max(split, 0) :])
        if not 0 < self.row_dims <= len(self.source.dims) or rows.elements != tile.rows:
            yield f"the row dimensions do not count the {tile.rows} rows of the tile"
        if self.result.shape != (*self.source.shape[: max(split, 0)], tile.cols):
            yield "the result does not have the positions of the source and the tile's columns"
        if self.result.dtype is not DType.INT32 or repeats(self.result):
            yield "sums must be int32, each at its own place"
        if self.source.dtype is not (DType.INT8 if tile.input_signed else DType.UINT8):
            yield f"the tile takes {'signed' if tile.input_signed else 'unsigned'} codes"


@final
@dataclass(frozen=True, slots=True)
class ProgramMacro(Instruction):
    """Write a cell image into a macro, which then holds the tiles of that image."""

    OPCODE: ClassVar[int] = 0x11
    MNEMONIC: ClassVar[str] = "program"

    macro: int = field(metadata=COUNT("macro of this core"))
    image: int = field(metadata=COUNT("index in the image table"))

    def unit(self, context: Context) -> Unit:
        """Return the macro."""
        return array(self.macro)

    def timing(self, context: Context) -> Pipeline:
        """One step without shared resource.

        `macro.rows * cell.write_pulses * max(1, ceil(cell.write_pulse_seconds *
        chip.clock_hertz))` cycles: row after row, all columns of a row together.
        """
        target = context.target
        pulse = target.cell.write_pulse_seconds * target.chip.clock_hertz
        cycles = target.macro.rows * target.cell.write_pulses * max(1, ceil_real(pulse))
        return Pipeline((Step(cycles),))

    def events(self, context: Context) -> Events:
        """`cell.write_pulses` cell writes for every cell of the macro."""
        macro = context.target.macro
        return Events(cell_writes=macro.rows * macro.cols * context.target.cell.write_pulses)

    def problems(self, context: Context) -> Iterator[str]:
        """Name what is not there."""
        if self.macro >= context.target.core.macros:
            yield f"there is no macro {self.macro}"
        if self.image >= len(context.images):
            yield f"there is no image {self.image}"
        elif context.images[self.image] != (context.core, self.macro):
            yield f"image {self.image} belongs to another macro"
