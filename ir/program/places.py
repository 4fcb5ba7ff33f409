"""Where the integers of a program lie in the values of its network, for comparing the two."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

from mcc.ir.program.kinds import STREAM
from mcc.ir.program.streams import Stream


@final
@dataclass(frozen=True, slots=True)
class Place:
    """The elements of a network value that an instruction makes or finds complete.

    For `quantize` the codes of its result, for `dequantize` what its source is: `stream` has
    the counts of that stream, and the same loops around it.
    """

    value: str
    """Name in the network."""
    shape: tuple[int, ...]
    """Of the value."""
    stream: Stream
    """Bytes of the value, as if it lay contiguous and row-major at address 0."""

    def to_list(self) -> list[Any]:
        """Return plain data."""
        return [self.value, list(self.shape), STREAM.format(self.stream)]

    @staticmethod
    def from_list(data: list[Any]) -> Place:
        """Make a place from what `to_list` returned; raise ValueError when it is none."""
        try:
            value, shape, stream = data
            return Place(str(value), tuple(int(size) for size in shape), STREAM.parse(stream))
        except TypeError as cause:
            raise ValueError(f"{data!r} is no place") from cause


Places = Mapping[tuple[int, int], Place]
"""By core and index of the instruction."""
