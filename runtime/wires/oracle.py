"""The plain twin of the solvers: Kirchhoff's law at every node as one dense system.

It judges the fast code; slow and obvious, for small arrays.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mcc.runtime.wires.circuit import Floats, Wires, checked_cells, checked_ends, driven


def branches(conductances: Floats, wires: Wires) -> tuple[list[tuple[int, int, float]], int]:
    """Return all resistors of a crossbar.

    Nodes without resistance between them are one node.

    Returns:
        Resistors as (node, node, siemens), and the number of inner nodes. Sources are nodes
        `-1 - i`, virtual grounds `-1 - rows - j`; a floating row has no source.
    """
    cells = checked_cells(conductances, 2)
    rows, cols = cells.shape
    ends = driven(cells[None], checked_ends(wires, (1, rows, cols)))
    parent: dict[int, int] = {}

    def node(index: int) -> int:
        while index in parent:
            index = parent[index]
        return index

    found: list[tuple[int, int, float]] = []

    def join(one: int, two: int, ohm: float) -> None:
        if ohm == 0:
            one, two = max(node(one), node(two)), min(node(one), node(two))
            if one != two:
                parent[one] = two
        elif np.isfinite(ohm):
            found.append((one, two, 1 / ohm))

    for i in range(rows):
        for j in range(cols):
            own = i * cols + j
            before = own - 1 if j else -1 - i
            join(own, before, wires.word_ohm + (0 if j else float(ends.driver_ohm[0, i])))
            under = own + rows * cols
            after = under + cols if i + 1 < rows else -1 - rows - j
            last = i + 1 == rows
            join(under, after, wires.bit_ohm + (float(ends.sense_ohm[0, j]) if last else 0))
            if cells[i, j]:
                found.append((own, under, float(cells[i, j])))
    return [(node(one), node(two), siemens) for one, two, siemens in found], 2 * rows * cols


def dense_transfer(conductances: Floats, wires: Wires) -> Floats:
    """Return `transfer_matrix` by one dense solve."""
    rows, cols = (int(count) for count in conductances.shape)
    resistors, nodes = branches(conductances, wires)
    laplacian = np.zeros((nodes + rows + cols, nodes + rows + cols))
    for one, two, siemens in resistors:
        laplacian[one, one] += siemens
        laplacian[two, two] += siemens
        laplacian[one, two] -= siemens
        laplacian[two, one] -= siemens
    used: NDArray[np.intp] = np.flatnonzero(laplacian[:nodes].any(axis=1))
    outer: NDArray[np.intp] = np.arange(nodes + rows + cols - 1, nodes - 1, -1)
    inner = laplacian[np.ix_(used, used)]
    ported = laplacian[np.ix_(used, outer)]
    seen = laplacian[np.ix_(outer, outer)] - ported.T @ np.linalg.solve(inner, ported)
    return -seen[:rows, rows:]
