"""Choosing the step of the converters of each contraction from calibration data.

Only a sample is looked at, the same one for the same seed: some vectors of some calibration
samples, some columns of some tiles.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import onnx_ir as ir

from mcc.ir.hardware import RangePolicy, Target
from mcc.ir.hardware.conversion import full_scale_shift
from mcc.ir.hardware.encoding import encode
from mcc.ir.hardware.ranging import conversion_errors
from mcc.ir.network.matrix import input_vectors, matrix_block, position_count
from mcc.ir.network.operators import IntegerConv, IntegerLinear
from mcc.ir.network.reference import Feeds, ReferenceExecutor
from mcc.ir.network.tiling import Tiling, tiling_of
from mcc.ir.network.values import Array
from mcc.passes.quantize_calibration import check_feeds

SAMPLES = 8
"""Calibration samples that are run."""
VECTORS = 32
"""Vectors of codes that are looked at in each contraction."""
TILES = 8
"""Tiles that are looked at in each contraction."""
COLUMNS = 16
"""Columns that are looked at in each tile."""

Tilings = Mapping[ir.Node, Tiling]


def converter_shifts(
    network: ir.Model,
    tilings: Tilings,
    feeds: Sequence[Feeds],
    target: Target,
    generator: np.random.Generator,
) -> dict[ir.Node, int]:
    """Return the shift of every contraction, by the range policy of the target.

    Args:
        network: A quantized network.
        tilings: The tiles of its integer contractions.
        feeds: Calibration data; only the calibrated policy reads them.
        target: The chip.
        generator: Draws the sample that is looked at, where there is more than one.
    """
    full = {node: full_shift(node, target) for node in tilings}
    if not is_calibrated(full, target):
        return full
    check_feeds(feeds)
    vectors = _sample_vectors(network, list(tilings), feeds, generator)
    return {
        node: _least_error_shift(node, tiling, vectors[node], target, generator)
        for node, tiling in tilings.items()
    }


def full_shift(node: ir.Node, target: Target) -> int:
    """Return the shift of a contraction with which converters hold its largest sum."""
    view = contraction_view(node)
    return full_scale_shift(target.macro, target.cell, view.input_bits, view.input_signed)


def is_calibrated(full: Mapping[ir.Node, int], target: Target) -> bool:
    """Whether the step of converters depends on calibration data, given the largest shifts."""
    return target.macro.adc.range is not RangePolicy.FULL_SCALE and any(full.values())


def known_shifts(result: ir.Model, tilings: Tilings, target: Target) -> dict[ir.Node, int]:
    """Return the shift of every contraction that has been tiled before, inside the possible ones.

    Args:
        result: The network whose calibrated shifts are taken.
        tilings: The same contractions, without shifts.
        target: The chip.
    """
    full = {node: full_shift(node, target) for node in tilings}
    if not is_calibrated(full, target):
        return full
    made = {node.name: tiling_of(node) for node in result.graph}
    found = {node: made[node.name] for node in tilings}
    return {
        node: min(max(it.shift, 0), full[node]) if it else full[node] for node, it in found.items()
    }


def contraction_view(node: ir.Node) -> IntegerLinear | IntegerConv:
    """View a node that is one of the two integer contractions."""
    return IntegerLinear.of(node) if IntegerLinear.matches(node) else IntegerConv.of(node)


def _sample_vectors(
    network: ir.Model,
    nodes: Sequence[ir.Node],
    feeds: Sequence[Feeds],
    generator: np.random.Generator,
) -> dict[ir.Node, Array]:
    """Run some samples and keep some code vectors of each contraction (vectors, rows)."""
    chosen = _choose(len(feeds), SAMPLES, generator)
    share = -(-VECTORS // len(chosen))
    views = {node: contraction_view(node) for node in nodes}
    names = {node: view.codes.name or "" for node, view in views.items()}
    executor = ReferenceExecutor(network, values=tuple(dict.fromkeys(names.values())))
    found: dict[ir.Node, list[Array]] = {node: [] for node in nodes}
    for index in chosen:
        codes = executor.run(feeds[index])
        for node, view in views.items():
            positions = _choose(position_count(view), share, generator)
            found[node].append(input_vectors(view, codes[names[node]], positions))
    return {node: np.concatenate(parts) for node, parts in found.items()}


def _least_error_shift(
    node: ir.Node,
    tiling: Tiling,
    vectors: Array,
    target: Target,
    generator: np.random.Generator,
) -> int:
    view = contraction_view(node)
    macro, cell = target.macro, target.cell
    errors = np.zeros(full_shift(node, target) + 1)
    for index in _choose(len(tiling.live), TILES, generator):
        row, col = tiling.live[index]
        rows, cols = tiling.row_blocks[row], tiling.col_blocks[col]
        weights = matrix_block(view, rows, cols)
        weights = weights[:, _choose(weights.shape[1], COLUMNS, generator)]
        encoded = encode(weights, macro, cell, view.weight_bits)
        part = vectors[:, slice(*rows)]
        errors += conversion_errors(encoded, part, macro, cell, view.weight_bits, view.input_bits)
    return int(errors.argmin())


def _choose(count: int, most: int, generator: np.random.Generator) -> list[int]:
    """Choose up to `most` of `count` indices, in order."""
    if count <= most:
        return list(range(count))
    drawn = generator.choice(count, most, replace=False)
    return sorted(int(index) for index in drawn)
