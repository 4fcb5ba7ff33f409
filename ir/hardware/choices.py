"""The choices of the hardware language, each with the meaning of its values."""

from __future__ import annotations

from enum import StrEnum
from typing import final


@final
class Encoding(StrEnum):
    """How the sign of a weight becomes cells."""

    DIFFERENTIAL = "differential"
    """Two cells per digit, one for each sign."""
    OFFSET = "offset"
    """One cell per digit of the weight plus half its range, which `macro.reference` takes off."""


@final
class Reference(StrEnum):
    """How what the offset encoding adds to every weight is taken off the sums."""

    DIGITAL = "digital"
    """As the offset times the sum of the inputs, by exact digital arithmetic."""
    COLUMN = "column"
    """By a column of weights 0 in the same cells, driven and read with all others.

    Every tile has one, its last: a physical column for each slice, that all columns of the tile
    share in every row group and phase. What it errs by, all of them err by.
    """


@final
class Subtraction(StrEnum):
    """Where two columns, of a differential pair or one and its reference, are subtracted."""

    BEFORE = "before"
    """As currents, so that both together take one conversion of a signed sum."""
    AFTER = "after"
    """As codes, so that every column takes a conversion of its own."""


@final
class InputForm(StrEnum):
    """How a signed input becomes phases."""

    TWOS_COMPLEMENT = "twos_complement"
    """Digits of the lower bits, then the sign bit alone, whose sums are subtracted."""
    SIGN_MAGNITUDE = "sign_magnitude"
    """Digits of the magnitude, driven with the sign of the input."""


@final
class InputCoding(StrEnum):
    """How a digit drives a word line."""

    LEVEL = "level"
    """By one pulse whose voltage is the digit."""
    PULSE_WIDTH = "pulse_width"
    """By unit pulses after each other, as many as the digit; every cell sees one voltage only."""


@final
class Differential(StrEnum):
    """Which states the two cells of a differential pair take for a digit."""

    ONE_SIDED = "one_sided"
    """The digit on the side of its sign, the lowest state on the other."""
    TWO_SIDED = "two_sided"
    """Both near the middle: `(D + d + 1) // 2` and that minus d, D being the highest state."""


@final
class Accumulation(StrEnum):
    """Where the phases of an input are added up."""

    DIGITAL = "digital"
    """As codes: every phase is converted, and its codes are shifted and added."""
    ANALOG = "analog"
    """As charges, each with the worth of its phase: one conversion for all phases of an input.

    The charge of the sign bit of two's complement is subtracted, so converters are signed.
    """


@final
class RangePolicy(StrEnum):
    """How the step of the analog-to-digital converters is chosen."""

    FULL_SCALE = "full_scale"
    """The largest sum that `active_rows` rows can make just fits."""
    CALIBRATED = "calibrated"
    """Per layer, the step with the least error on the calibration data."""


@final
class AdcKind(StrEnum):
    """How an analog-to-digital converter finds its code, and so what its unequal elements do."""

    IDEAL = "ideal"
    """Codes change exactly halfway between whole steps."""
    SAR = "sar"
    """Successive approximation against binary-weighted sums of unit capacitors."""
    RAMP = "ramp"
    """One comparison with each level of a string of unit resistors, from the lowest."""
    PIPELINE = "pipeline"
    """Stages of 1.5 bits that double the residue by a pair of capacitors each, then 2 bits."""
    CYCLIC = "cyclic"
    """One such stage that is used again and again, then 2 bits."""
    FLASH = "flash"
    """A comparator for every code, whose outputs are counted."""


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
class Solver(StrEnum):
    """How the currents of cells and switches between lines are found."""

    LINEARISED = "linearised"
    """Each is the resistor that it is at `read_volt`; word lines are solved once for all inputs."""
    NEWTON = "newton"
    """As they are at the voltage that each sees, found for every input anew."""
