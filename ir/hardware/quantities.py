"""The types of the fields of a target: a number, what it measures, and the bounds it must keep."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, final

from pydantic import Field

from mcc.ir.hardware.units import Dimension


@final
@dataclass(frozen=True)
class Measures:
    """Marks a field with what its number measures."""

    dimension: Dimension


Count = Annotated[int, Measures(Dimension.COUNT), Field(ge=1)]
Guards = Annotated[int, Measures(Dimension.COUNT), Field(ge=0)]
Overlap = Annotated[float, Measures(Dimension.COUNT), Field(ge=0, allow_inf_nan=False)]
Bits = Annotated[int, Measures(Dimension.BITS), Field(ge=1)]
Bytes = Annotated[int, Measures(Dimension.BYTES), Field(ge=1)]
Cycles = Annotated[int, Measures(Dimension.CYCLES), Field(ge=0)]
PositiveCycles = Annotated[int, Measures(Dimension.CYCLES), Field(ge=1)]
BytesPerCycle = Annotated[int, Measures(Dimension.BYTES_PER_CYCLE), Field(ge=1)]
Fraction = Annotated[float, Measures(Dimension.FRACTION), Field(ge=0, le=1, allow_inf_nan=False)]
Steps = Annotated[float, Measures(Dimension.STEPS), Field(ge=0, allow_inf_nan=False)]
Hertz = Annotated[float, Measures(Dimension.FREQUENCY), Field(gt=0, allow_inf_nan=False)]
Siemens = Annotated[float, Measures(Dimension.CONDUCTANCE), Field(ge=0, allow_inf_nan=False)]
Ohms = Annotated[float, Measures(Dimension.RESISTANCE), Field(ge=0, allow_inf_nan=False)]
PositiveVolt = Annotated[float, Measures(Dimension.VOLTAGE), Field(gt=0, allow_inf_nan=False)]
Seconds = Annotated[float, Measures(Dimension.TIME), Field(ge=0, allow_inf_nan=False)]
Joules = Annotated[float, Measures(Dimension.ENERGY), Field(ge=0, allow_inf_nan=False)]
Watts = Annotated[float, Measures(Dimension.POWER), Field(ge=0, allow_inf_nan=False)]
Metre2 = Annotated[float, Measures(Dimension.AREA), Field(ge=0, allow_inf_nan=False)]
OperationsPerSecond = Annotated[
    float, Measures(Dimension.OPERATION_RATE), Field(gt=0, allow_inf_nan=False)
]
BytesPerSecond = Annotated[float, Measures(Dimension.BYTE_RATE), Field(gt=0, allow_inf_nan=False)]
PositiveSiemens = Annotated[
    float, Measures(Dimension.CONDUCTANCE), Field(gt=0, allow_inf_nan=False)
]
SignedSiemens = Annotated[float, Measures(Dimension.CONDUCTANCE), Field(allow_inf_nan=False)]
PositiveSeconds = Annotated[float, Measures(Dimension.TIME), Field(gt=0, allow_inf_nan=False)]
Coefficient = Annotated[float, Measures(Dimension.NUMBER), Field(allow_inf_nan=False)]
Exponent = Annotated[float, Measures(Dimension.NUMBER), Field(ge=0, allow_inf_nan=False)]
Cells = Annotated[float, Measures(Dimension.CELLS), Field(ge=0, allow_inf_nan=False)]
Kelvin = Annotated[float, Measures(Dimension.TEMPERATURE), Field(gt=0, allow_inf_nan=False)]
PerKelvin = Annotated[float, Measures(Dimension.INVERSE_TEMPERATURE), Field(allow_inf_nan=False)]
Volt = Annotated[float, Measures(Dimension.VOLTAGE), Field(ge=0, allow_inf_nan=False)]
PerVolt = Annotated[float, Measures(Dimension.INVERSE_VOLTAGE), Field(ge=0, allow_inf_nan=False)]
AmperePerVolt2 = Annotated[
    float, Measures(Dimension.QUADRATIC_CONDUCTANCE), Field(allow_inf_nan=False)
]
AmperePerVolt3 = Annotated[float, Measures(Dimension.CUBIC_CONDUCTANCE), Field(allow_inf_nan=False)]


@final
class Kind(StrEnum):
    """How a number came about."""

    MEASURED = "measured"
    SIMULATED = "simulated"
    DERIVED = "derived"
    ASSUMED = "assumed"


@final
@dataclass(frozen=True)
class Quantity:
    """One number (or choice) as its author wrote it, with its origin and its place."""

    value: str
    """The value as written, in `unit`."""
    unit: str
    """Empty for a choice."""
    source: str
    kind: Kind
    file: str
    """Name of the file without its folder, or `--set`."""
    line: int
