"""The native products against the plain ones of NumPy and ONNX Runtime, in one process.

Run `python -m benchmarks.kernels`. The sizes are 512 x 512 weights and 256 inputs; the arrays have
four 2-bit differential slices and row groups of 64, so sums reach -192 to 192 and the 8-bit
converter clips. It ends with 1 where a product is over its limit.
"""

from __future__ import annotations

import math
import os

# ruff: noqa: E402 - NumPy reads the number of its threads when it is imported.
THREADS = 2
os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = str(THREADS)

import statistics
import sys
import time
from collections.abc import Callable
from typing import Any, cast

import numpy as np
import onnxruntime  # pyright: ignore[reportMissingTypeStubs]
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from mcc.runtime import _kernels

SIZE, BATCH = 512, 256
ROUNDS, REPEATS = 9, 5
PAUSE_SECONDS = 0.06
"""Between products: the threads of the libraries spin on for a while after their work."""

LIMITS = {"bit planes, unsigned": 5.0, "bit planes, two's complement": 5.0, "integers": 2.0}
"""Longest median times, as multiples of the product that each is compared with."""

Product = Callable[[], object]


def digits_of(weights: NDArray[np.int8]) -> NDArray[np.int8]:
    """Return the signed 2-bit digits (slices, rows, cols) of weights."""
    wide = weights.astype(np.int16)
    parts = [np.sign(wide) * ((np.abs(wide) >> shift) & 3) for shift in (0, 2, 4, 6)]
    return np.stack(parts).astype(np.int8)


def onnx_product(weights: NDArray[np.int8], codes: NDArray[np.uint8]) -> Product:
    """Return ONNX Runtime's MatMulInteger."""
    values = [
        helper.make_tensor_value_info("codes", TensorProto.UINT8, [BATCH, SIZE]),
        helper.make_tensor_value_info("sums", TensorProto.INT32, [BATCH, SIZE]),
    ]
    node = helper.make_node("MatMulInteger", ["codes", "weights"], ["sums"])
    constant = numpy_helper.from_array(weights, "weights")
    graph = helper.make_graph([node], "product", values[:1], values[1:], [constant])
    opset = [helper.make_opsetid("", 18)]
    serialized = helper.make_model(graph, opset_imports=opset, ir_version=9).SerializeToString()
    runtime = cast("Any", onnxruntime)
    options = runtime.SessionOptions()
    options.intra_op_num_threads = THREADS
    session = runtime.InferenceSession(serialized, options, providers=["CPUExecutionProvider"])
    return lambda: session.run(None, {"codes": codes})


def bit_planes(
    weights: NDArray[np.int8],
    codes: NDArray[np.uint8] | NDArray[np.int8],
    level: str,
    shift: int = 0,
    sign_magnitude: bool = False,
) -> Product:
    """Return the bit-plane product with an 8-bit converter."""
    packed = _kernels.pack_digits(digits_of(weights), bits_per_cell=2, active_rows=64)
    return lambda: _kernels.bit_plane_product(
        codes,
        packed,
        input_bits=8,
        dac_bits=1,
        sign_magnitude=sign_magnitude,
        shift=shift,
        low=-128,
        high=127,
        threads=THREADS,
        level=level,
    )


def analog(weights: NDArray[np.int8], codes: NDArray[np.uint8], level: str, noisy: bool) -> Product:
    """Return the product of real cells, with read noise or without."""
    digits = digits_of(weights).transpose(1, 2, 0).reshape(SIZE, -1).astype(np.float32)
    packed = _kernels.pack_analog(
        digits,
        np.full_like(digits, 2.0**-10) if noisy else None,
        slices=4,
        bits_per_cell=2,
        active_rows=64,
    )
    return lambda: _kernels.analog_product(
        codes,
        packed,
        input_bits=8,
        dac_bits=1,
        sign_magnitude=False,
        shift=0,
        low=-128,
        high=127,
        threads=THREADS,
        level=level,
    )


def products() -> dict[str, tuple[Product, str]]:
    """Return the products to time, each with the name of the one it is compared with."""
    random = np.random.default_rng(0)
    left = random.random((BATCH, SIZE), np.float32)
    right = random.random((SIZE, SIZE), np.float32)
    weights = random.integers(-127, 128, (SIZE, SIZE)).astype(np.int8)
    plain = random.integers(0, 256, (BATCH, SIZE)).astype(np.uint8)
    signed = random.integers(-128, 128, (BATCH, SIZE)).astype(np.int8)
    packed = _kernels.pack_integers(weights)
    floats, integers = "numpy float32", "onnxruntime MatMulInteger"
    found: dict[str, tuple[Product, str]] = {
        floats: (lambda: left @ right, floats),
        integers: (onnx_product(weights, plain), integers),
    }
    for level in _kernels.levels():
        found[f"bit planes, unsigned, {level}"] = bit_planes(weights, plain, level), floats
        rounded = bit_planes(weights, plain, level, shift=1)
        found[f"bit planes, unsigned, step 2, {level}"] = rounded, floats
        found[f"bit planes, two's complement, {level}"] = bit_planes(weights, signed, level), floats
        magnitude = bit_planes(weights, signed, level, sign_magnitude=True)
        found[f"bit planes, sign-magnitude, {level}"] = magnitude, floats
        found[f"analog, {level}"] = analog(weights, plain, level, noisy=False), floats
        found[f"analog with read noise, {level}"] = analog(weights, plain, level, True), floats
        found[f"integers, {level}"] = integer(plain, packed, level), integers
    return found


def integer(codes: NDArray[np.uint8], packed: _kernels.PackedIntegers, level: str) -> Product:
    """Return the integer product."""
    return lambda: _kernels.integer_product(codes, packed, threads=THREADS, level=level)


def seconds(cases: dict[str, tuple[Product, str]]) -> dict[str, tuple[float, float]]:
    """Return the median and the shortest time of each product, measured in turns."""
    times: dict[str, list[float]] = {name: [] for name in cases}
    for _ in range(ROUNDS):
        for name, (product, _) in cases.items():
            time.sleep(PAUSE_SECONDS)
            product()
            for _ in range(REPEATS):
                start = time.perf_counter()
                product()
                times[name].append(time.perf_counter() - start)
    return {name: (statistics.median(found), min(found)) for name, found in times.items()}


def missed(name: str, ratio: float) -> bool:
    """Tell whether a product of the default instructions is over the limit of its kind."""
    product, _, level = name.rpartition(", ")
    return level == _kernels.levels()[0] and ratio > LIMITS.get(product, math.inf)


def main() -> None:
    """Print the table."""
    cases = products()
    found = seconds(cases)
    head = f"{SIZE} x {SIZE} weights, {BATCH} inputs, {THREADS} threads"
    sys.stdout.write(f"{head:46} median ms  ratio  best ms  ratio  of\n")
    over = False
    for name, (_, base) in cases.items():
        (median, best), (base_median, base_best) = found[name], found[base]
        times = f"{median * 1e3:9.3f} {median / base_median:6.2f}"
        bests = f"{best * 1e3:8.3f} {best / base_best:6.2f}"
        late = missed(name, median / base_median)
        over |= late
        mark = "  over its limit" if late else ""
        sys.stdout.write(f"{name:46} {times} {bests}  {base}{mark}\n")
    limits = "; ".join(f"{product}: {limit:g}" for product, limit in LIMITS.items())
    sys.stdout.write(f"limits of the medians, for the instructions chosen by default: {limits}\n")
    sys.exit(over)


if __name__ == "__main__":
    main()
