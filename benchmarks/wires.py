"""Crossbars with resistive wires: how fast they are solved, and how far from ngspice.

Run `python -m benchmarks.wires`. Wires have 1 ohm a segment, cells 10 kohm to 1 Mohm. SciPy's
sparse LU of the same nodes is the judge where it is installed. Ends with 1 where a limit is missed.
"""

from __future__ import annotations

import os

# ruff: noqa: E402 - NumPy reads the number of its threads when it is imported.
THREADS = 2
os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = "1"

import sys
import time
from collections.abc import Callable
from typing import Any, cast

import numpy as np
import scipy.sparse as sparse  # pyright: ignore
import scipy.sparse.linalg as linalg  # pyright: ignore
from numpy.typing import NDArray

from mcc.runtime.wires.circuit import Wires
from mcc.runtime.wires.nodes import sensed, solve_linear
from mcc.runtime.wires.oracle import branches
from mcc.runtime.wires.transfer import transfer_matrices, transfer_matrix
from tests.runtime.wires_cases import LAWS, cases, stored

Floats = NDArray[np.float64]

REPEATS = 5
WIRES = Wires(1.0, 1.0, 100.0, 50.0)
LIMITS = {"matrix": 3.0, "vector": 0.05, "64 macros": 1.5}
"""Longest times in seconds."""


def cells_of(*shape: int) -> Floats:
    """Return conductances of 10 kohm to 1 Mohm."""
    return 10 ** np.random.default_rng(0).uniform(-6, -4, shape)


def shortest(work: Callable[[], Floats]) -> tuple[float, float, float, Floats]:
    """Return best and median seconds of several runs, best processor seconds, and the result."""
    times: list[float] = []
    spent: list[float] = []
    found = work()
    for _ in range(REPEATS):
        start, processor = time.perf_counter(), time.process_time()
        found = work()
        times.append(time.perf_counter() - start)
        spent.append(time.process_time() - processor)
    return min(times), float(np.median(times)), min(spent), found


def sparse_currents(cells: Floats, volts: Floats) -> tuple[float, Floats]:
    """Return the seconds of SciPy's LU and one solve, and the sensed currents."""
    resistors, nodes = branches(cells, WIRES)
    rows, cols = cells.shape
    size = nodes + rows + cols
    table = np.array(resistors)
    ends = table[:, :2].astype(np.int64) % size
    pairs = np.concatenate([ends, ends[:, ::-1], ends[:, [0, 0]], ends[:, [1, 1]]])
    siemens = table[:, 2]
    values = np.concatenate([-siemens, -siemens, siemens, siemens])
    whole: Any = sparse.csc_matrix((values, pairs.T), shape=(size, size))  # pyright: ignore
    held = np.concatenate([np.zeros(cols), volts[::-1]])
    start = time.perf_counter()
    factors = cast("Any", linalg).splu(whole[:nodes, :nodes])
    inner = factors.solve(-(whole[:nodes, nodes:] @ held))
    seconds = time.perf_counter() - start
    return seconds, -(whole[nodes:, :nodes] @ inner)[:cols][::-1]


def speeds() -> bool:
    """Print the times; return whether one is over its limit."""
    cells, volts = cells_of(512, 512), np.random.default_rng(1).uniform(0, 0.2, 512)
    lu_seconds, expected = sparse_currents(cells, volts)
    scale = float((volts @ cells).max())
    stack = cells_of(64, 128, 128)
    works: dict[str, Callable[[], Floats]] = {
        "matrix": lambda: volts @ transfer_matrix(cells, WIRES, THREADS),
        "vector": lambda: sensed(solve_linear(cells, WIRES, volts, 1e-8, THREADS).across, cells),
        "64 macros": lambda: transfer_matrices(stack, WIRES, THREADS),
    }
    write = sys.stdout.write
    write("| what | best | median | processor | limit | error of full scale |\n")
    write("|---|--:|--:|--:|--:|--:|\n")
    late = False
    for name, work in works.items():
        best, median, spent, found = shortest(work)
        error = f"{np.abs(found - expected).max() / scale:.1e}" if found.ndim == 1 else ""
        times = f"{best:.3f} s | {median:.3f} s | {spent:.3f} s"
        write(f"| {name} | {times} | {LIMITS[name]:g} s | {error} |\n")
        late |= best > LIMITS[name]
    write(f"| SciPy sparse LU, one vector | {lu_seconds:.3f} s | | | | |\n")
    return late


def errors() -> bool:
    """Print the error of every regime against ngspice; return whether one is over its limit."""
    results = stored()
    found: dict[tuple[str, str, float], float] = {}
    for case in cases():
        known = results[f"{case.name}: {case.digest()}"]
        error = float(np.abs(case.solved() - known).max()) / case.full_scale
        key = case.topology, case.law, case.ohm
        found[key] = max(found.get(key, 0.0), error)
    ohms = (0.1, 1.0, 10.0)
    heads = " | ".join(f"{ohm:g} ohm" for ohm in ohms)
    sys.stdout.write(f"\n| array | cells | {heads} |\n|---|---|--:|--:|--:|\n")
    for topology in ("passive", "floating", "gated"):
        for law in LAWS:
            row = " | ".join(f"{found[topology, law, ohm]:.0e}" for ohm in ohms)
            sys.stdout.write(f"| {topology} | {law} | {row} |\n")
    limits = {"linear": 1e-6}
    return any(error > limits.get(law, 1e-2) for (_, law, _), error in found.items())


def main() -> None:
    """Print both tables."""
    late = speeds()
    wrong = errors()
    sys.exit(late or wrong)


if __name__ == "__main__":
    main()
