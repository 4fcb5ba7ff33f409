"""The kinds of instruction fields: how each is written in binary and in assembly text."""

from __future__ import annotations

import re
import struct
from abc import ABC, abstractmethod
from enum import StrEnum
from functools import cache
from itertools import pairwise
from typing import Generic, TypeVar, final

from mcc.ir.program.binary import F64, I32, U8, U16, U32, Reader, Writer
from mcc.ir.program.streams import SHORT_DTYPES, DType, Stream
from mcc.ir.program.units import Unit, UnitKind, array

T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)

DTYPES = tuple(DType)
MAX_UNITS = 1 << 16
"""A core has fewer units than this."""


class Kind(ABC, Generic[T]):
    """How a value of type `T` is written; calling it gives the metadata of a field."""

    layout: str
    """The binary form, for the manual."""
    syntax: str
    """The text form, for the manual."""

    def __call__(self, text: str) -> dict[str, object]:
        """Return the metadata of a field of this kind that means `text`."""
        return {"kind": self, "text": text}

    @abstractmethod
    def write(self, value: T, writer: Writer) -> None:
        """Append the binary form."""

    @abstractmethod
    def read(self, reader: Reader) -> T:
        """Take the binary form."""

    @abstractmethod
    def format(self, value: T) -> str:
        """Return the text form, which has no blanks."""

    @abstractmethod
    def parse(self, text: str) -> T:
        """Return the value of a text form; raise ValueError when it is none."""


@final
class Integer(Kind[int]):
    """An integer of fixed width."""

    def __init__(self, form: struct.Struct, layout: str) -> None:
        self.form = form
        self.layout = layout
        self.syntax = "decimal"

    def write(self, value: int, writer: Writer) -> None:
        """Append the integer."""
        writer.put(self.form, value)

    def read(self, reader: Reader) -> int:
        """Take the integer."""
        return reader.integer(self.form)

    def format(self, value: int) -> str:
        """Return it in decimal."""
        return str(value)

    def parse(self, text: str) -> int:
        """Read a decimal that fits the width."""
        value = int(text)
        try:
            self.form.pack(value)
        except struct.error as cause:
            raise ValueError(f"{value} does not fit {self.layout}") from cause
        return value


@final
class Number(Kind[float]):
    """A float64."""

    layout = "f64"
    syntax = "shortest decimal that gives the same float64; `inf`, `-inf`"

    def write(self, value: float, writer: Writer) -> None:
        """Append the float64."""
        writer.put(F64, value)

    def read(self, reader: Reader) -> float:
        """Take the float64, which is not NaN."""
        value = reader.number()
        return value if value == value else reader.fail("a number is NaN")

    def format(self, value: float) -> str:
        """Return the shortest decimal that gives the same float64."""
        return repr(float(value))

    def parse(self, text: str) -> float:
        """Read a decimal."""
        value = float(text)
        if value != value:
            raise ValueError("NaN is no number")
        return value


@final
class Choice(Kind[E]):
    """One of a few words; in assembly text it follows the mnemonic after a dot."""

    layout = "u8"

    def __init__(self, choices: type[E]) -> None:
        self.choices = choices
        self.members = tuple(choices)
        self.syntax = ", ".join(f"`.{item}` = {code}" for code, item in enumerate(self.members))

    def write(self, value: E, writer: Writer) -> None:
        """Append its place in the list."""
        writer.put(U8, self.members.index(value))

    def read(self, reader: Reader) -> E:
        """Take a place in the list."""
        code = reader.integer(U8)
        if code >= len(self.members):
            reader.fail(f"{self.choices.__name__} has no member {code}")
        return self.members[code]

    def format(self, value: E) -> str:
        """Return the word."""
        return str(value)

    def parse(self, text: str) -> E:
        """Read the word."""
        return self.choices(text)


@cache
def _stream_form(dims: int, steps: int) -> struct.Struct:
    return struct.Struct("<" + "Ii" * dims + "i" * steps)


