"""The hardware language: what a chip is made of, in frozen dataclasses.

Every field is required and moves something that a run or a report declares: cycles, joules, square
metres, lifetime or the numbers themselves. Values are in the unit of the field's name; where the
name has none they are plain counts.
"""

from __future__ import annotations

from enum import StrEnum
from typing import final

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from mcc.ir.hardware.quantities import (
    Bits,
    Bytes,
    BytesPerCycle,
    BytesPerSecond,
    Count,
    Cycles,
    Fraction,
    Hertz,
    Joules,
    Metre2,
    Ohms,
    OperationsPerSecond,
    PositiveCycles,
    Seconds,
    Siemens,
    Volts,
    Watts,
)

STRICT = ConfigDict(strict=True, extra="forbid")


@final
class Encoding(StrEnum):
    """How the sign of a weight becomes cells."""

    DIFFERENTIAL = "differential"
    """Two cells per digit, one for each sign; their currents are subtracted before conversion."""
    OFFSET = "offset"
    """One cell per digit of the weight plus half its range; the surplus is subtracted digitally."""


@final
class InputForm(StrEnum):
    """How a signed input becomes phases."""

    TWOS_COMPLEMENT = "twos_complement"
    """Digits of the lower bits, then the sign bit alone, whose sums are subtracted."""
    SIGN_MAGNITUDE = "sign_magnitude"
    """Digits of the magnitude, driven with the sign of the input."""


@final
class RangePolicy(StrEnum):
    """How the step of the analog-to-digital converters is chosen."""

    FULL_SCALE = "full_scale"
    """The largest sum that `active_rows` rows can make just fits."""
    CALIBRATED = "calibrated"
    """Per layer, the step with the least error on the calibration data."""


@final
class Feed(StrEnum):
    """Where the current of the cells comes from."""

    WORD_LINE = "word_line"
    """Word lines carry the inputs as voltages, and the current of their cells."""
    SOURCE_LINE = "source_line"
    """A line beside every bit line carries the read voltage; inputs open the switches."""


@final
class Selector(StrEnum):
    """What keeps the cells of rows that are not driven out of a sum."""

    NONE = "none"
    """Nothing: all rows of a macro stay connected."""
    SWITCH = "switch"
    """A transistor for each cell; those of the rows that are not driven are closed."""


@final
class IdleRows(StrEnum):
    """What is done with the rows that are not driven."""

    GROUNDED = "grounded"
    """Their drivers hold them at 0 V."""
    FLOATING = "floating"
    """Their drivers let go of them."""


@final
@dataclass(frozen=True, kw_only=True, config=STRICT)
class Memory:
    """A byte-addressed memory with ports that serve one access at a time each."""

    bytes: Bytes
    """Capacity."""
    ports: Count
    """Accesses served at the same time."""
    port_bytes: Bytes
    """Bytes that one port moves in a cycle."""


@final
@dataclass(frozen=True, kw_only=True, config=STRICT)
class VectorCycles:
    """Cycles in which every lane finishes one operation, by class of operation."""

    add: PositiveCycles
    """Additions, subtractions, negations."""
    multiply: PositiveCycles
    """Multiplications."""
    divide: PositiveCycles
    """Divisions and square roots."""
    compare: PositiveCycles
    """Minima, maxima, clips, absolute values."""
    convert: PositiveCycles
    """Changes between integers and floating point, roundings."""


@final
@dataclass(frozen=True, kw_only=True, config=STRICT)
class VectorUnit:
    """The digital arithmetic of a core, in IEEE float32 and int32."""

    lanes: Count
    """Elements worked on at the same time."""
    cycles: VectorCycles


@final
@dataclass(frozen=True, kw_only=True, config=STRICT)
class Chip:
    """Cores in a mesh around one global buffer."""

    mesh_rows: Count
    """Rows of cores."""
    mesh_cols: Count
    """Columns of cores."""
    clock_hertz: Hertz
    """The one clock of all cycles."""
    link_bytes_per_cycle: BytesPerCycle
    """Bytes that one direction of one mesh link moves in a cycle."""
    hop_cycles: Cycles
    """Cycles a message takes to pass one router and link."""
    sync_cycles: Cycles
    """Cycles from posting a semaphore until other cores see it."""
    buffer: Memory
    """Global buffer: network inputs and outputs, constants, tensors between kernels."""


@final
@dataclass(frozen=True, kw_only=True, config=STRICT)
class Core:
    """Macros, a vector unit and a mover around one local memory."""

    macros: Count
    """Crossbar arrays of a core."""
    queue_depth: Count
    """Instructions that wait in front of each unit before the sequencer stalls.

    Matters only where a core hands one unit more instructions in a row than its queue holds, as
    for tiles that share a macro.
    """
    memory: Memory
    """Local memory: input codes, sums and working strips."""
    vector: VectorUnit


@final
@dataclass(frozen=True, kw_only=True, config=STRICT)
class Adc:
    """The analog-to-digital converters of a macro."""

    bits: Bits
    """Resolution; signed where sums can be negative.

    At `converter`, bits beyond those that the largest sum needs change nothing.
    """
    range: RangePolicy
    """How the converter's step is chosen.

    Matters only where `macro.adc.bits` cannot hold the largest sum: else both policies choose the
    step 1, which neither clips nor rounds.
    """
    cycles: PositiveCycles
    """Cycles of one conversion."""
    columns_per_adc: Count
    """Bit lines that share one converter, one after another."""


