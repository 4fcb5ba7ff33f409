"""Native kernels of the runtime: C++, without the interpreter's lock.

`level` forces one build of a kernel ("avx512", "avx2" or "portable"); by default the best one that
the processor has is used. All levels and all numbers of threads give the same integers. An array
of the wrong type raises TypeError; a wrong shape, a value out of range, or a level that the
processor lacks raises ValueError.
"""

from typing import final

import numpy as np
from numpy.typing import NDArray

@final
class PackedDigits:
    """Digits of a tile, made ready for `bit_plane_product`."""

    @property
    def rows(self) -> int:
        """Rows of the tile."""
    @property
    def cols(self) -> int:
        """Columns of weights."""
    @property
    def slices(self) -> int:
        """Digits of a weight."""
    @property
    def active_rows(self) -> int:
        """Rows of one analog sum."""
    @property
    def nbytes(self) -> int:
        """Bytes that the packed digits take."""

@final
class PackedIntegers:
    """A matrix of int8 weights, made ready for `integer_product`."""

    @property
    def rows(self) -> int:
        """Rows of the matrix."""
    @property
    def cols(self) -> int:
        """Columns of the matrix."""
    @property
    def nbytes(self) -> int:
        """Bytes that the packed weights take."""

def pack_digits(
    digits: NDArray[np.int8],
    *,
    bits_per_cell: int,
    active_rows: int,
    flipped: NDArray[np.bool_] | None = None,
) -> PackedDigits:
    """Make the digits of a tile ready for `bit_plane_product`.

    Args:
        digits: Digits as the cells hold them (slices, rows, cols), the lowest slice first. In the
            differential encoding a digit is the positive cell minus the negative one.
        bits_per_cell: Bits of a digit, 1 to 4; a digit is at most `2**bits_per_cell - 1` in
            magnitude.
        active_rows: Rows of one analog sum. Groups start at row 0; the last one may be shorter.
        flipped: Columns that hold `2**bits_per_cell - 1 - digit` (groups, slices, cols); the
            product is corrected to that of the digits they stand for.
    """

def bit_plane_product(
    codes: NDArray[np.uint8] | NDArray[np.int8],
    weights: PackedDigits,
    *,
    input_bits: int,
    dac_bits: int,
    sign_magnitude: bool,
    shift: int,
    low: int,
    high: int,
    threads: int = 1,
    level: str | None = None,
) -> NDArray[np.int32]:
    """Multiply as a crossbar does, with one conversion per row group, slice, phase and column.

    Each analog sum becomes `clip(floor(sum / 2**shift + 1/2), low, high) * 2**shift`; these are
    shifted and added in int32. Phases are those of `mcc.ir.hardware.phases`.

    Args:
        codes: Inputs (batch, rows), with any strides.
        weights: The packed digits of the tile.
        input_bits: Bits of a code, 1 to 8.
        dac_bits: Bits of a phase, 1 to 8.
        sign_magnitude: Whether signed codes are driven by sign and magnitude, not in two's
            complement.
        shift: Logarithm of the converter's step, 0 to 30.
        low: Lowest code of the converter.
        high: Highest code of the converter.
        threads: Threads to compute with.
        level: Instruction set to use.

    Returns:
        The sums (batch, cols).
    """

def pack_integers(weights: NDArray[np.int8]) -> PackedIntegers:
    """Make a matrix of weights (rows, cols) ready for `integer_product`."""

def integer_product(
    codes: NDArray[np.uint8] | NDArray[np.int8],
    weights: PackedIntegers,
    *,
    threads: int = 1,
    level: str | None = None,
) -> NDArray[np.int32]:
    """Return `codes @ weights` exactly (batch, cols), modulo 2**32."""

def levels() -> tuple[str, ...]:
    """Return the levels that this processor has, the best first."""
