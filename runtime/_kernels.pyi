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

    Each analog sum becomes `clip(round_half_even(sum / 2**shift), low, high) * 2**shift`; these are
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

def gather_codes(
    windows: NDArray[np.uint8] | NDArray[np.int8], rows: int, *, threads: int = 1
) -> NDArray[np.uint8] | NDArray[np.int8]:
    """Return windows of a memory, with any strides, as a matrix (inputs, rows) of its own.

    Args:
        windows: Codes; the last axes together hold `rows` elements, the axes before them inputs.
        rows: Codes of one input.
        threads: Threads to copy with.
    """

def add_sums(totals: NDArray[np.int32], products: NDArray[np.int32], *, threads: int = 1) -> None:
    """Add products (inputs, cols) to totals (..., cols), modulo 2**32.

    Args:
        totals: With any strides; the axes before the last one are the inputs. No two elements may
            share their place.
        products: Without gaps.
        threads: Threads to add with.
    """

def quantize(
    source: NDArray[np.float32],
    scale: NDArray[np.float32],
    *,
    zero: float,
    low: float,
    high: float,
    result: NDArray[np.uint8] | NDArray[np.int8],
    level: str | None = None,
) -> None:
    """Write `clip(round_half_even(source / scale) + zero, low, high)` to `result`; 0 for a NaN.

    Each step is rounded to float32. Operands have the shape of the result and any strides; the
    result may be the source, but share nothing else with it.
    """

def dequantize(
    sums: NDArray[np.int32],
    scale: NDArray[np.float32],
    bias: NDArray[np.float32] | None,
    *,
    result: NDArray[np.float32],
    level: str | None = None,
) -> None:
    """Write `float32(sums) * scale`, then `+ bias` where there is one, each rounded, to `result`.

    Operands as in `quantize`.
    """

def clip(
    source: NDArray[np.float32],
    *,
    low: float,
    high: float,
    result: NDArray[np.float32],
    level: str | None = None,
) -> None:
    """Write `low` for what is below it and `high` for what is above, else the number itself.

    Operands as in `quantize`.
    """

def levels() -> tuple[str, ...]:
    """Return the levels that this processor has, the best first."""

def run_clock(
    operations: NDArray[np.int64],
    operation_offsets: NDArray[np.int64],
    wait_offsets: NDArray[np.int64],
    wait_units: NDArray[np.int64],
    pipeline_counts: NDArray[np.int64],
    step_offsets: NDArray[np.int64],
    step_cycles: NDArray[np.int64],
    resource_offsets: NDArray[np.int64],
    step_resources: NDArray[np.int64],
    capacities: NDArray[np.int64],
    *,
    units_per_core: int,
    semaphores: int,
    queue_depth: int,
    sync_cycles: int,
    traced: bool,
) -> tuple[
    int,
    NDArray[np.int64],
    NDArray[np.int64],
    NDArray[np.int64],
    NDArray[np.int64],
]:
    """Run the clock over a program as the flat tables of `mcc.runtime.clock.Tables`.

    Returns:
        Cycles (-1 for a deadlock), busy cycles of units, busy cycles of resources, records (four
        numbers each), and the instruction at which each core stopped (-1 where it halted).
    """

@final
class PackedAnalog:
    """Conductances of a tile, made ready for `analog_product`."""

    @property
    def rows(self) -> int:
        """Rows of the tile."""
    @property
    def cols(self) -> int:
        """Columns of weights."""
    @property
    def groups(self) -> int:
        """Groups of rows that are driven one after another."""
    @property
    def fraction(self) -> int:
        """Bits of a weight below one digit."""
    @property
    def variance_scale(self) -> float:
        """Units of a variance in a squared digit; 0 where none reaches `2**-40`."""
    @property
    def nbytes(self) -> int:
        """Bytes that the packed conductances take."""

