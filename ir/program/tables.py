"""The tables of a program: memory regions, constants, tiles, cell images and host calls."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from mcc.ir.program.streams import DType, Stream


@final
@dataclass(frozen=True, slots=True)
class Region:
    """A named contiguous row-major tensor in the global buffer."""

    name: str
    address: int
    dtype: DType
    shape: tuple[int, ...]

    @property
    def elements(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    @property
    def bytes(self) -> int:
        """Size."""
        return self.elements * self.dtype.itemsize

    def stream(self) -> Stream:
        """Return the stream over all its elements."""
        return Stream.dense(self.dtype, self.address, self.shape)


@final
@dataclass(frozen=True, slots=True)
class Constant:
    """Bytes that lie in the global buffer before the program starts, and stay."""

    region: Region
    data: bytes
    """Little-endian, row-major."""

    @staticmethod
    def of(name: str, address: int, array: NDArray[Any]) -> Constant:
        """Return the constant that holds `array` at `address`."""
        region = Region(name, address, DType.of(array.dtype), array.shape)
        little = array.dtype.newbyteorder("<")
        return Constant(region, np.ascontiguousarray(array, dtype=little).tobytes())

    @property
    def array(self) -> NDArray[Any]:
        """The values, read-only."""
        little = self.region.dtype.numpy.newbyteorder("<")
        return np.frombuffer(self.data, little).reshape(self.region.shape)


@final
@dataclass(frozen=True, slots=True)
class Tile:
    """A block of a weight matrix in the cells of one macro."""

    core: int
    macro: int
    row: int
    """First word line."""
    col: int
    """First physical column (bit line)."""
    rows: int
    """Rows of the block."""
    cols: int
    """Columns of the block; each takes several physical ones."""
    weight_bits: int
    input_bits: int
    input_signed: bool
    shift: int
    """Logarithm of the converter's step to base 2, in units of one digit product."""
    flips: bytes
    """`pack_flips` of the columns whose cells hold the complement; empty where none does."""
    image: int
    """Index of the image whose cells it is read from."""
    node: str
    """Network node the weight belongs to."""
    block: tuple[int, int]
    """Row block and column block of the node's tiling."""

    def flipped(self, row_groups: int, physical_cols: int) -> NDArray[np.bool_]:
        """Return which columns hold the complement (row groups, physical columns)."""
        if not self.flips:
            return np.zeros((row_groups, physical_cols), np.bool_)
        packed = np.frombuffer(self.flips, np.uint8)
        bits = np.unpackbits(packed, count=row_groups * physical_cols)
        return bits.reshape(row_groups, physical_cols).astype(np.bool_)


def pack_flips(flips: NDArray[np.bool_]) -> bytes:
    """Return the `flips` of a tile (row groups, physical columns)."""
    return np.packbits(flips).tobytes() if flips.any() else b""


@final
@dataclass(frozen=True, slots=True, eq=False)
class Image:
    """Target states of all cells of one macro.

    The first image of a macro in the table is written before the program starts, the others by
    `ProgramMacro`.
    """

    core: int
    macro: int
    cells: NDArray[np.uint8]
    """State of every cell, (rows, cols) of the macro."""

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Image):
            return NotImplemented
        same_place = (self.core, self.macro) == (other.core, other.macro)
        return same_place and np.array_equal(self.cells, other.cells)


@final
@dataclass(frozen=True, slots=True)
class HostCall:
    """One run of a host graph on tensors of the global buffer."""

    graph: int
    """Index of the ONNX graph."""
    inputs: tuple[Region, ...]
    """Named as the graph names its inputs."""
    outputs: tuple[Region, ...]
    """Named as the graph names its outputs."""
    operations: int
    """Estimate of the arithmetic operations."""

    @property
    def bytes(self) -> int:
        """Bytes that move between the global buffer and the host."""
        return total_bytes(self.inputs) + total_bytes(self.outputs)


def total_bytes(regions: Sequence[Region]) -> int:
    """Return the sum of the sizes."""
    return sum(region.bytes for region in regions)