@final
class StreamKind(Kind[Stream]):
    """A stream."""

    layout = "stream"
    syntax = "`type@base[count:stride,…]+{step,…}`"
    _head = struct.Struct("<BBBI")
    _text = re.compile(r"(\w+)@(\d+)\[([-\d:,]*)\](?:\+\{([-\d,]+)\})?")

    def write(self, value: Stream, writer: Writer) -> None:
        """Append type, numbers of dimensions and steps, base, dimensions and steps."""
        dims, steps = len(value.dims), len(value.steps)
        writer.put(self._head, DTYPES.index(value.dtype), dims, steps, value.base)
        flat = [number for dim in value.dims for number in dim]
        writer.put(_stream_form(dims, steps), *flat, *value.steps)

    def read(self, reader: Reader) -> Stream:
        """Take a stream of positive counts."""
        code, dims, steps, base = reader.integers(self._head)
        if code >= len(DTYPES):
            reader.fail(f"there is no element type {code}")
        if 8 * dims + 4 * steps > reader.left:
            reader.fail("the section ends in the middle of a stream")
        flat = reader.integers(_stream_form(dims, steps))
        counts = flat[0 : 2 * dims : 2]
        if 0 in counts:
            reader.fail("a stream has a dimension of count 0")
        pairs = tuple(zip(counts, flat[1 : 2 * dims : 2], strict=True))
        return Stream(DTYPES[code], base, pairs, flat[2 * dims :])

    def format(self, value: Stream) -> str:
        """Return for example `u8@416[28:84,3:1]+{84}`."""
        dims = ",".join(f"{count}:{stride}" for count, stride in value.dims)
        steps = ",".join(str(step) for step in value.steps)
        return f"{value.dtype.short}@{value.base}[{dims}]" + (f"+{{{steps}}}" if steps else "")

    def parse(self, text: str) -> Stream:
        """Read a stream."""
        match = self._text.fullmatch(text)
        if match is None or match[1] not in SHORT_DTYPES:
            raise ValueError(f"`{text}` is not a stream such as u8@416[28:84,3:1]+{{84}}")
        pairs = [dim.split(":") for dim in match[3].split(",") if dim]
        dims = tuple((int(count), int(stride)) for count, stride in pairs)
        if any(count < 1 for count, _ in dims):
            raise ValueError(f"`{text}` has a dimension of count 0")
        steps = tuple(int(step) for step in match[4].split(",")) if match[4] else ()
        return Stream(SHORT_DTYPES[match[1]], int(match[2]), dims, steps)


@final
class Optional(Kind[T | None]):
    """A field that may be absent."""

    def __init__(self, kind: Kind[T]) -> None:
        self.kind = kind
        self.layout = f"u8 (0 absent, 1 present), {kind.layout}"
        self.syntax = f"{kind.syntax}, or `-`"

    def write(self, value: T | None, writer: Writer) -> None:
        """Append whether it is there, and it."""
        writer.put(U8, value is not None)
        if value is not None:
            self.kind.write(value, writer)

    def read(self, reader: Reader) -> T | None:
        """Take whether it is there, and it."""
        present = reader.integer(U8)
        if present > 1:
            reader.fail("a presence mark is neither 0 nor 1")
        return self.kind.read(reader) if present else None

    def format(self, value: T | None) -> str:
        """Return the value or a dash."""
        return "-" if value is None else self.kind.format(value)

    def parse(self, text: str) -> T | None:
        """Read the value or a dash."""
        return None if text == "-" else self.kind.parse(text)


@final
class Units(Kind[frozenset[Unit]]):
    """A set of units of the core."""

    layout = "u16 count, then u16 unit numbers in rising order"
    syntax = "`v,m,h,a0-a7,a9`"

    def write(self, value: frozenset[Unit], writer: Writer) -> None:
        """Append the numbers of the units in order."""
        codes = sorted(unit.code for unit in value)
        writer.put(U16, len(codes))
        for code in codes:
            writer.put(U16, code)

    def read(self, reader: Reader) -> frozenset[Unit]:
        """Take numbers of units in rising order."""
        codes = [reader.integer(U16) for _ in range(reader.count(U16, U16.size))]
        if any(left >= right for left, right in pairwise(codes)):
            reader.fail("the units of a set are not in rising order")
        return frozenset(Unit.of(code) for code in codes)

    def format(self, value: frozenset[Unit]) -> str:
        """Return the letters, macros as ranges."""
        ordered = sorted(value, key=lambda unit: unit.code)
        words = [str(unit) for unit in ordered if unit.kind is not UnitKind.ARRAY]
        ranges: list[list[int]] = []
        for unit in ordered:
            if unit.kind is not UnitKind.ARRAY:
                continue
            if ranges and ranges[-1][1] == unit.index - 1:
                ranges[-1][1] = unit.index
            else:
                ranges.append([unit.index, unit.index])
        words += [f"a{low}" if low == high else f"a{low}-a{high}" for low, high in ranges]
        return ",".join(words)

    def parse(self, text: str) -> frozenset[Unit]:
        """Read letters and ranges."""
        units: set[Unit] = set()
        for word in text.split(",") if text else ():
            match = re.fullmatch(r"([vmh])|a(\d{1,5})(?:-a(\d{1,5}))?", word)
            if match is None:
                raise ValueError(f"`{word}` is no unit; known: v, m, h, a0, a0-a7")
            if match[1]:
                units.add(Unit(UnitKind(match[1])))
            else:
                first, last = int(match[2]), int(match[3] or match[2])
                if not first <= last < MAX_UNITS - 3:
                    raise ValueError(f"`{word}` is no range of macros")
                units.update(array(index) for index in range(first, last + 1))
        return frozenset(units)


COUNT = Integer(U32, "u32")
INTEGER = Integer(I32, "i32")
NUMBER = Number()
STREAM = StreamKind()
OPTIONAL_STREAM = Optional(STREAM)
UNITS = Units()