def pack_analog(
    weights: NDArray[np.float32],
    variances: NDArray[np.float32] | None,
    *,
    slices: int,
    bits_per_cell: int,
    active_rows: int,
    dac_bits: int,
    flipped: NDArray[np.bool_] | None = None,
    converter_of: NDArray[np.int32] | None = None,
    breakpoints: NDArray[np.float32] | None = None,
    codes: NDArray[np.int32] | None = None,
    threads: int = 1,
) -> PackedAnalog:
    """Make the conductances of a tile ready for `analog_product`, in 16-bit fixed point.

    A weight is rounded to `2**-fraction`, the finest power of two (at most `2**-14`) for which
    neither the sums of 16 rows (one-bit phases) nor single weights leave 16 bits, nor the sums of a
    group times drives 32. Of variances, the sums from the first row of a group on are rounded.

    Args:
        weights: Conductances in units of one digit (rows, cols * slices), those of a weight side by
            side with the lowest slice first.
        variances: Variance of one read of each; None without noise.
        slices: Digits of a weight.
        bits_per_cell: Bits of a digit, 1 to 8.
        active_rows: Rows of one analog sum. Groups start at row 0; the last one may be shorter.
        dac_bits: Bits of a phase, 1 to 8.
        flipped: Columns that hold the complement of their digits (groups, cols * slices); the
            product is corrected to that of the digits they stand for.
        converter_of: Number of the converter of each sum (cols * slices,), where converters do not
            round and clip; `low` and `high` of the product are not used then.
        breakpoints: Ascending, in steps of the converter (converters, steps).
        codes: (converters, steps + 1); a level has the code of the breakpoints that are not above
            it.
        threads: Threads to pack with.
    """

def analog_product(
    codes: NDArray[np.uint8] | NDArray[np.int8],
    tile: PackedAnalog,
    *,
    input_bits: int,
    sign_magnitude: bool,
    shift: int,
    low: int,
    high: int,
    noise_variance: float = 0.0,
    seed: int = 0,
    place: int = 0,
    event: int = 0,
    sample: int = 0,
    positions: int = 1,
    threads: int = 1,
    level: str | None = None,
) -> NDArray[np.int32]:
    """Multiply as an array of real cells does; `mcc.runtime.analog_oracle` is its twin.

    An analog sum of one row group, phase and column is that of its drives times weights, plus a
    normal number times the root of its variance: the sum of squared drives times variances, and
    `noise_variance`. It becomes `clip(round_half_even(sum / 2**shift), low, high) * 2**shift`;
    these are shifted and added in int32. Phases are those of `mcc.ir.hardware.phases`.

    Args:
        codes: Inputs (batch, rows), with any strides; `positions` after each other are one sample.
        tile: The packed conductances of the tile.
        input_bits: Bits of a code, 1 to 8.
        sign_magnitude: Whether signed codes are driven by sign and magnitude, not in two's
            complement.
        shift: Logarithm of the converter's step, 0 to 24.
        low: Lowest code of the converter.
        high: Highest code of the converter.
        noise_variance: Variance that is added to that of every sum, in squared digits.
        seed: Key of the random numbers.
        place: Last word of their counters.
        event: Second word of their counters.
        sample: Third word of their counters, for the first sample.
        positions: Inputs of a sample.
        threads: Threads to compute with.
        level: Instruction set to use.

    Returns:
        The sums (batch, cols).
    """

def random_words(
    *,
    seed: int,
    place: int,
    event: int,
    sample: int,
    first: int,
    count: int,
    level: str | None = None,
) -> NDArray[np.uint32]:
    """Return words (count, 4) of Philox 4x32-10 at counters (first + i, event, sample, place)."""

def random_normals(
    *,
    seed: int,
    place: int,
    event: int,
    sample: int,
    first: int,
    count: int,
    level: str | None = None,
) -> NDArray[np.float32]:
    """Return normal numbers (count, 4) made of the words of `random_words`."""

def read_normals(
    *,
    seed: int,
    place: int,
    event: int,
    sample: int,
    first: int,
    count: int,
    level: str | None = None,
) -> NDArray[np.int32]:
    """Return the normal numbers of read noise (count, 4), made of Philox 4x32-7.

    An item holds those of two columns, 16 bits each, the even one's in its lower half.
    """

