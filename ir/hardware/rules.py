"""What must hold between the fields of a target; each docstring is the sentence the user reads."""

from __future__ import annotations

import inspect
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


def _adc_signed(bits: int, encoding: str, form: str) -> str | None:
    """A converter of signed sums needs at least 2 bits."""
    signed = encoding == "differential" or form == "sign_magnitude"
    return f"{bits} bit" if bits < 2 and signed else None


def _cell_bits(bits: int) -> str | None:
    """A cell holds at most 4 bits."""
    return f"{bits} bits" if bits > 4 else None


def _conductances(low: float, high: float) -> str | None:
    """The lowest conductance must be below the highest."""
    return f"{low:g} S and {high:g} S" if low >= high else None


def _stuck(low: float, high: float) -> str | None:
    """The fractions of stuck cells cannot exceed 1 together."""
    return f"{low:g} + {high:g}" if low + high > 1 else None


def _flip(flip: bool, encoding: str) -> str | None:
    """Columns are flipped only in the offset encoding."""
    return f"the encoding is {encoding}" if flip and encoding != "offset" else None


def _pairs(cols: int, encoding: str) -> str | None:
    """The differential encoding needs an even number of columns."""
    return f"{cols} columns" if encoding == "differential" and cols % 2 else None


def _adc_pairs(columns: int, encoding: str) -> str | None:
    """The two columns of a differential pair share one converter."""
    odd = encoding == "differential" and columns % 2
    return f"{columns} columns per converter" if odd else None


def _sum_bits(rows: int, cell_bits: int, dac_bits: int) -> str | None:
    """The largest analog sum must stay below 2**22 digit products."""
    largest = rows * (2**cell_bits - 1) * (2**dac_bits - 1)
    return f"it is {largest}" if largest >= 2**22 else None


def _macro_lines(lines: int) -> str | None:
    """A macro has at most 16384 rows and as many columns."""
    return f"{lines}" if lines > 2**14 else None


def _cores(rows: int, cols: int) -> str | None:
    """A chip has at most 65536 cores."""
    return f"{rows} x {cols}" if rows * cols > 2**16 else None


def _macros(macros: int) -> str | None:
    """A core has at most 4096 macros."""
    return f"{macros}" if macros > 2**12 else None


def _interleaved(interleaved: bool, encoding: str, feed: str) -> str | None:
    """Cells are interleaved only in the differential encoding, fed by their word lines."""
    good = encoding == "differential" and feed == "word_line"
    return f"the encoding is {encoding}, the feed {feed}" if interleaved and not good else None


def _gated(feed: str, selector: str, dac_bits: int, form: str) -> str | None:
    """Source lines need switches, and inputs of one bit in two's complement that open them."""
    good = selector == "switch" and dac_bits == 1 and form == "twos_complement"
    found = f"the selector is {selector}, inputs have {dac_bits} bits of the form {form}"
    return found if feed == "source_line" and not good else None


def _overdrive(gate: float, threshold: float, read: float) -> str | None:
    """The gate of an open switch must be above its threshold by more than the read voltage."""
    found = f"the gate is {gate - threshold:g} V above the threshold, the read voltage {read:g} V"
    return found if gate - threshold <= read else None


RULES: tuple[Rule, ...] = (
    Rule(("macro.active_rows", "macro.rows"), _active_rows),
    Rule(("macro.adc.columns_per_adc", "macro.cols"), _adc_columns),
    Rule(("macro.dac_bits",), _dac_bits),
    Rule(("macro.adc.bits",), _adc_bits),
    Rule(("macro.adc.bits", "macro.encoding", "macro.input_form"), _adc_signed),
    Rule(("cell.bits",), _cell_bits),
    Rule(("cell.g_min_siemens", "cell.g_max_siemens"), _conductances),
    Rule(("cell.stuck_low_fraction", "cell.stuck_high_fraction"), _stuck),
    Rule(("macro.column_flip", "macro.encoding"), _flip),
    Rule(("macro.cols", "macro.encoding"), _pairs),
    Rule(("macro.adc.columns_per_adc", "macro.encoding"), _adc_pairs),
    Rule(("macro.active_rows", "cell.bits", "macro.dac_bits"), _sum_bits),
    Rule(("wires.interleaved", "macro.encoding", "wires.feed"), _interleaved),
    Rule(("wires.feed", "wires.selector", "macro.dac_bits", "macro.input_form"), _gated),
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
