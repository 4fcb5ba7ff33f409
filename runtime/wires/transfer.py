"""What a crossbar of linear cells does with its wires: one matrix, without a solve for each input.

The array is cut into blocks. A block is known by the conductances between the ends of its wires;
nothing inside it leads to ground, so these are all there is. Two neighbouring blocks become one by
eliminating the nodes of the wires that they share (nested dissection; A. George, SIAM J. Numer.
Anal. 10, 1973). At the root the far ends, which are open, are eliminated too, and what remains
between sources and virtual grounds is the wanted matrix.

Conductances between different ports are sums and products of positive numbers, and diagonals are
made anew as their sums (Grassmann, Taksar and Heyman, Oper. Res. 33, 1985), so that small currents
between large wires keep their digits.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from mcc.runtime import _kernels
from mcc.runtime.wires.circuit import Ends, Floats, Wires, checked_cells, checked_ends, driven
from mcc.runtime.wires.circuit import invalid as _invalid
from mcc.runtime.wires.ideal import ideal_transfer

Ports = NDArray[np.intp]

LEAF = 32
"""Most cells of a side of the blocks that the native code reduces."""

CHUNK = 2**16
"""Cells that are worked on together where arrays are many: their blocks stay in the caches."""


def transfer_matrices(conductances: Floats, wires: Wires, threads: int = 1) -> Floats:
    """Return the currents of the columns per volt on each row.

    Args:
        conductances: Cells with their switches (arrays, rows, cols), in siemens; 0 is no cell.
        wires: Resistances; drivers may be (rows,) or (arrays, rows), senses likewise.
        threads: Threads to compute with.

    Returns:
        Effective conductances (arrays, rows, cols) in siemens: with `volts` on the rows the
        current into virtual ground `j` is `volts @ effective[..., j]`. They equal the conductances
        where no wire has resistance.

    Raises:
        MccError: `wires-invalid`.
    """
    cells = checked_cells(conductances, 3)
    ends = driven(cells, checked_ends(wires, cells.shape))
    if wires.word_ohm == 0 or wires.bit_ohm == 0:
        found = ideal_transfer(cells, wires, ends)
    else:
        found = _merged(cells, wires, ends, threads)
    if not np.isfinite(found).all():
        help = "compare the resistances of wires, drivers and cells: they are too far apart"
        raise _invalid("the wires have no solution in floating point", help)
    return found


def transfer_matrix(conductances: Floats, wires: Wires, threads: int = 1) -> Floats:
    """Return `transfer_matrices` of a single array (rows, cols)."""
    return transfer_matrices(checked_cells(conductances, 2)[None], wires, threads)[0]


def _side(cells: int) -> tuple[int, int]:
    """Return cells of a leaf and how often leaves are doubled to span at least so many cells."""
    doublings = 0
    while -(-cells >> doublings) > LEAF:
        doublings += 1
    return -(-cells >> doublings), doublings


def _merged(cells: Floats, wires: Wires, ends: Ends, threads: int) -> Floats:
    step = max(1, CHUNK // cells[0].size)
    parts = [slice(first, first + step) for first in range(0, len(cells), step)]

    def merged(part: slice) -> Floats:
        own = Ends(ends.driver_ohm[part], ends.sense_ohm[part])
        return _merged_stack(cells[part], wires, own, 1 if len(parts) > 1 else threads)

    with ThreadPoolExecutor(min(threads, len(parts))) as pool:
        return np.concatenate(list(pool.map(merged, parts)))


def _merged_stack(cells: Floats, wires: Wires, ends: Ends, threads: int) -> Floats:
    arrays, rows, cols = cells.shape
    (high, down), (wide, across) = _side(rows), _side(cols)
    shape = (arrays, high << down, wide << across)
    padded = np.zeros(shape)
    padded[:, :rows, :cols] = cells[:, ::-1]  # the kernel counts rows from the virtual grounds
    floating = np.isinf(ends.driver_ohm[:, ::-1])
    driver_ohm = np.where(floating, 0.0, ends.driver_ohm[:, ::-1])
    first_word, first_bit = np.ones(shape[:2]), np.ones((arrays, shape[2]))
    first_word[:, :rows] = 1 / (wires.word_ohm + driver_ohm)
    first_bit[:, :cols] = 1 / (wires.bit_ohm + ends.sense_ohm)
    blocks = _kernels.reduce_blocks(
        padded,
        rows=high,
        cols=wide,
        word=1 / wires.word_ohm,
        bit=1 / wires.bit_ohm,
        first_word=first_word,
        first_bit=first_bit,
        threads=threads,
    )
    while down or across:
        if across and (high >= wide or not down):
            blocks = _joined_across(blocks, high, wide)
            wide, across = 2 * wide, across - 1
        else:
            blocks = _joined_down(blocks, high, wide)
            high, down = 2 * high, down - 1
    found = np.empty_like(cells)
    for index in range(arrays):
        root = _without_far_ends(blocks[index, 0, 0], high, wide)
        found[index] = _grounded(root, high, floating[index])[:rows, :cols][::-1]
    return found


def _joined_across(blocks: Floats, high: int, wide: int) -> Floats:
    """Join pairs of blocks side by side: the far ends of the left rows meet near ends."""
    near, far = _run(0, high), _run(high, high)
    near_cols, far_cols = (_run(2 * high + k * wide, wide) for k in range(2))
    starts = [2 * high + k * wide for k in range(4)]
    one = [(near, near), (near_cols, _run(starts[0], wide)), (far_cols, _run(starts[2], wide))]
    two = [(far, far), (near_cols, _run(starts[1], wide)), (far_cols, _run(starts[3], wide))]
    return _joined((blocks[:, :, 0::2], far, one), (blocks[:, :, 1::2], near, two))


def _joined_down(blocks: Floats, high: int, wide: int) -> Floats:
    """Join pairs of blocks one behind the other: the far ends of columns meet near ends."""
    near, far = _run(2 * high, wide), _run(2 * high + wide, wide)
    near_rows, far_rows = _run(0, high), _run(high, high)
    starts = [k * high for k in range(5)]
    near_to, far_to = _run(starts[4], wide), _run(starts[4] + wide, wide)
    one = [(near_rows, _run(starts[0], high)), (far_rows, _run(starts[2], high)), (near, near_to)]
    two = [(near_rows, _run(starts[1], high)), (far_rows, _run(starts[3], high)), (far, far_to)]
    return _joined((blocks[:, 0::2], far, one), (blocks[:, 1::2], near, two))


def _run(start: int, count: int) -> slice:
    return slice(start, start + count)


_Half = tuple[Floats, slice, list[tuple[slice, slice]]]
"""Blocks, their shared ports, and the ports that are kept with their places in the joined block."""


def _joined(*halves: _Half) -> Floats:
    """Return the conductances between the kept ports of two blocks, the shared ones eliminated."""
    (one, shared, kept), (two, shared_two, _) = halves
    inner = one[..., shared, shared] + two[..., shared_two, shared_two]
    ports = 2 * sum(part.stop - part.start for part, _ in kept)
    outer = np.empty((*inner.shape[:-1], ports))
    for blocks, own, places in halves:
        for source, place in places:
            outer[..., place] = blocks[..., own, source]
    joined = _through(inner, outer)
    for blocks, _, places in halves:
        for source, place in places:
            for source_two, place_two in places:
                joined[..., place, place_two] += blocks[..., source, source_two]
    return _without_diagonal(joined)


def _through(inner: Floats, outer: Floats) -> Floats:
    """Return the conductances between outer ports by way of inner nodes.

    Args:
        inner: Conductances between inner nodes (..., n, n), zero on the diagonal.
        outer: Conductances from inner nodes to outer ports (..., n, ports).
    """
    total = inner.sum(axis=-1) + outer.sum(axis=-1)
    laplacian = -inner
    index: Ports = np.arange(int(inner.shape[-1]))
    laplacian[..., index, index] = total
    return outer.swapaxes(-1, -2) @ np.linalg.solve(laplacian, outer)


def _ordered(blocks: Floats, order: Ports) -> Floats:
    return blocks[order[:, None], order]


def _without_diagonal(network: Floats) -> Floats:
    index: Ports = np.arange(int(network.shape[-1]))
    network[..., index, index] = 0
    return network


def _without_far_ends(block: Floats, high: int, wide: int) -> Floats:
    """Return the conductances between the near ends of rows and columns; far ends are open."""
    near = np.r_[np.arange(high), 2 * high + np.arange(wide)]
    far = np.r_[high + np.arange(high), 2 * high + wide + np.arange(wide)]
    found = _through(_ordered(block, far), block[far[:, None], near])
    return _without_diagonal(found + _ordered(block, near))


def _grounded(
    root: Floats, high: int, floating: np.ndarray[tuple[int], np.dtype[np.bool_]]
) -> Floats:
    """Return the conductances from rows to columns, floating rows eliminated."""
    if not floating.any():
        return root[:high, high:]
    ports = np.arange(len(root))
    open_ends = ports[: len(floating)][floating]
    kept = np.setdiff1d(ports, open_ends)
    network = _ordered(root, kept) + _through(
        _ordered(root, open_ends), root[open_ends[:, None], kept]
    )
    full = np.zeros_like(root)
    full[np.ix_(kept, kept)] = network
    return full[:high, high:]