def written_cells(
    states: NDArray[np.uint8],
    targets: NDArray[np.float64],
    deviations: NDArray[np.float64],
    *,
    seed: int,
    place: int,
    event: int,
    sample: int,
    threads: int = 1,
    level: str | None = None,
) -> NDArray[np.float64]:
    """Return `max(0, targets[state] + deviations[state] * normal)` of each cell (rows, cols).

    The normal numbers are those of `random_normals` from counter 0 on.

    Args:
        states: States (rows, cols).
        targets: Conductance that each state stands for, in siemens.
        deviations: Standard deviation of what is written, in siemens.
        seed: Key of the random numbers.
        place: Last word of their counters.
        event: Second word of their counters.
        sample: Third word of their counters.
        threads: Threads to compute with.
        level: Instruction set to use.
    """

def sums_of_cells(
    siemens: NDArray[np.float64],
    sigma: NDArray[np.float64] | None,
    *,
    relative: float,
    per_siemens: float,
    lowest: float,
    pairs: bool,
    threads: int = 1,
) -> tuple[NDArray[np.float32], NDArray[np.float32] | None, bool]:
    """Return weights and variances of analog sums (rows, sums), and whether cells can be like that.

    No cell has a negative conductance, or one that is no finite number.

    Args:
        siemens: Conductances (rows, columns), with any strides.
        sigma: Standard deviation of a read of each, likewise; None where it is relative.
        relative: Standard deviation over conductance; 0 without noise. Not used with `sigma`.
        per_siemens: Digits of a siemens.
        lowest: Digits to take off each cell, where columns make sums alone.
        pairs: Whether two neighbouring columns make a sum, of which the second is subtracted.
        threads: Threads to compute with.
    """

def reduce_blocks(
    cells: NDArray[np.float64],
    *,
    rows: int,
    cols: int,
    word: float,
    bit: float,
    first_word: NDArray[np.float64],
    first_bit: NDArray[np.float64],
    threads: int = 1,
) -> NDArray[np.float64]:
    """Reduce the blocks of crossbars with resistive wires to the ends of their wires.

    Args:
        cells: Conductances (macros, rows, cols), whole blocks, in any unit; row 0 is nearest to the
            virtual grounds and column 0 to the sources.
        rows: Rows of a block, 1 to 64.
        cols: Columns of a block, 1 to 64.
        word: Conductance of a segment of a word line.
        bit: Conductance of a segment of a bit line.
        first_word: That of the segments before column 0, with the drivers (macros, rows).
        first_bit: That of the segments before row 0, with the senses (macros, cols).
        threads: Threads to compute with.

    Returns:
        Conductances between the ports of each block (macros, blocks down, blocks across, ports,
        ports), 0 on the diagonal. Ports are the near ends of the rows, one segment before the
        first cell, then their far ends at the last cell, then those of the columns.
    """

def wire_voltages(
    cells: NDArray[np.float64],
    *,
    word: float,
    bit: float,
    first_word: NDArray[np.float64],
    first_bit: NDArray[np.float64],
    into_rows: NDArray[np.float64],
    into_cols: NDArray[np.float64],
    tolerance: float,
    most_iterations: int,
    threads: int = 1,
) -> tuple[NDArray[np.float64], int]:
    """Solve a crossbar whose wire ends are held at 0 V for currents into its nodes.

    Args:
        cells: Conductances (rows, cols); row 0 is nearest to the virtual grounds.
        word: Conductance of a segment of a word line; infinite without resistance.
        bit: Conductance of a segment of a bit line; infinite without resistance.
        first_word: That of the segments before column 0, with the drivers (rows,).
        first_bit: That of the segments before row 0, with the senses (cols,).
        into_rows: Currents into the row nodes (rows, cols).
        into_cols: Currents into the column nodes (rows, cols).
        tolerance: What the unbalanced currents of a column may add up to.
        most_iterations: When to give up.
        threads: Threads to compute with; the result does not depend on it.

    Returns:
        Voltages (2, rows, cols) of row and column nodes, and the iterations that were made, more
        than `most_iterations` where these did not suffice.
    """
