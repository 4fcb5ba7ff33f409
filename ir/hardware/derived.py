"""What follows from a target alone: converters, area, capacity, lifetime."""

from __future__ import annotations

from mcc.ir.hardware.choices import InputCoding
from mcc.ir.hardware.encoding import paired
from mcc.ir.hardware.schema import Macro
from mcc.ir.hardware.target import Target


def converters(macro: Macro) -> int:
    """Return the number of analog-to-digital converters of a macro."""
    return -(-macro.cols // macro.adc.columns_per_adc)


def conversions(macro: Macro, columns: int) -> int:
    """Return the conversions that `columns` physical columns need for one analog sum each.

    Two columns whose currents are subtracted take one conversion.
    """
    return columns // 2 if paired(macro) else columns


def conversions_in_sequence(macro: Macro, first: int, columns: int) -> int:
    """Return the conversions that the busiest converter makes for one step.

    Converter `i` serves the columns from `i * columns_per_adc`; those in use are `columns`
    physical columns from `first`.
    """
    share = macro.adc.columns_per_adc
    end = first + columns
    parts = (
        min(end, (index + 1) * share) - max(first, index * share)
        for index in range(first // share, -(-end // share))
    )
    return conversions(macro, max(parts, default=0))


def phase_cycles(macro: Macro) -> int:
    """Return the cycles from driving the word lines until a phase has settled."""
    if macro.input_coding is InputCoding.PULSE_WIDTH:
        return macro.settle_cycles * (2**macro.dac_bits - 1)
    return macro.settle_cycles


def cores(target: Target) -> int:
    """Return the number of cores of the chip."""
    return target.chip.mesh_rows * target.chip.mesh_cols


def area_metre2(target: Target) -> dict[str, float]:
    """Return the silicon of the chip by component."""
    area, core, count = target.area, target.core, cores(target)
    macros = count * core.macros
    return {
        "macros": macros * area.macro_metre2,
        "converters": macros * converters(target.macro) * area.adc_metre2,
        "vector units": count * area.vector_metre2,
        "local memories": count * core.memory.bytes * area.memory_byte_metre2,
        "buffer": target.chip.buffer.bytes * area.buffer_byte_metre2,
        "routers": count * area.router_metre2,
        "other": area.chip_metre2,
    }


def programming_joules(target: Target, cells: int) -> float:
    """Return the energy of writing a number of cells once."""
    return cells * target.cell.write_pulses * target.energy.cell_write_joules


def programming_seconds(target: Target) -> float:
    """Return the time in which a macro is written, row after row; macros are written together."""
    return target.macro.rows * target.cell.write_pulses * target.cell.write_pulse_seconds


def lifetime_runs(target: Target, programmings_per_run: float) -> float:
    """Return how many runs the most often written cell survives; infinite where none writes."""
    if programmings_per_run == 0:
        return float("inf")
    return target.cell.endurance_cycles / programmings_per_run
