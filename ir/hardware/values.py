"""Turns a quantity as written into the value of its field, exactly."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from pydantic import TypeAdapter, ValidationError

from mcc.ir.diagnostics import Diagnostic, Location, nearest
from mcc.ir.hardware.fields import Leaf, Value, leaves
from mcc.ir.hardware.quantities import Quantity
from mcc.ir.hardware.units import UNITS, natural_unit

_NUMBER = re.compile(r"[-+]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE](?P<exponent>[-+]?[0-9]+))?")
_LONGEST = 40
_LARGEST_EXPONENT = 99
_NUMBERS = "write a decimal number, such as 6 or 2.5e-6"
_MANUAL = "`mcc targets show rram40nm --resolved` shows every field with its unit"


def number_mistake(text: str, units: Iterable[str]) -> tuple[str, str] | None:
    """Return what is wrong with the text of a number and what to do, or None.

    Args:
        text: The number, without its unit.
        units: The units that it may have.
    """
    said = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
    found = _NUMBER.match(text)
    if found is None or len(text) > _LONGEST:
        return f"is not a number: `{said}`", _NUMBERS
    number, unit = found.group(), text[found.end() :]
    if unit in units:
        help = f"give them apart: `{number} {unit}` in an option, `value: {number}, unit: {unit}`"
        return f"has its unit in its number: `{said}`", f"{help} in a file"
    if unit:
        return f"is not a number: `{said}`", _NUMBERS
    exponent = int(found["exponent"] or 0)
    if abs(exponent) > _LARGEST_EXPONENT:
        size = "large" if exponent > 0 else "small"
        return f"is too {size}: `{said}`", f"exponents end at {_LARGEST_EXPONENT}"
    return None


def value_of(path: str, quantity: Quantity, location: Location) -> Value | Diagnostic:
    """Return the value of a leaf in its natural unit, or what is wrong with it."""
    leaf = leaves()[path]
    found = _choice(leaf, quantity) if leaf.choices else _number(leaf, quantity)
    if isinstance(found, tuple):
        code, message, help = found
        return Diagnostic(code, f"`{path}` {message}", help, location)
    return found


def _choice(leaf: Leaf, quantity: Quantity) -> Value | tuple[str, str, str]:
    if quantity.value not in leaf.choices:
        help = nearest(quantity.value, leaf.choices)
        return "target-invalid", f"cannot be `{quantity.value}`", help
    if quantity.unit:
        return "target-unit", "is a choice and has no unit", f"leave out `unit: {quantity.unit}`"
    return quantity.value == "true" if leaf.plain is bool else quantity.value


def _number(leaf: Leaf, quantity: Quantity) -> Value | tuple[str, str, str]:
    assert leaf.dimension is not None
    units = UNITS[leaf.dimension]
    if quantity.unit not in units:
        help = f"it measures {leaf.dimension}: {', '.join(units)}"
        return "target-unit", f"has the wrong unit `{quantity.unit}`", help
    written = f"{quantity.value} {quantity.unit}" if quantity.unit != "1" else quantity.value
    mistake = number_mistake(quantity.value, units)
    if mistake is not None:
        return "target-invalid", *mistake
    exact = Decimal(quantity.value) * units[quantity.unit]
    if leaf.plain is int and exact != exact.to_integral_value():
        return "target-invalid", f"must be a whole number: `{written}`", _MANUAL
    value = int(exact) if leaf.plain is int else float(exact)
    if leaf.plain is int and abs(int(value)) >= 2**63:
        return "target-invalid", f"is too large: `{written}`", _MANUAL
    try:
        _adapter(leaf.path).validate_python(value)
    except ValidationError as problem:
        message = problem.errors()[0]["msg"].replace("Input should be", "must be")
        unit = natural_unit(leaf.dimension).removeprefix("1")
        return "target-invalid", f"{f'{message} {unit}'.strip()}: `{written}`", _MANUAL
    return value


@functools.cache
def _adapter(path: str) -> TypeAdapter[Any]:
    return TypeAdapter(leaves()[path].annotation)
