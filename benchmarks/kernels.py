"""The native products against the plain ones of NumPy and ONNX Runtime, in one process.

Run `python -m benchmarks.kernels`. The sizes are 512 x 512 weights and 256 or 4096 inputs. Sliced
arrays have four 2-bit differential slices, eight one-bit phases, 8-bit converters, and row groups
of 128 or 64; unsliced ones drive 8-bit levels on all 512 rows at once. It ends with 1 where
something is over its limit.
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

from mcc.backends.crossbar import targets
from mcc.runtime import _kernels
from mcc.runtime.analog import digits_and_variances
from mcc.runtime.devices import Cells
from mcc.runtime.random import MacroPlace

SIZE, BATCHES, GROUPS = 512, (256, 4096), (128, 64)
ROUNDS, REPEATS = 5, 3
PAUSE_SECONDS = 0.06
"""Between products: the threads of the libraries spin on for a while after their work."""

FLOATS = "numpy float32"
PROGRAMMING = "programming, sliced"
PROGRAMMING_MS = 10.0
LIMITS = {
    "exact": 0.2,
    "converter, rows 128": 4.0,
    "converter, rows 64": 4.5,
    "converter, two's complement, rows 128": 7.0,
    "converter, two's complement, rows 64": 7.0,
    "converter, sign-magnitude, rows 128": 7.0,
    "converter, sign-magnitude, rows 64": 7.0,
    "device, unsliced, read noise": 1.5,
    "device, sliced, rows 128": 16.0,
    "device, sliced, rows 64": 16.0,
    "device, sliced, read noise, rows 128": 20.0,
    "device, sliced, read noise, rows 64": 20.0,
}
"""Longest median times at the default instructions, as multiples of NumPy's float32 product."""

Product = Callable[[], object]


def digits_of(weights: NDArray[np.int8]) -> NDArray[np.int8]:
    """Return the signed 2-bit digits (slices, rows, cols) of weights."""
    wide = weights.astype(np.int16)
    parts = [np.sign(wide) * ((np.abs(wide) >> shift) & 3) for shift in (0, 2, 4, 6)]
    return np.stack(parts).astype(np.int8)