@final
@dataclass(frozen=True, kw_only=True, config=STRICT)
class Macro:
    """One crossbar array with its drivers and converters."""

    rows: Count
    """Word lines."""
    cols: Count
    """Bit lines."""
    active_rows: Count
    """Word lines driven at once: the rows of one analog sum."""
    encoding: Encoding
    """How the sign of a weight becomes cells.

    Can change to `differential` only together with `macro.column_flip`, which must then be false.
    """
    column_flip: bool
    """Store the complement of a column whose sum would exceed half its range.

    This halves the largest sum that a converter must hold (offset only).
    """
    dac_bits: Bits
    """Input bits that one phase drives."""
    input_form: InputForm
    """How a signed input becomes phases; inputs quantized to unsigned codes do not show it."""
    settle_cycles: PositiveCycles
    """Cycles from driving the word lines until the currents can be converted."""
    sample_and_hold: bool
    """Whether the currents of one step settle while those of the step before are converted."""
    adc: Adc


@final
@dataclass(frozen=True, kw_only=True, config=STRICT)
class Cell:
    """One memristor: its states, and how far reality is from them."""

    bits: Bits
    """Bits per cell; 2**bits states at equal distances in conductance."""
    g_min_siemens: Siemens
    """Conductance of state 0."""
    g_max_siemens: Siemens
    """Conductance of the highest state."""
    write_error: Fraction
    """Standard deviation of a written conductance, relative to its target."""
    read_noise: Fraction
    """Standard deviation of a cell's conductance from read to read, relative to its value."""
    stuck_low_fraction: Fraction
    """Fraction of cells that stay at `g_min_siemens` whatever is written."""
    stuck_high_fraction: Fraction
    """Fraction of cells that stay at `g_max_siemens` whatever is written."""
    write_pulses: Count
    """Pulses that it takes to write one cell, on average."""
    write_pulse_seconds: Seconds
    """Duration of one write pulse with its verification."""
    endurance_cycles: Count
    """Times a cell can be written."""


@final
@dataclass(frozen=True, kw_only=True, config=STRICT)
class Wires:
    """What lies around the cells of a macro; it shows at fidelity `wire` only.

    Row 0 is farthest from the converters, column 0 nearest to the drivers of the word lines.
    """

    feed: Feed
    """Where the current of the cells comes from."""
    selector: Selector
    """What keeps the cells of other rows out of a sum."""
    idle_rows: IdleRows
    """What is done with the rows that are not driven; matters only without a `selector`."""
    interleaved: bool
    """Whether the two cells of a differential pair share a bit line, one after the other.

    They are then driven by opposite voltages on two word lines, and the bit line carries the
    difference of their currents. Can be true only in the differential encoding.
    """
    word_ohm: Ohms
    """One segment of a word line, from cell to cell; matters only with the feed `word_line`."""
    bit_ohm: Ohms
    """One segment of a bit line."""
    source_ohm: Ohms
    """One segment of a source line; matters only with the feed `source_line`."""
    driver_ohm: Ohms
    """Between the source of a voltage and the line that it feeds."""
    sense_ohm: Ohms
    """Between a bit line and the virtual ground of its converter."""
    switch_ohm: Ohms
    """An open switch at small voltages, in series with the conductances of `cell`."""
    threshold_volt: Volts
    """Threshold of a switch; its resistance rises with the voltage that it bears."""
    gate_volt: Volts
    """Voltage on the gate of an open switch."""
    read_volt: Volts
    """Largest voltage on a cell with its switch; switches are linearised there."""


@final
@dataclass(frozen=True, kw_only=True, config=STRICT)
class Host:
    """An estimate of the processor that runs what the cores cannot."""

    operations_per_second: OperationsPerSecond
    """Sustained arithmetic throughput.

    Calls take whole cycles, so that one of few operations may not show it.
    """
    bytes_per_second: BytesPerSecond
    """Bandwidth between the global buffer and the host."""
    call_seconds: Seconds
    """Fixed cost of one call."""


@final
@dataclass(frozen=True, kw_only=True, config=STRICT)
class Energy:
    """Joules of every kind of event, and the power that flows without events."""

    cell_read_joules: Joules
    """One cell of a driven row in one phase."""
    dac_drive_joules: Joules
    """One word line driven in one phase."""
    adc_conversion_joules: Joules
    """One conversion."""
    shift_add_joules: Joules
    """Adding one converted code to its sum."""
    vector_operation_joules: Joules
    """One operation on one element."""
    memory_byte_joules: Joules
    """One byte read from or written to a local memory."""
    buffer_byte_joules: Joules
    """One byte read from or written to the global buffer."""
    link_byte_hop_joules: Joules
    """One byte over one mesh link."""
    cell_write_joules: Joules
    """One write pulse on one cell."""
    host_operation_joules: Joules
    """One operation of the host."""
    host_byte_joules: Joules
    """One byte between the global buffer and the host."""
    core_static_watts: Watts
    """Power of one core that flows all the time."""
    chip_static_watts: Watts
    """Power of the chip outside its cores that flows all the time."""


@final
@dataclass(frozen=True, kw_only=True, config=STRICT)
class Area:
    """Silicon of every kind of unit."""

    macro_metre2: Metre2
    """One array with its drivers, without its analog-to-digital converters."""
    adc_metre2: Metre2
    """One analog-to-digital converter."""
    vector_metre2: Metre2
    """The vector unit of one core."""
    memory_byte_metre2: Metre2
    """One byte of local memory."""
    buffer_byte_metre2: Metre2
    """One byte of global buffer; 0 where it lies outside the chip."""
    router_metre2: Metre2
    """The share of one core in the mesh."""
    chip_metre2: Metre2
    """Everything else, once per chip."""
