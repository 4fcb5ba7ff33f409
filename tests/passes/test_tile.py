"""Tiles of quantized networks, and the step of their converters."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

from mcc.backends.crossbar import targets
from mcc.ir.diagnostics import MccError, Severity
from mcc.ir.hardware import RangePolicy, Target
from mcc.ir.hardware.conversion import full_scale_shift
from mcc.ir.hardware.encoding import encode, physical_columns
from mcc.ir.hardware.ranging import conversion_errors
from mcc.ir.network import (
    Conv,
    IntegerConv,
    Linear,
    Network,
    ReferenceExecutor,
    Stage,
    Tiling,
    matrix_shape,
    set_stage,
    shape_of,
    tiling_of,
)
from mcc.ir.network.matrix import input_vectors, matrix_block, position_count
from mcc.passes import PassContext, parse_passes, run_pipeline
from mcc.passes.converter_range import contraction_view, converter_shifts

Array = np.ndarray[Any, Any]
RANDOM = np.random.default_rng(3)


def convolution(channels: int, cols: int, group: int) -> Network:
    kernel = RANDOM.normal(size=(cols, channels // group, 3, 3)).astype(np.float32)
    return network_of((1, channels, 6, 6), kernel, group)


def network_of(shape: tuple[int, ...], weight: Array, group: int = 1) -> Network:
    x = ir.Value(name="x", type=ir.TensorType(ir.DataType.FLOAT), shape=ir.Shape(shape))
    held = ir.Value(
        name="w",
        type=ir.TensorType(ir.DataType.FLOAT),
        shape=ir.Shape(weight.shape),
        const_value=ir.tensor(weight.astype(np.float32), name="w"),
    )
    if weight.ndim == 2:
        node = Linear(x=x, weight=held).build("layer", "y")
    else:
        view = Conv(
            x=x,
            weight=held,
            strides=(1, 1),
            pads=(1, 1, 1, 1),
            dilations=(1, 1),
            group=group,
        )
        node = view.build("layer", "y")
    graph = ir.Graph(
        [x],
        [node.outputs[0]],
        nodes=[node],
        initializers=[held],
        opset_imports={"": 20, "mcc": 1},
        name="g",
    )
    return set_stage(ir.Model(graph, ir_version=10), Stage.CANONICAL)


def feeds_of(network: Network, count: int = 4) -> tuple[dict[str, Array], ...]:
    shape = shape_of(network.graph.inputs[0])
    return tuple({"x": RANDOM.normal(size=shape).astype(np.float32)} for _ in range(count))


def tiled(network: Network, target: Target, options: str = "") -> tuple[ir.Node, Tiling]:
    context = PassContext(target=target, calibration=feeds_of(network))
    text = f"quantize{{minimum_fill=0}},place,tile{options}"
    result = run_pipeline(network, parse_passes(text), context).network
    node = next(node for node in result.graph if tiling_of(node) is not None)
    tiling = tiling_of(node)
    assert tiling is not None
    return node, tiling


@pytest.mark.parametrize("name", ["rram40nm", "isaac"])
@pytest.mark.parametrize(
    ("channels", "cols", "group"), [(3, 8, 1), (64, 80, 1), (64, 64, 64), (40, 60, 4)]
)
def test_tiles_make_up_the_matrix(name: str, channels: int, cols: int, group: int) -> None:
    target = targets.load(name)
    node, tiling = tiled(convolution(channels, cols, group), target)
    view = IntegerConv.of(node)
    rows, _ = matrix_shape(view)
    assert tiling.consistent(rows, cols)
    whole = matrix_block(view, (0, rows), (0, cols)).astype(np.int64)
    built = np.zeros_like(whole)
    columns = physical_columns(target.macro, target.cell, view.weight_bits)
    for row, col in tiling.live:
        block, across = tiling.row_blocks[row], tiling.col_blocks[col]
        built[slice(*block), slice(*across)] += matrix_block(view, block, across)
        assert block[1] - block[0] <= target.macro.rows
        assert (across[1] - across[0]) * columns <= target.macro.cols
        assert block[0] % 9 == block[1] % 9 == 0
    assert np.array_equal(built, whole)


def test_depthwise_tiles_lie_on_the_diagonal() -> None:
    _, tiling = tiled(convolution(64, 64, 64), targets.load("rram40nm"))
    assert all(row == col for row, col in tiling.live)
    assert len(tiling.row_blocks) == len(tiling.col_blocks) == len(tiling.live)


def test_blocks_of_zeros_are_left_out() -> None:
    weight = RANDOM.normal(size=(1200, 4))
    weight[512:1024] = 0
    _, tiling = tiled(network_of((1, 1200), weight), targets.load("rram40nm"))
    assert tiling.row_blocks == ((0, 512), (512, 1024), (1024, 1200))
    assert tiling.live == ((0, 0), (2, 0))


def test_full_scale_converters_have_the_step_of_the_target() -> None:
    target = targets.load("rram40nm").with_values({"macro.adc.bits": 4})
    assert target.macro.adc.range is RangePolicy.FULL_SCALE
    _, tiling = tiled(network_of((1, 30), RANDOM.normal(size=(30, 4))), target)
    assert tiling.shift == full_scale_shift(target.macro, target.cell, 8, False) > 0


def calibrated(bits: int = 4) -> Target:
    changes = {"macro.adc.bits": bits, "macro.adc.range": "calibrated"}
    return targets.load("rram40nm").with_values(changes)


@pytest.mark.parametrize("spread", [0.02, 1.0])
def test_calibrated_steps_have_the_least_error(spread: float) -> None:
    """The whole data, every column and vector, agree with what the sample chose."""
    weight = RANDOM.normal(size=(60, 6))
    weight[1:] *= spread
    network = network_of((1, 60), weight)
    target = calibrated()
    context = PassContext(target=target, calibration=feeds_of(network))
    pipeline = parse_passes("quantize{minimum_fill=0},place,tile")
    result = run_pipeline(network, pipeline, context).network
    node = next(node for node in result.graph if tiling_of(node) is not None)
    view, tiling = contraction_view(node), tiling_of(node)
    assert tiling is not None
    name = view.codes.name or ""
    executor = ReferenceExecutor(result, values=[name])
    codes = [executor.run(item)[name] for item in context.calibration]
    vectors = [input_vectors(view, item, list(range(position_count(view)))) for item in codes]
    macro, cell = target.macro, target.cell
    encoded = encode(matrix_block(view, (0, 60), (0, 6)), macro, cell, 8)
    errors = conversion_errors(encoded, np.concatenate(vectors), macro, cell, 8, 8)
    assert tiling.shift == int(errors.argmin())
    assert tiling.shift < full_scale_shift(macro, cell, 8, False)


def test_converters_that_lose_nothing_need_no_calibration() -> None:
    target = calibrated(bits=14)
    node, tiling = tiled(network_of((1, 30), RANDOM.normal(size=(30, 4))), target)
    assert tiling.shift == 0
    empty = Network(ir.Graph([], [], nodes=[]), ir_version=10)
    assert converter_shifts(empty, {}, (), target, np.random.default_rng(0)) == {}
    assert contraction_view(node).weight_bits == 8


def test_the_same_seed_chooses_the_same_step() -> None:
    network = convolution(16, 40, 1)
    context = PassContext(target=calibrated(), calibration=feeds_of(network, 20))
    pipeline = parse_passes("quantize{minimum_fill=0},place,tile{seed=9}")
    shifts = [
        [
            tiling.shift
            for node in run_pipeline(network, pipeline, context).network.graph
            if (tiling := tiling_of(node))
        ]
        for _ in range(2)
    ]
    assert shifts[0] == shifts[1]
    assert len(shifts[0]) == 1


def full_scale() -> Target:
    return targets.load("rram40nm").with_values({"macro.adc.bits": 4})


@pytest.mark.parametrize(
    ("target", "samples", "reason"),
    [
        (full_scale(), 20, "full-scale converters"),
        (calibrated(bits=14), 20, "bits enough"),
        (calibrated(), 1, "all of the data"),
        (calibrated(), 20, ""),
    ],
)
def test_a_seed_of_which_nothing_is_drawn_is_reported(
    target: Target, samples: int, reason: str
) -> None:
    """A linear layer of one vector and few columns leaves only samples to choose from."""
    network = network_of((1, 30), RANDOM.normal(size=(30, 4)))
    context = PassContext(target=target, calibration=feeds_of(network, samples))
    run_pipeline(network, parse_passes("quantize{minimum_fill=0},place,tile{seed=9}"), context)
    found = [item for item in context.findings if item.code == "option-unused"]
    assert len(found) == bool(reason)
    for item in found:
        assert item.severity is Severity.WARNING
        assert "tile: without effect in this network: `seed=9`; " in item.message
        assert reason in item.message


def test_no_seed_is_no_option() -> None:
    network = network_of((1, 30), RANDOM.normal(size=(30, 4)))
    context = PassContext(target=full_scale(), calibration=feeds_of(network))
    run_pipeline(network, parse_passes("quantize{minimum_fill=0},place,tile"), context)
    assert "option-unused" not in {item.code for item in context.findings}


def test_tiles_need_a_target() -> None:
    network = network_of((1, 30), RANDOM.normal(size=(30, 4)))
    with pytest.raises(MccError) as problem:
        run_pipeline(
            network,
            parse_passes("quantize,place,tile"),
            PassContext(calibration=feeds_of(network)),
        )
    assert problem.value.diagnostics[0].code == "target-missing"