def onnx_product(weights: NDArray[np.int8], codes: NDArray[np.uint8]) -> Product:
    """Return ONNX Runtime's MatMulInteger."""
    values = [
        helper.make_tensor_value_info("codes", TensorProto.UINT8, codes.shape),
        helper.make_tensor_value_info("sums", TensorProto.INT32, codes.shape),
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


Drive = dict[str, Any]


def drive_of(level: str, sign_magnitude: bool = False, shift: int = 0) -> Drive:
    """Return how the arrays are driven and converted, for every kernel."""
    form: Drive = {"input_bits": 8, "sign_magnitude": sign_magnitude, "shift": shift}
    return form | {"low": -128, "high": 127, "threads": THREADS, "level": level}


def converter(
    weights: NDArray[np.int8], codes: NDArray[Any], drive: Drive, active_rows: int
) -> Product:
    """Return the product of ideal cells with an 8-bit converter."""
    packed = _kernels.pack_digits(digits_of(weights), bits_per_cell=2, active_rows=active_rows)
    return lambda: _kernels.bit_plane_product(codes, packed, dac_bits=1, **drive)


def written(digits: NDArray[Any]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return digits with a write error of 5 %, and variances of a read noise of 2 %."""
    wrong = np.random.default_rng(1).normal(1, 0.05, digits.shape)
    cells = (digits * wrong).astype(np.float32)
    return cells, np.square(0.02 * cells)


def sliced(
    weights: NDArray[np.int8], codes: NDArray[Any], drive: Drive, active_rows: int, noisy: bool
) -> Product:
    """Return the product of real cells in slices."""
    cells, spreads = written(digits_of(weights).transpose(1, 2, 0).reshape(SIZE, -1))
    layout: dict[str, Any] = {
        "slices": 4,
        "bits_per_cell": 2,
        "active_rows": active_rows,
        "dac_bits": 1,
    }
    packed = _kernels.pack_analog(cells, spreads if noisy else None, **layout)
    return lambda: _kernels.analog_product(codes, packed, seed=1, **drive)


def unsliced(weights: NDArray[np.int8], codes: NDArray[Any], level: str) -> Product:
    """Return the product of real cells that hold whole weights, with inputs as levels."""
    cells, spreads = written(weights)
    layout: dict[str, Any] = {"slices": 1, "bits_per_cell": 4, "active_rows": SIZE, "dac_bits": 8}
    packed = _kernels.pack_analog(cells, spreads, **layout)
    drive = drive_of(level, shift=13)
    return lambda: _kernels.analog_product(codes, packed, seed=1, **drive)


def products(batch: int) -> dict[str, Product]:
    """Return the products to time."""
    random = np.random.default_rng(0)
    left = random.random((batch, SIZE), np.float32)
    right = random.random((SIZE, SIZE), np.float32)
    weights = random.integers(-127, 128, (SIZE, SIZE)).astype(np.int8)
    plain = random.integers(0, 256, (batch, SIZE)).astype(np.uint8)
    signed = random.integers(-128, 128, (batch, SIZE)).astype(np.int8)
    packed = _kernels.pack_integers(weights)
    found: dict[str, Product] = {FLOATS: lambda: left @ right}
    found["onnxruntime MatMulInteger"] = onnx_product(weights, plain)
    for level in _kernels.levels() if batch == BATCHES[0] else _kernels.levels()[:1]:
        drive, magnitude = drive_of(level), drive_of(level, sign_magnitude=True)
        found[f"exact, {level}"] = integer(plain, packed, level)
        found[f"device, unsliced, read noise, {level}"] = unsliced(weights, plain, level)
        for rows in GROUPS:
            tail = f"rows {rows}, {level}"
            found[f"converter, {tail}"] = converter(weights, plain, drive, rows)
            two = converter(weights, signed, drive, rows)
            found[f"converter, two's complement, {tail}"] = two
            sign = converter(weights, signed, magnitude, rows)
            found[f"converter, sign-magnitude, {tail}"] = sign
            found[f"device, sliced, {tail}"] = sliced(weights, plain, drive, rows, False)
            noisy = sliced(weights, plain, drive, rows, True)
            found[f"device, sliced, read noise, {tail}"] = noisy
    return found


def integer(codes: NDArray[np.uint8], packed: _kernels.PackedIntegers, level: str) -> Product:
    """Return the integer product."""
    return lambda: _kernels.integer_product(codes, packed, threads=THREADS, level=level)


def programming() -> Product:
    """Return the programming of 512 x 4096 cells: write errors, digits, variances, packing."""
    values: dict[str, Any] = {
        "macro.encoding": "differential",
        "cell.bits": 2,
        "macro.column_flip": False,
    }
    values |= {"cell.write_error": 0.05, "cell.read_noise": 0.02}
    values |= {"cell.stuck_low_fraction": 0.0, "cell.stuck_high_fraction": 0.0}
    target = targets.load("rram40nm").with_values(values)
    states = np.random.default_rng(0).integers(0, 4, (SIZE, 8 * SIZE)).astype(np.uint8)
    layout: dict[str, Any] = {"slices": 4, "bits_per_cell": 2, "active_rows": 128, "dac_bits": 1}

    def program() -> object:
        place = MacroPlace(1, 0, 0)
        cells = Cells(states, target.cell, place, threads=THREADS).read()
        found = digits_and_variances(cells, target, THREADS)
        return _kernels.pack_analog(*found, **layout, threads=THREADS)

    return program


def seconds(cases: dict[str, Product]) -> dict[str, tuple[float, float]]:
    """Return the median and the shortest time of each product, measured in turns."""
    times: dict[str, list[float]] = {name: [] for name in cases}
    for _ in range(ROUNDS):
        for name, product in cases.items():
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


def report(batch: int) -> bool:
    """Print the table of one batch; return whether a limit was missed."""
    found = seconds(products(batch))
    head = f"{SIZE} x {SIZE} weights, {batch} inputs, {THREADS} threads"
    sys.stdout.write(f"{head:48} median ms  ratio  best ms  ratio  limit\n")
    over = False
    base_median, base_best = found[FLOATS]
    for name, (median, best) in found.items():
        times = f"{median * 1e3:9.3f} {median / base_median:6.2f}"
        bests = f"{best * 1e3:8.3f} {best / base_best:6.2f}"
        late = missed(name, median / base_median)
        over |= late
        limit = LIMITS.get(name.rpartition(", ")[0], "")
        mark = "  over its limit" if late else ""
        sys.stdout.write(f"{name:48} {times} {bests}  {limit}{mark}\n")
    return over


def main() -> None:
    """Print the tables."""
    over = [report(batch) for batch in BATCHES]
    median, best = seconds({PROGRAMMING: programming()})[PROGRAMMING]
    late = median * 1e3 > PROGRAMMING_MS
    times = f"{median * 1e3:9.3f} ms, best {best * 1e3:.3f} ms, limit {PROGRAMMING_MS:g} ms"
    sys.stdout.write(f"{PROGRAMMING:48} {times}{'  over its limit' if late else ''}\n")
    sys.exit(late or any(over))


if __name__ == "__main__":
    main()
