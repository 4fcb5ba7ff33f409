"""Cutting the matrices of integer contractions into tiles that fit a macro."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import ClassVar, final

import numpy as np
import onnx_ir as ir

from mcc.ir.diagnostics import error
from mcc.ir.hardware import RangePolicy, Target
from mcc.ir.hardware.encoding import most_columns
from mcc.ir.network import (
    Contract,
    Destination,
    Network,
    Stage,
    Tiling,
    Unit,
    placement_of,
    set_destination,
    tile,
)
from mcc.ir.network.matrix import matrix_block
from mcc.passes.base import Pass, PassContext
from mcc.passes.converter_range import (
    contraction_view,
    converter_shifts,
    full_shift,
    known_shifts,
)
from mcc.passes.place_crossbar import extent_of
from mcc.passes.tile_blocks import Block, cut


@final
@dataclass(frozen=True)
class Tile(Pass):
    """Cut every matrix on crossbars into tiles, and choose the step of their converters.

    Exact: the network itself is unchanged. Tiles that hold only zeros are left out.
    """

    name: ClassVar[str] = "tile"
    contract: ClassVar[Contract] = Contract.EXACT
    from_stage: ClassVar[Stage] = Stage.QUANTIZED
    to_stage: ClassVar[Stage] = Stage.MAPPED

    seed: int = 0
    """Decides which sample of the calibration data sets the step of calibrated converters."""

    def run(self, network: Network, context: PassContext) -> Network:
        """Record a tiling on every contraction that runs on crossbars, and for which chip."""
        if context.target is None:
            raise error("target-missing", "tiles depend on the target", "name one: `--target`")
        if any(placement_of(node) is None for node in network.graph):
            text = "pass `tile` takes a network whose nodes all have a place"
            raise error("pass-order", text, "run `place` before `tile`")
        target = context.target
        tilings = {
            node: tiling_for(node, target)
            for node in network.graph
            if (placement := placement_of(node)) and placement.unit is Unit.CROSSBAR
        }
        generator = np.random.default_rng(self.seed)
        untouched = generator.bit_generator.state
        if context.result is None:
            shifts = converter_shifts(network, tilings, context.calibration, target, generator)
        else:
            shifts = known_shifts(context.result, tilings, target)
        if self.seed and generator.bit_generator.state == untouched:
            self._report_unused(tilings, target, context)
        for node, tiling in tilings.items():
            tile(node, replace(tiling, shift=shifts[node]))
        return set_destination(network, Destination(target.name, target.digest()))

    def _report_unused(
        self, tilings: Iterable[ir.Node], target: Target, context: PassContext
    ) -> None:
        reason = "all of the data are looked at"
        if target.macro.adc.range is RangePolicy.FULL_SCALE:
            reason = "the step of full-scale converters follows from the target alone"
        elif not any(full_shift(node, target) for node in tilings):
            reason = "the converters have bits enough for every sum"
        context.report_unused(self.name, [f"seed={self.seed}"], reason, "leave it out")


def tiling_for(node: ir.Node, target: Target) -> Tiling:
    """Cut the matrix of one integer contraction for the macros of a target."""
    view = contraction_view(node)

    def occupied(rows: Block, cols: Block) -> bool:
        return bool(matrix_block(view, rows, cols).any())

    columns = most_columns(target.macro, target.cell, view.weight_bits)
    grid = cut(extent_of(node), target.macro.rows, columns, occupied)
    return Tiling(row_blocks=grid.row_blocks, col_blocks=grid.col_blocks, live=grid.live)
