"""The units a target file may use, each with its factor to the unit the field is named after."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import final


@final
class Dimension(StrEnum):
    """What a number of the hardware language measures."""

    COUNT = "count"
    FRACTION = "fraction"
    STEPS = "steps of a converter"
    BITS = "bits"
    BYTES = "bytes"
    CYCLES = "cycles"
    BYTES_PER_CYCLE = "bytes per cycle"
    FREQUENCY = "frequency"
    CONDUCTANCE = "conductance"
    RESISTANCE = "resistance"
    VOLTAGE = "voltage"
    TIME = "time"
    ENERGY = "energy"
    POWER = "power"
    AREA = "area"
    OPERATION_RATE = "operation rate"
    BYTE_RATE = "byte rate"
    NUMBER = "number"
    CELLS = "cells"
    INVERSE_VOLTAGE = "inverse voltage"
    QUADRATIC_CONDUCTANCE = "current per squared voltage"
    CUBIC_CONDUCTANCE = "current per cubed voltage"
    TEMPERATURE = "temperature"
    INVERSE_TEMPERATURE = "inverse temperature"


_PREFIXES = {
    "a": "1e-18",
    "f": "1e-15",
    "p": "1e-12",
    "n": "1e-9",
    "u": "1e-6",
    "m": "1e-3",
    "": "1",
    "k": "1e3",
    "M": "1e6",
    "G": "1e9",
    "T": "1e12",
}


def _prefixed(unit: str, prefixes: str) -> dict[str, Decimal]:
    return {f"{prefix}{unit}": Decimal(_PREFIXES[prefix]) for prefix in ["", *prefixes]}


UNITS: dict[Dimension, dict[str, Decimal]] = {
    Dimension.COUNT: {"1": Decimal(1)},
    Dimension.FRACTION: {"1": Decimal(1), "percent": Decimal("0.01")},
    Dimension.STEPS: {"step": Decimal(1)},
    Dimension.BITS: {"bit": Decimal(1)},
    Dimension.BYTES: {
        "byte": Decimal(1),
        "KiB": Decimal(2**10),
        "MiB": Decimal(2**20),
        "GiB": Decimal(2**30),
    },
    Dimension.CYCLES: {"cycle": Decimal(1)},
    Dimension.BYTES_PER_CYCLE: {"byte/cycle": Decimal(1)},
    Dimension.FREQUENCY: _prefixed("Hz", "kMG"),
    Dimension.CONDUCTANCE: _prefixed("S", "pnum"),
    Dimension.RESISTANCE: _prefixed("ohm", "mkM"),
    Dimension.VOLTAGE: _prefixed("V", "um"),
    Dimension.TIME: _prefixed("s", "pnum"),
    Dimension.ENERGY: {**_prefixed("J", "afpnum"), "eV": Decimal("1.602176634e-19")},
    Dimension.POWER: _prefixed("W", "pnumk"),
    Dimension.AREA: {
        "m2": Decimal(1),
        "mm2": Decimal("1e-6"),
        "um2": Decimal("1e-12"),
        "nm2": Decimal("1e-18"),
    },
    Dimension.OPERATION_RATE: _prefixed("op/s", "kMGT"),
    Dimension.BYTE_RATE: {
        **_prefixed("byte/s", ""),
        "MB/s": Decimal("1e6"),
        "GB/s": Decimal("1e9"),
    },
    Dimension.NUMBER: {"1": Decimal(1)},
    Dimension.CELLS: {"cell": Decimal(1)},
    Dimension.VOLTAGE: _prefixed("V", "m"),
    Dimension.INVERSE_VOLTAGE: {"1/V": Decimal(1)},
    Dimension.QUADRATIC_CONDUCTANCE: _prefixed("A/V2", "num"),
    Dimension.CUBIC_CONDUCTANCE: _prefixed("A/V3", "num"),
    Dimension.TEMPERATURE: {"K": Decimal(1)},
    Dimension.INVERSE_TEMPERATURE: {"1/K": Decimal(1), "percent/K": Decimal("0.01")},
}
"""Every unit by what it measures, with the exact factor to the first, the natural one."""


def natural_unit(dimension: Dimension) -> str:
    """Return the unit in which values of this dimension are kept."""
    return next(iter(UNITS[dimension]))
