"""The hardware language: what a chip is made of, in frozen dataclasses.

Every field is required and moves something that a run or a report declares: cycles, joules, square
metres, lifetime or the numbers themselves. Values are in the unit of the field's name; where the
name has none they are plain counts.
"""

from __future__ import annotations

from typing import final

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from mcc.ir.hardware.choices import (
    Accumulation,
    AdcKind,
    Differential,
    Encoding,
    InputCoding,
    InputForm,
    RangePolicy,
    Reference,
    Subtraction,
)
from mcc.ir.hardware.device import (
    Current,
    Drift,
    Flicker,
    Relaxation,
    Temperature,
    Valid,
    Variation,
    WriteSpread,
)
from mcc.ir.hardware.quantities import (
    Bits,
    Bytes,
    BytesPerCycle,
    BytesPerSecond,
    Count,
    Cycles,
    Exponent,
    Fraction,
    Guards,
    Hertz,
    Joules,
    Metre2,
    OperationsPerSecond,
    Overlap,
    PositiveCycles,
    PositiveSeconds,
    Seconds,
    Siemens,
    Steps,
    Watts,
)

STRICT = ConfigDict(strict=True, extra="forbid")


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
    """The analog-to-digital converters of a macro.

    A `step` is the nominal distance between the levels of two neighbouring codes.
    """

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
    kind: AdcKind
    """How a converter finds its code.

    Matters at `device` and only with a `macro.adc.mismatch` that is not zero: with equal elements
    all kinds are ideal. Can change to `ideal` only where that is zero.
    """
    offset: Steps
    """Standard deviation of what a converter adds to every level, over the converters."""
    gain_error: Fraction
    """Standard deviation of the step of a converter, relative to its nominal one."""
    nonlinearity: Steps
    """Height of the parabola by which levels lie too high in the middle of the range."""
    mismatch: Fraction
    """Standard deviation of one unit element, relative to its value.

    Elements are the unit capacitors of `sar`, `pipeline` and `cyclic` and the resistors of `ramp`;
    for `flash` it is the offset of one comparator, relative to a step. An `ideal` converter has
    none.
    """
    noise: Steps
    """Root mean square of what is added to a level from conversion to conversion."""


@final
@dataclass(frozen=True, kw_only=True, config=STRICT)
class Dac:
    """The drivers of the word lines: binary-weighted digital-to-analog converters."""

    mismatch: Fraction
    """Standard deviation of one unit element, relative to its value.

    A level of digit d has d of them; of unit pulses, one and the same drives all d.
    """
    noise: Steps
    """Root mean square of a drive; a step is one digit. Lines at digit 0 are grounded."""


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

    Can change to `differential` only together with `macro.column_flip`, which must then be false,
    and from it only where `macro.subtraction` is `before` and `macro.differential` is `one_sided`.
    """
    differential: Differential
    """How a pair holds a digit of the differential encoding; `one_sided` elsewhere."""
    subtraction: Subtraction
    """Where the columns of a differential pair, or a column and its reference, are subtracted.

    `before` in the offset encoding without a reference column.
    """
    reference: Reference
    """How the offset of the offset encoding is taken off; `digital` elsewhere.

    A reference column takes the place of a column of weights in every tile. It excludes
    `macro.column_flip`, as flipped columns are undone by the digital sum of the inputs.
    """
    column_flip: bool
    """Store the complement of a column whose sum would exceed half its range.

    This halves the largest sum that a converter must hold (offset only).
    """
    dac_bits: Bits
    """Input bits that one phase drives."""
    slice_overlap: Overlap
    """States by which slices overlap, so that a number can be written in more ways than one.

    A slice is worth `2**cell.bits - slice_overlap` times the one before, which is any number above
    1: 0.5 makes it 1.5 for binary cells; 0 has no redundancy. With such fractions cells hold a
    weight to half of what their lowest slice is worth, and the sums of a tile, put together with
    factors of 20 bits below one, are rounded to whole numbers. At `exact` cells multiply as the
    whole weights nearest to what they hold.
    """
    guard_slices: Guards
    """Slices worth less than one unit of a weight, below those that its range takes.

    Each divides by the ratio what the cells can miss of a weight; a fractional ratio takes at least
    one. Where slices are worth whole numbers no weight needs them.
    """
    input_coding: InputCoding
    """How a digit drives a word line.

    Pulses take `2**dac_bits - 1` times as long to settle, so it matters with several `dac_bits`.
    """
    input_form: InputForm
    """How a signed input becomes phases; inputs quantized to unsigned codes do not show it."""
    accumulation: Accumulation
    """Where the phases of an input are added up."""
    settle_cycles: PositiveCycles
    """Cycles from driving the word lines until the currents can be converted."""
    sample_and_hold: bool
    """Whether the currents of one step settle while those of the step before are converted."""
    dac: Dac
    adc: Adc


@final
@dataclass(frozen=True, kw_only=True, config=STRICT)
class Cell:
    """One memristor: its states, and the laws of how far reality is from them.

    The laws are those of `runtime/devices`. A law whose factors are 0 has no effect.
    """

    bits: Bits
    """Bits per cell; 2**bits states at equal distances in conductance."""
    g_min_siemens: Siemens
    """Conductance of state 0."""
    g_max_siemens: Siemens
    """Conductance of the highest state."""
    write_error: Fraction
    """Standard deviation of a written conductance, relative to its target.

    What `write` says of the standard deviation is added to it.
    """
    read_noise: Fraction
    """Standard deviation of a cell's conductance from read to read, relative to its value.

    The noise of `flicker` is no part of it: that is the same in all reads at a time.
    """
    stuck_low_fraction: Fraction
    """Fraction of cells that stay at `g_min_siemens` whatever is written."""
    stuck_high_fraction: Fraction
    """Fraction of cells that stay at `g_max_siemens` whatever is written."""
    write_pulses: Count
    """Pulses that it takes to write one cell, on average."""
    write_pulse_seconds: Seconds
    """Duration of one write pulse with its verification."""
    endurance_cycles: Count
    """Times a cell can be written: its characteristic life, by which 63 % of the cells have failed.

    Without a spread of lives (`endurance_shape` 0) no cell fails; the report divides by it.
    """
    endurance_shape: Exponent
    """Shape of the Weibull distribution of lives; failed cells stay at `g_min_siemens`."""
    start_seconds: PositiveSeconds
    """Time after programming at which `write` describes the cells; ageing counts from it.

    Earlier reads find the cells as they are then. Matters only where cells age.
    """
    write: WriteSpread
    flicker: Flicker
    drift: Drift
    relaxation: Relaxation
    variation: Variation
    temperature: Temperature
    current: Current
    valid: Valid


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
