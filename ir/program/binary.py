"""Little-endian records: a writer, and a reader that trusts nothing."""

from __future__ import annotations

import struct
from typing import NoReturn, final

from mcc.ir.diagnostics import error

U8 = struct.Struct("<B")
U16 = struct.Struct("<H")
U32 = struct.Struct("<I")
U64 = struct.Struct("<Q")
I32 = struct.Struct("<i")
F64 = struct.Struct("<d")


@final
class Writer:
    """Collects the bytes of one section."""

    def __init__(self) -> None:
        self.data = bytearray()

    def put(self, form: struct.Struct, *values: float) -> None:
        """Append numbers in a fixed form."""
        self.data += form.pack(*values)

    def text(self, value: str) -> None:
        """Append a string with its length."""
        self.blob(value.encode())

    def blob(self, value: bytes) -> None:
        """Append bytes with their number."""
        self.data += U32.pack(len(value))
        self.data += value


@final
class Reader:
    """Takes records from one section; every failure names the section and the byte."""

    def __init__(self, section: str, data: bytes) -> None:
        self.section = section
        self.data = data
        self.position = 0

    @property
    def left(self) -> int:
        """Bytes not read yet."""
        return len(self.data) - self.position

    def fail(self, reason: str) -> NoReturn:
        """Refuse the program at the current byte."""
        raise error(
            "program-damaged",
            f"program section {self.section}, byte {self.position}: {reason}",
            "compile the network again, or fetch the file again",
        )

    def integers(self, form: struct.Struct) -> tuple[int, ...]:
        """Take the integers of a fixed form."""
        if form.size > self.left:
            self.fail("the section ends in the middle of a record")
        values: tuple[int, ...] = form.unpack_from(self.data, self.position)
        self.position += form.size
        return values

    def integer(self, form: struct.Struct) -> int:
        """Take one integer."""
        return self.integers(form)[0]

    def number(self) -> float:
        """Take one float64."""
        return self.integers(F64)[0]

    def count(self, form: struct.Struct, item_bytes: int) -> int:
        """Take a number of items that each need at least `item_bytes` more bytes."""
        value = self.integer(form)
        if value * item_bytes > self.left:
            self.fail(f"{value} items are announced but only {self.left} bytes are left")
        return value

    def blob(self) -> bytes:
        """Take bytes with their number."""
        size = self.count(U32, 1)
        self.position += size
        return self.data[self.position - size : self.position]

    def text(self) -> str:
        """Take a string with its length."""
        start = self.position
        try:
            return self.blob().decode()
        except UnicodeDecodeError:
            self.position = start
            self.fail("a name is not UTF-8")

    def end(self) -> None:
        """Refuse bytes that nothing announced."""
        if self.left:
            self.fail(f"{self.left} bytes too many")
