"""The plain twin of the native analog product: the same arithmetic, slow and obvious."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from mcc.runtime.oracle import phases

F32 = np.float32
U32 = np.uint32


def philox(counter: NDArray[np.uint32], seed: int, rounds: int = 10) -> NDArray[np.uint32]:
    """Return the four words (..., 4) of Philox 4x32 for each counter (..., 4)."""
    words = [counter[..., i].astype(np.uint64) for i in range(4)]
    keys = [seed & 0xFFFFFFFF, seed >> 32]
    low = np.uint64(0xFFFFFFFF)
    for _ in range(rounds):
        first = words[0] * np.uint64(0xD2511F53)
        second = words[2] * np.uint64(0xCD9E8D57)
        words = [
            (second >> np.uint64(32)) ^ words[1] ^ np.uint64(keys[0]),
            second & low,
            (first >> np.uint64(32)) ^ words[3] ^ np.uint64(keys[1]),
            first & low,
        ]
        keys = [(keys[0] + 0x9E3779B9) % 2**32, (keys[1] + 0xBB67AE85) % 2**32]
    return np.stack(words, axis=-1).astype(U32)


def normals(
    *, seed: int, place: int, event: int, sample: int, first: int, count: int
) -> NDArray[np.float32]:
    """Return four normal numbers (count, 4) for each counter from `first` on."""
    words = philox(counters(place, event, sample, first, count), seed)
    pairs = [_pair(words[:, 0], words[:, 1]), _pair(words[:, 2], words[:, 3])]
    return np.concatenate(pairs, axis=1)


def counters(place: int, event: int, sample: int, first: int, count: int) -> NDArray[np.uint32]:
    """Return the counters (count, 4) from `first` on."""
    counter = np.empty((count, 4), U32)
    counter[:, 0] = np.arange(first, first + count, dtype=np.uint64).astype(U32)
    counter[:, 1:] = [event, sample, place]
    return counter


def _pair(first: NDArray[np.uint32], second: NDArray[np.uint32]) -> NDArray[np.float32]:
    """Return two normal numbers by Box and Muller, with the polynomials of Cephes."""
    radius = np.sqrt(F32(-2) * _logarithm(_fraction(first >> U32(9))))
    angle = _fraction((second & U32(0x3FFFFFFF)) >> U32(7))
    angle -= F32(0.5)
    angle *= F32(1.57079632679)
    z = np.square(angle)
    sine = _polynomial(z, [-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1])
    sine = sine * z * angle + angle
    cosine = _polynomial(z, [2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2])
    cosine = cosine * z * z - F32(0.5) * z + F32(1)
    turned = np.stack([cosine, -sine, -cosine, sine]), np.stack([sine, cosine, -sine, -cosine])
    quarter, index = second >> U32(30), np.arange(len(second))
    return np.stack([radius * part[quarter, index] for part in turned], axis=1)


def _fraction(bits: NDArray[np.uint32]) -> NDArray[np.float32]:
    value = bits.astype(F32)
    value += F32(0.5)
    value *= F32(2.0**-23)
    return value


def _polynomial(x: NDArray[np.float32], coefficients: list[float]) -> NDArray[np.float32]:
    value = np.full_like(x, coefficients[0])
    for coefficient in coefficients[1:]:
        value *= x
        value += F32(coefficient)
    return value


def _logarithm(value: NDArray[np.float32]) -> NDArray[np.float32]:
    bits = value.view(U32)
    mantissa = ((bits & U32(0x007FFFFF)) | U32(0x3F800000)).view(F32)
    above = mantissa > F32(1.41421356)
    power = ((bits >> U32(23)).astype(np.int32) - 127 + above).astype(F32)
    x = np.where(above, mantissa * F32(0.5), mantissa).astype(F32)
    x -= F32(1)
    z = np.square(x)
    y = _polynomial(
        x,
        [
            7.0376836292e-2,
            -1.1514610310e-1,
            1.1676998740e-1,
            -1.2420140846e-1,
            1.4249322787e-1,
            -1.6668057665e-1,
            2.0000714765e-1,
            -2.4999993993e-1,
            3.3333331174e-1,
        ],
    )
    y *= x
    y *= z
    y += F32(-2.12194440e-4) * power
    y -= F32(0.5) * z
    y += x
    y += F32(0.693359375) * power
    return y


# fmt: off
READ_TABLE = [
    62, 184, 304, 419, 530, 635, 733, 826, 913, 996, 1075, 1155, 1237, 1332, 1471, 2714,
]
# fmt: on
READ_CHOICES = 12
READ_VARIANCE = READ_CHOICES * sum(number**2 for number in READ_TABLE) / 16


def read_normals(
    *, seed: int, place: int, event: int, sample: int, first: int, count: int
) -> NDArray[np.int64]:
    """Return the normal numbers of read noise, variance `READ_VARIANCE`, (count, read, half).

    Five bits choose one of 32 numbers whose moments up to the seventh are those of a normal law; a
    half word of Philox 4x32-7 (Salmon et al., Parallel random numbers: as easy as 1, 2, 3, 2011)
    gives three, and the four words of a counter are mixed by a Hadamard matrix. Half words are
    those of the two halves of a unit of sums.
    """
    words = philox(counters(place, event, sample, first, count), seed, rounds=7)
    halves = np.stack([words & U32(0xFFFF), words >> U32(16)], axis=-1)
    table = np.array(READ_TABLE + [-number for number in READ_TABLE])
    parts = sum(table[halves >> U32(5 * choice) & U32(31)] for choice in range(3))
    signs = np.array([[1, 1, 1, 1], [1, -1, 1, -1], [1, 1, -1, -1], [1, -1, -1, 1]])
    return np.einsum("pw,nwc->npc", signs, parts)


@final
@dataclass(frozen=True)
class Fixed:
    """The cells of a tile as whole numbers; see `mcc.runtime.analog` for what that costs."""

    weights: NDArray[np.int64]
    variances: NDArray[np.int64] | None
    fraction: int
    """Bits of a weight below one digit."""
    variance_scale: float
    """Units of a variance in a squared digit; 0 without noise."""


def fixed_point(
    weights: NDArray[np.float32],
    variances: NDArray[np.float32] | None,
    active_rows: int,
    dac_bits: int,
) -> Fixed:
    """Return the cells of a tile as the kernels hold them; arrays are (rows, sums)."""
    drive = 2**dac_bits - 1
    groups = _groups(len(weights), active_rows)
    cells = _groups(len(weights), 1)
    chunks = [slice(i, min(i + 16, part.stop)) for part in groups for i in range(*_span(part), 16)]
    sizes = np.abs(weights.astype(np.float64))
    reach = (2**31 - 1) / drive - min(active_rows, len(weights)) / 2
    limit = 32759 / _largest(sizes, chunks) if dac_bits == 1 else 32766 / _largest(sizes, cells)
    limit = min(limit, reach / _largest(sizes, groups))
    fraction = min(int(np.frexp(limit)[1]) - 1, 14)
    scaled = np.rint(np.ldexp(weights.astype(np.float64), fraction)).astype(np.int64)
    if variances is None:
        return Fixed(scaled, None, fraction, 0)
    largest = _largest(variances.astype(np.float64), groups)
    most = 65535 if dac_bits == 1 else min(32767, (2**31 - 1) // drive**2)
    scale = most / largest if largest >= 2.0**-40 else 0.0
    rounded = np.zeros(weights.shape, np.int64)
    for part in groups:
        totals = np.rint(np.cumsum(variances[part].astype(np.float64), axis=0) * scale)
        rounded[part] = np.diff(totals, axis=0, prepend=0).astype(np.int64)
    return Fixed(scaled, rounded, fraction, scale)


def _groups(rows: int, size: int) -> list[slice]:
    return [slice(start, min(start + size, rows)) for start in range(0, rows, size)]


def _span(part: slice) -> tuple[int, int]:
    return part.start, part.stop


def _largest(numbers: NDArray[np.float64], parts: list[slice]) -> float:
    """Return the largest sum of a column over the rows of a part."""
    return max([1e-300, *(float(np.cumsum(numbers[part], axis=0)[-1].max()) for part in parts)])


@final
@dataclass(frozen=True)
class Noise:
    """Addresses of the read noise: `positions` inputs after each other are one sample."""

    seed: int = 0
    place: int = 0
    event: int = 0
    sample: int = 0
    positions: int = 1

    def draw(
        self, inputs: int, sums: int, slices: int, reading: tuple[int, int, int]
    ) -> NDArray[np.int64]:
        """Return the noise (inputs, sums) of one phase of one of the groups.

        The reads of a sample are numbered group by group, in each the phases of one position after
        another; sums come in units of up to 32, whole columns of weights.

        Args:
            inputs: How many inputs.
            sums: Columns of weights, times their slices.
            slices: Digits of a weight.
            reading: Group, phase and how many phases there are.
        """
        group, phase, phases = reading
        unit, place = np.divmod(np.arange(sums), 32 // slices * slices)
        units = int(unit[-1]) + 1
        numbers = np.empty((inputs, sums), np.int64)
        for item in range(inputs):
            read = (group * self.positions + item % self.positions) * phases + phase
            drawn = read_normals(
                seed=self.seed,
                place=self.place,
                event=self.event,
                sample=self.sample + item // self.positions,
                first=read // 4 * units * 16,
                count=units * 16,
            )
            numbers[item] = drawn[unit * 16 + place % 16, read % 4, place // 16]
        return numbers


@final
@dataclass(frozen=True)
class Staircases:
    """Converters that are no ideal ones; see `pack_analog`."""

    converter_of: NDArray[np.int32]
    breakpoints: NDArray[np.float32]
    codes: NDArray[np.int32]

    def convert(self, levels: NDArray[np.float32]) -> NDArray[np.int64]:
        """Return the codes of levels (inputs, sums), which are in steps of a converter."""
        found = np.empty(levels.shape, np.int64)
        for column, converter in enumerate(self.converter_of):
            below = np.searchsorted(self.breakpoints[converter], levels[:, column], side="right")
            found[:, column] = self.codes[converter][below]
        return found


def analog_product(
    codes: NDArray[np.uint8] | NDArray[np.int8],
    weights: NDArray[np.float32],
    variances: NDArray[np.float32] | None,
    *,
    slices: int,
    bits_per_cell: int,
    active_rows: int,
    dac_bits: int,
    flipped: NDArray[np.bool_] | None = None,
    staircases: Staircases | None = None,
    input_bits: int,
    sign_magnitude: bool,
    shift: int,
    low: int,
    high: int,
    noise_variance: float = 0.0,
    noise: Noise = Noise(),
) -> NDArray[np.int32]:
    """Multiply as noisy analog arrays do; the arguments are those of `pack_analog` and the kernel.

    Sums are exact in fixed point; levels, variances and their roots are float32.
    """
    columns = weights.shape[1]
    cells = fixed_point(weights, variances, active_rows, dac_bits)
    squared = 4.0**-shift / READ_VARIANCE
    step, extra = F32(2.0 ** (-shift - cells.fraction)), F32(squared * noise_variance)
    spread = F32(squared / cells.variance_scale) if cells.variance_scale else F32(0)
    parts = _groups(len(weights), active_rows)
    total = np.zeros((len(codes), columns), np.int64)
    for group, part in enumerate(parts):
        driven = phases(codes[:, part], input_bits, dac_bits, sign_magnitude)
        for index, (worth, drive) in enumerate(driven):
            levels = (drive @ cells.weights[part]).astype(F32) * step
            if spread > 0 or noise_variance > 0:
                reading = (group, index, len(driven))
                drawn = noise.draw(len(codes), columns, slices, reading)
                variance = np.full(levels.shape, extra)
                if cells.variances is not None:
                    variance += (drive**2 @ cells.variances[part]).astype(F32) * spread
                levels += np.sqrt(variance) * drawn.astype(F32)
            values: NDArray[np.int64] = _converted(levels, staircases, low, high) * 2**shift
            if flipped is not None:
                full = (2**bits_per_cell - 1) * drive.sum(axis=1, keepdims=True)
                values = np.where(flipped[group], full - values, values)
            total += worth * values
    powers = 2 ** (bits_per_cell * np.arange(slices))
    return (total.reshape(len(codes), -1, slices) * powers).sum(axis=2).astype(np.int32)


def _converted(
    levels: NDArray[np.float32], staircases: Staircases | None, low: int, high: int
) -> NDArray[np.int64]:
    if staircases is not None:
        return staircases.convert(levels)
    return np.clip(np.rint(levels).astype(np.int64), low, high)
