"""Turns a quantity as written into the value of its field, exactly."""

from __future__ import annotations

import functools
import re
from decimal import Decimal
from typing import Any

from pydantic import TypeAdapter, ValidationError

from mcc.ir.diagnostics import Diagnostic, Location, nearest
from mcc.ir.hardware.fields import Leaf, Value, leaves
from mcc.ir.hardware.quantities import Quantity
from mcc.ir.hardware.units import UNITS, natural_unit

_NUMBER = re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d{1,2})?")
_LONGEST = 40
_NUMBERS = "write a decimal number, such as 6 or 2.5e-6"
_MANUAL = "`mcc targets show rram40nm --resolved` shows every field with its unit"


def is_number(text: str) -> bool:
    """Whether the text is a decimal number of sane length."""
    return len(text) <= _LONGEST and _NUMBER.fullmatch(text) is not None


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
    if not is_number(quantity.value):
        return "target-invalid", f"is not a number: `{quantity.value}`", _NUMBERS
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
