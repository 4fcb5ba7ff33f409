"""The plain twin of the native analog product: the same float32 arithmetic, slow and obvious."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from mcc.runtime.oracle import phases

F32 = np.float32
U32 = np.uint32


def philox(counter: NDArray[np.uint32], seed: int) -> NDArray[np.uint32]:
    """Return the four words (..., 4) of Philox 4x32-10 for each counter (..., 4)."""
    words = [counter[..., i].astype(np.uint64) for i in range(4)]
    keys = [seed & 0xFFFFFFFF, seed >> 32]
    low = np.uint64(0xFFFFFFFF)
    for _ in range(10):
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
    counter = np.empty((count, 4), U32)
    counter[:, 0] = np.arange(first, first + count, dtype=np.uint64).astype(U32)
    counter[:, 1:] = [event, sample, place]
    words = philox(counter, seed)
    pairs = [_pair(words[:, 0], words[:, 1]), _pair(words[:, 2], words[:, 3])]
    return np.concatenate(pairs, axis=1)


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
        self, inputs: int, columns: int, groups: int, group: int, phase: int
    ) -> NDArray[np.float32]:
        """Return the normal number of each input and column in one phase of one group."""
        numbers = np.empty((inputs, columns), F32)
        for item in range(inputs):
            reading = (item % self.positions) * groups + group
            numbers[item] = normals(
                seed=self.seed,
                place=self.place,
                event=self.event,
                sample=self.sample + item // self.positions,
                first=(reading * 2 + phase // 4) * columns,
                count=columns,
            )[:, phase % 4]
        return numbers


def analog_product(
    codes: NDArray[np.uint8] | NDArray[np.int8],
    weights: NDArray[np.float32],
    variances: NDArray[np.float32] | None,
    *,
    slices: int,
    bits_per_cell: int,
    active_rows: int,
    flipped: NDArray[np.bool_] | None = None,
    input_bits: int,
    dac_bits: int,
    sign_magnitude: bool,
    shift: int,
    low: int,
    high: int,
    noise: Noise = Noise(),
) -> NDArray[np.int32]:
    """Multiply as noisy analog arrays do; the arguments are those of `pack_analog` and the kernel.

    Sums run over the rows of a group in their order, in float32.
    """
    rows, columns = weights.shape
    groups = -(-rows // active_rows)
    total = np.zeros((len(codes), columns), np.int64)
    for group in range(groups):
        part = slice(group * active_rows, min((group + 1) * active_rows, rows))
        driven = phases(codes[:, part], input_bits, dac_bits, sign_magnitude)
        for index, (worth, drive) in enumerate(driven):
            sums = ordered_sum(drive, weights[part])
            if variances is not None:
                spread = np.sqrt(ordered_sum(drive * drive, variances[part]))
                sums += spread * noise.draw(len(codes), columns, groups, group, index)
            level = np.rint(sums * F32(2.0**-shift)).astype(np.int64)
            values: NDArray[np.int64] = np.clip(level, low, high) * 2**shift
            if flipped is not None:
                full = (2**bits_per_cell - 1) * drive.sum(axis=1, keepdims=True)
                values = np.where(flipped[group], full - values, values)
            total += worth * values
    powers = 2 ** (bits_per_cell * np.arange(slices))
    return (total.reshape(len(codes), -1, slices) * powers).sum(axis=2).astype(np.int32)


def ordered_sum(drive: NDArray[np.int64], table: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return `drive @ table` (batch, columns), adding row after row in float32."""
    sums = np.zeros((len(drive), table.shape[1]), F32)
    for row in range(len(table)):
        sums += drive[:, row : row + 1].astype(F32) * table[row]
    return sums
