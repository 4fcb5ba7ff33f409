"""What must hold between the fields of a target; each docstring is the sentence the user reads."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, final

from mcc.ir.hardware.fields import Value

Check = Callable[..., str | None]


@final
@dataclass(frozen=True)
class Rule:
    """A check over some fields; the first of them takes the blame."""

    paths: tuple[str, ...]
    check: Check

    def sentence(self, measured: str) -> str:
        """Return what is wrong, with the values that make it so."""
        rule = (inspect.getdoc(self.check) or "").rstrip(".")
        return f"{rule}; here {measured}"


@final
@dataclass(frozen=True)
class Violation:
    """A broken rule: the field to blame and the sentence."""

    path: str
    message: str
    help: str


def _active_rows(active_rows: int, rows: int) -> str | None:
    """No more rows can be driven at once than the macro has."""
    return f"{active_rows} of {rows}" if active_rows > rows else None


def _adc_columns(columns: int, cols: int) -> str | None:
    """A converter cannot serve more columns than the macro has."""
    return f"{columns} of {cols}" if columns > cols else None


def _dac_bits(bits: int) -> str | None:
    """A phase drives at most 8 bits, the widest input."""
    return f"{bits} bits" if bits > 8 else None


def _adc_bits(bits: int) -> str | None:
    """A converter has at most 24 bits."""
    return f"{bits} bits" if bits > 24 else None


def _adc_signed(
    bits: int, encoding: str, reference: str, subtraction: str, form: str, accumulation: str
) -> str | None:
    """A converter of signed sums needs at least 2 bits."""
    pairs = (encoding == "differential" or reference == "column") and subtraction == "before"
    signed = pairs or form == "sign_magnitude" or accumulation == "analog"
    return f"{bits} bit" if bits < 2 and signed else None


def _adc_ideal(mismatch: float, kind: str) -> str | None:
    """An ideal converter has no elements that could differ."""
    return f"a mismatch of {mismatch:g}" if kind == "ideal" and mismatch > 0 else None


def _adc_mismatch(mismatch: float, kind: str) -> str | None:
    """Unit elements differ by at most 15 percent, so that none is negative."""
    return f"{mismatch:g}" if kind != "flash" and mismatch > 0.15 else None


def _dac_mismatch(mismatch: float) -> str | None:
    """Unit elements differ by at most 15 percent, so that none is negative."""
    return f"{mismatch:g}" if mismatch > 0.15 else None


def _adc_gain(gain_error: float) -> str | None:
    """The steps of converters differ by at most 10 percent, so that none is negative."""
    return f"{gain_error:g}" if gain_error > 0.1 else None


def _adc_bow(nonlinearity: float, bits: int) -> str | None:
    """The non-linearity of a converter is at most a sixteenth of its range, so that it rises."""
    return f"{nonlinearity:g} of {2**bits} steps" if nonlinearity > 2**bits / 16 else None


def _adc_staircase(
    mismatch: float, offset: float, gain: float, bow: float, bits: int
) -> str | None:
    """A converter that errs, so that each of its levels is simulated, has at most 16 bits."""
    ideal = mismatch == offset == gain == bow == 0
    return f"{bits} bits" if bits > 16 and not ideal else None


def _cell_bits(bits: int) -> str | None:
    """A cell holds at most 8 bits."""
    return f"{bits} bits" if bits > 8 else None


def _conductances(low: float, high: float) -> str | None:
    """The lowest conductance must be below the highest."""
    return f"{low:g} S and {high:g} S" if low >= high else None


def _stuck(low: float, high: float) -> str | None:
    """The fractions of stuck cells cannot exceed 1 together."""
    return f"{low:g} + {high:g}" if low + high > 1 else None


def _write_factors(error: float, *factors: float) -> str | None:
    """A law of the write error must give one somewhere."""
    largest = error + sum(max(factor, 0) for factor in factors)
    return "no factor is above 0" if largest <= 0 and any(factors) else None


def _flicker(fraction: float, limit: float) -> str | None:
    """Flicker noise with a fraction needs a limit above 0, for a limit of 0 leaves none."""
    return f"a fraction of {fraction:g}" if fraction > 0 and limit == 0 else None


def _drift(slope: float, intercept: float, lowest: float, highest: float) -> str | None:
    """A slope or an intercept of drift needs different bounds, for equal bounds decide alone."""
    inert = (slope or intercept) and lowest == highest
    return f"{slope:g} and {intercept:g} from {lowest:g} to {highest:g}" if inert else None


def _bounds(low: float, high: float) -> str | None:
    """A lower bound cannot be above its upper bound."""
    return f"{low:g} and {high:g}" if low > high else None


def _correlation(cells: float) -> str | None:
    """Variation is correlated over at most 256 cells."""
    return f"{cells:g}" if cells > 256 else None


def _short_correlation(cells: float) -> str | None:
    """Variation is correlated over 0 or at least 1.5 cells, as cells cannot show a shorter bell."""
    # Of a length of 1 the sampled kernel would make neighbours correlate by 0.26, not by 1/e.
    return f"{cells:g}" if 0 < cells < 1.5 else None


def _flip(flip: bool, encoding: str) -> str | None:
    """Columns are flipped only in the offset encoding."""
    return f"the encoding is {encoding}" if flip and encoding != "offset" else None


def _pairs(cols: int, encoding: str) -> str | None:
    """The differential encoding needs an even number of columns."""
    return f"{cols} columns" if encoding == "differential" and cols % 2 else None


def _subtraction(subtraction: str, encoding: str, reference: str) -> str | None:
    """Codes are subtracted only in the differential encoding, or from those of a reference."""
    wrong = subtraction == "after" and encoding != "differential" and reference != "column"
    return f"the encoding is {encoding}" if wrong else None


def _reference(reference: str, encoding: str, flip: bool) -> str | None:
    """Only the offset encoding without flipped columns has a reference column."""
    good = encoding == "offset" and not flip
    found = f"the encoding is {encoding}{', with flipped columns' if flip else ''}"
    return found if reference == "column" and not good else None


def _two_sided(differential: str, encoding: str) -> str | None:
    """Cells are two-sided only in the differential encoding."""
    wrong = differential == "two_sided" and encoding != "differential"
    return f"the encoding is {encoding}" if wrong else None


def _overlap(overlap: float, bits: int) -> str | None:
    """A slice counts at least 1.01 times the one before it."""
    return f"{2**bits} - {overlap:g}" if 2**bits - overlap < 1.01 else None


def _guards(overlap: float, guards: int) -> str | None:
    """Slices of a fractional ratio need a guard slice, else two weights could share their cells."""
    # The lowest slice is then worth less than one, and what cells miss less than a half.
    fractional = overlap != int(overlap) and guards == 0
    return f"an overlap of {overlap:g}" if fractional else None


def _lowest_slice(guards: int, overlap: float, bits: int) -> str | None:
    """The lowest slice is worth at least 1/256 of a unit, for the factors of the adder."""
    ratio = max(2**bits - overlap, 1.0)
    worth = f"{guards} slices, each {ratio:g} times the one before"
    return worth if guards * math.log2(ratio) > 8 else None


def _adc_pairs(columns: int, encoding: str, subtraction: str) -> str | None:
    """Two columns whose currents are subtracted share one converter."""
    odd = encoding == "differential" and subtraction == "before" and columns % 2
    return f"{columns} columns per converter" if odd else None


def _sum_bits(rows: int, cell_bits: int, dac_bits: int, accumulation: str) -> str | None:
    """The largest analog sum must stay below 2**24 digit products."""
    # Kernels convert sums as float32, which holds every whole number up to there.
    drive = 2 ** (8 if accumulation == "analog" else dac_bits) - 1
    largest = rows * (2**cell_bits - 1) * drive
    return f"it is {largest}" if largest >= 2**24 else None


def _macro_lines(lines: int) -> str | None:
    """A macro has at most 16384 rows and as many columns."""
    return f"{lines}" if lines > 2**14 else None


def _cores(rows: int, cols: int) -> str | None:
    """A chip has at most 65536 cores."""
    return f"{rows} x {cols}" if rows * cols > 2**16 else None


def _macros(macros: int) -> str | None:
    """A core has at most 4096 macros."""
    return f"{macros}" if macros > 2**12 else None


_WRITE_FACTORS = tuple(
    f"cell.write.{power}_siemens"
    for power in ("constant", "linear", "quadratic", "cubic", "quartic")
)
_DRIFT = tuple(
    tuple(f"cell.drift.{of}_{part}" for part in ("slope", "intercept", "lowest", "highest"))
    for of in ("exponent", "spread")
)
_BOUNDS = (
    ("cell.drift.exponent_lowest", "cell.drift.exponent_highest"),
    ("cell.drift.spread_lowest", "cell.drift.spread_highest"),
    ("cell.current.low_siemens", "cell.current.high_siemens"),
    ("cell.valid.low_siemens", "cell.valid.high_siemens"),
    ("cell.valid.coldest_kelvin", "cell.valid.hottest_kelvin"),
    ("cell.start_seconds", "cell.valid.latest_seconds"),
)


def _interleaved(interleaved: bool, encoding: str, feed: str) -> str | None:
    """Cells are interleaved only in the differential encoding, fed by their word lines."""
    good = encoding == "differential" and feed == "word_line"
    return f"the encoding is {encoding}, the feed {feed}" if interleaved and not good else None


def _gated(feed: str, selector: str, dac_bits: int, form: str) -> str | None:
    """Source lines need switches, and inputs of one bit in two's complement that open them."""
    good = selector == "switch" and dac_bits == 1 and form == "twos_complement"
    found = f"the selector is {selector}, inputs have {dac_bits} bits of the form {form}"
    return found if feed == "source_line" and not good else None


