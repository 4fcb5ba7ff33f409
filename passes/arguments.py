"""The text form of pipelines: `canonicalize,quantize{weight_bits=4 observer=percentile}`."""

from __future__ import annotations

import dataclasses
import math
import re
import types
import typing
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any

from mcc.ir.diagnostics import MccError, error, nearest
from mcc.passes.base import Pass

WHOLE = "default"
"""What stands for all passes in their usual order."""

_ITEM = re.compile(r"\s*([\w-]+)\s*(?:\{([^{}]*)\})?\s*(,|$)")
_OPTION = re.compile(r"\s*([\w-]+)\s*=\s*([^\s,=]+)\s*,?")


def parse_pipeline(text: str, known: Mapping[str, Callable[[], type[Pass]]]) -> list[Pass]:
    """Read a pipeline; every mistake in it is reported at once.

    Args:
        text: names of passes separated by commas, each with its options in braces.
        known: the passes there are.
    """
    passes: list[Pass] = []
    problems: list[MccError] = []
    position = 0
    while position < len(text.rstrip()):
        item = _ITEM.match(text, position)
        if item is None:
            raise error(
                "pass-syntax",
                f"cannot read the pipeline from `{text[position:].strip()}` on",
                "Write passes as `canonicalize,quantize{weight_bits=4}`.",
            )
        position = item.end()
        try:
            passes.append(_parse_pass(item[1], item[2] or "", known))
        except MccError as problem:
            problems.append(problem)
    if problems:
        raise MccError([entry for problem in problems for entry in problem.diagnostics])
    return passes


def format_pass(item: Pass) -> str:
    """Write a pass as text; options at their defaults are left out."""
    given: list[str] = []
    for option in dataclasses.fields(item):
        value = getattr(item, option.name)
        if value != option.default:
            given.append(f"{option.name}={format_value(value)}")
    return f"{item.name}{{{' '.join(given)}}}" if given else item.name


def _parse_pass(name: str, text: str, known: Mapping[str, Callable[[], type[Pass]]]) -> Pass:
    if name == WHOLE:
        text = f"`{WHOLE}` is a whole pipeline and no pass of one"
        raise error("unknown-pass", text, "write it alone, or the passes that `mcc passes` lists")
    if name not in known:
        raise error("unknown-pass", f"there is no pass `{name}`", nearest(name, known))
    kind = known[name]()
    return kind(**_parse_options(name, kind, text))


def _parse_options(name: str, kind: type[Pass], text: str) -> dict[str, Any]:
    options = {option.name for option in dataclasses.fields(kind)}
    hints = typing.get_type_hints(kind)
    values: dict[str, Any] = {}
    position = 0
    while position < len(text.rstrip()):
        option = _OPTION.match(text, position)
        if option is None:
            raise error("pass-syntax", f"cannot read the options `{text.strip()}` of `{name}`")
        position = option.end()
        key = option[1].replace("-", "_")
        if key not in options:
            help = nearest(key, options) if options else f"`{name}` has no options"
            raise error("unknown-option", f"pass `{name}` has no option `{option[1]}`", help)
        if key in values:
            text = f"pass `{name}` is given its option `{option[1]}` twice"
            raise error("option-value", text, "give it once")
        values[key] = _parse_value(f"{name}.{key}", hints[key], option[2])
    return values


def _parse_value(path: str, kind: Any, text: str) -> Any:
    """Read `text` as a value of type `kind`."""
    for choice in _choices(kind):
        value = _parse_as(choice, text)
        if value is not _NO_VALUE:
            return value
    raise error("option-value", f"`{path}` cannot be `{text}`", f"It is {_describe(kind)}.")


_NO_VALUE = object()


def _choices(kind: Any) -> tuple[Any, ...]:
    union = isinstance(kind, types.UnionType) or typing.get_origin(kind) is typing.Union
    return typing.get_args(kind) if union else (kind,)


def _parse_as(kind: Any, text: str) -> Any:
    if kind is type(None):
        return None if text == "none" else _NO_VALUE
    if kind is bool:
        return {"true": True, "false": False}.get(text, _NO_VALUE)
    if typing.get_origin(kind) is tuple:
        parts = [_parse_as(typing.get_args(kind)[0], part) for part in text.split("+")]
        return _NO_VALUE if _NO_VALUE in parts else tuple(parts)
    try:
        value = kind(text)
    except ValueError:
        return _NO_VALUE
    return _NO_VALUE if kind is float and not math.isfinite(value) else value


def _describe(kind: Any) -> str:
    return " or ".join(_describe_one(choice) for choice in _choices(kind))


def _describe_one(kind: Any) -> str:
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return "one of " + ", ".join(f"`{item}`" for item in kind)
    if typing.get_origin(kind) is tuple:
        return f"a list joined by `+`, each {_describe_one(typing.get_args(kind)[0])}"
    names: dict[Any, str] = {
        bool: "`true` or `false`",
        int: "a whole number",
        float: "a number",
        str: "text",
    }
    return names.get(kind, "`none`")


def format_value(value: Any) -> str:
    """Write the value of an option as a pipeline has it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return "+".join(format_value(part) for part in typing.cast("tuple[Any, ...]", value))
    return "none" if value is None else str(value)
