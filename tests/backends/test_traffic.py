"""How far bytes travel: kernels lie near the buffer, through which their tensors pass."""

from __future__ import annotations

from itertools import pairwise

import pytest

from mcc.backends.crossbar.generate import Generation, generate
from mcc.backends.crossbar.seating import nearest
from mcc.ir.network import Network
from mcc.ir.program import count_events
from tests.canonical_networks import constant, model
from tests.mapped_networks import assert_exact, chip, placed


def two_layers() -> Network:
    return model(
        "float[1,16] x",
        "float[1,4] y",
        f"{constant('w', 16, 8)}, {constant('v', 8, 4)}",
        "h = MatMul(x, w) y = MatMul(h, v)",
    )


def pools() -> Network:
    names = "xabcde"
    square = "kernel_shape=[3,3], pads=[1,1,1,1]"
    body = " ".join(f"{y} = MaxPool<{square}>({x})" for x, y in pairwise(names))
    return placed(model("float[1,2,4,4] x", "float[1,2,4,4] e", "", body))


def cores(made: Generation) -> list[tuple[int, ...]]:
    return [kernel.cores for kernel in made.kernels]


@pytest.mark.parametrize(
    ("mesh", "order"),
    [((2, 3), [0, 3, 1, 4, 2, 5]), ((3, 2), [0, 2, 4, 1, 3, 5]), ((1, 4), [0, 1, 2, 3])],
)
def test_cores_of_the_west_column_are_the_nearest(mesh: tuple[int, int], order: list[int]) -> None:
    target = chip(chip__mesh_rows=mesh[0], chip__mesh_cols=mesh[1])
    assert nearest(target) == order


QUANTIZE = 16 * 4 + 4 + 16
"""Bytes of the inputs, of their scale and of their codes."""
FIRST = 16 + 8 * 4 + 4 + 8
"""Bytes of the codes, of the scales of the columns, of the scale of the results, of their codes."""
SECOND = 8 + 4 * 4 + 4 * 4
"""Bytes of the codes, of the scales of the columns, of the results."""


@pytest.mark.parametrize(("mesh", "hops"), [((1, 1), 1), ((1, 2), 2), ((2, 1), 1), ((2, 2), 1)])
def test_bytes_times_links_of_a_small_network(mesh: tuple[int, int], hops: int) -> None:
    """The second layer has an empty core; only in the mesh of one row does it lie farther off."""
    target = chip(chip__mesh_rows=mesh[0], chip__mesh_cols=mesh[1])
    events = count_events(assert_exact(two_layers(), target).program)
    assert events.buffer_bytes == QUANTIZE + FIRST + SECOND
    assert events.link_byte_hops == QUANTIZE + FIRST + hops * SECOND


def test_kernels_without_tiles_take_turns_from_the_nearest_core_on() -> None:
    target = chip(chip__mesh_rows=2, chip__mesh_cols=2)
    assert cores(generate(pools(), target)) == [(0,), (2,), (1,), (3,), (0,)]