def _gate_drivers(mismatch: float, noise: float, feed: str) -> str | None:
    """Drivers have no level that could err where inputs are gates, fed by source lines."""
    found = f"a mismatch of {mismatch:g}, a noise of {noise:g} steps"
    return found if feed == "source_line" and (mismatch > 0 or noise > 0) else None


def _overdrive(gate: float, threshold: float, read: float) -> str | None:
    """The gate of an open switch must be above its threshold by more than the read voltage."""
    found = f"the gate is {gate - threshold:g} V above the threshold, the read voltage {read:g} V"
    return found if gate - threshold <= read else None


RULES: tuple[Rule, ...] = (
    Rule(("macro.active_rows", "macro.rows"), _active_rows),
    Rule(("macro.adc.columns_per_adc", "macro.cols"), _adc_columns),
    Rule(("macro.dac_bits",), _dac_bits),
    Rule(("macro.adc.bits",), _adc_bits),
    Rule(
        (
            "macro.adc.bits",
            "macro.encoding",
            "macro.reference",
            "macro.subtraction",
            "macro.input_form",
            "macro.accumulation",
        ),
        _adc_signed,
    ),
    Rule(("macro.adc.mismatch", "macro.adc.kind"), _adc_ideal),
    Rule(("macro.adc.mismatch", "macro.adc.kind"), _adc_mismatch),
    Rule(("macro.dac.mismatch",), _dac_mismatch),
    Rule(("macro.adc.gain_error",), _adc_gain),
    Rule(("macro.adc.nonlinearity", "macro.adc.bits"), _adc_bow),
    Rule(
        (
            "macro.adc.mismatch",
            "macro.adc.offset",
            "macro.adc.gain_error",
            "macro.adc.nonlinearity",
            "macro.adc.bits",
        ),
        _adc_staircase,
    ),
    Rule(("cell.bits",), _cell_bits),
    Rule(("cell.g_min_siemens", "cell.g_max_siemens"), _conductances),
    Rule(("cell.stuck_low_fraction", "cell.stuck_high_fraction"), _stuck),
    Rule(("cell.write_error", *_WRITE_FACTORS), _write_factors),
    *(Rule(pair, _bounds) for pair in _BOUNDS),
    Rule(("cell.flicker.fraction", "cell.flicker.limit"), _flicker),
    *(Rule(paths, _drift) for paths in _DRIFT),
    Rule(("cell.variation.correlation_cells",), _correlation),
    Rule(("cell.variation.correlation_cells",), _short_correlation),
    Rule(("macro.column_flip", "macro.encoding"), _flip),
    Rule(("macro.cols", "macro.encoding"), _pairs),
    Rule(("macro.subtraction", "macro.encoding", "macro.reference"), _subtraction),
    Rule(("macro.reference", "macro.encoding", "macro.column_flip"), _reference),
    Rule(("macro.differential", "macro.encoding"), _two_sided),
    Rule(("macro.slice_overlap", "cell.bits"), _overlap),
    Rule(("macro.slice_overlap", "macro.guard_slices"), _guards),
    Rule(("macro.guard_slices", "macro.slice_overlap", "cell.bits"), _lowest_slice),
    Rule(("macro.adc.columns_per_adc", "macro.encoding", "macro.subtraction"), _adc_pairs),
    Rule(("macro.active_rows", "cell.bits", "macro.dac_bits", "macro.accumulation"), _sum_bits),
    Rule(("wires.interleaved", "macro.encoding", "wires.feed"), _interleaved),
    Rule(("wires.feed", "wires.selector", "macro.dac_bits", "macro.input_form"), _gated),
    Rule(("macro.dac.mismatch", "macro.dac.noise", "wires.feed"), _gate_drivers),
    Rule(("wires.gate_volt", "wires.threshold_volt", "wires.read_volt"), _overdrive),
    Rule(("macro.rows",), _macro_lines),
    Rule(("macro.cols",), _macro_lines),
    Rule(("chip.mesh_rows", "chip.mesh_cols"), _cores),
    Rule(("core.macros",), _macros),
)
"""Every rule between fields."""


def violations(values: Mapping[str, Value]) -> list[Violation]:
    """Return the broken rules; a rule with a missing field is not judged."""
    found: list[Violation] = []
    for rule in RULES:
        if all(path in values for path in rule.paths):
            arguments: list[Any] = [values[path] for path in rule.paths]
            measured = rule.check(*arguments)
            if measured is not None:
                blamed = " or ".join(f"`{path}`" for path in rule.paths)
                message, help = rule.sentence(measured), f"change {blamed}"
                found.append(Violation(rule.paths[0], message, help))
    return found
