"""What quantize refuses, what it leaves in float, and how good its result is."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

from mcc.backends.crossbar import targets
from mcc.ir.diagnostics import EXIT_BUDGET, MccError, Severity
from mcc.ir.network import (
    Feeds,
    IntegerLinear,
    Linear,
    Network,
    ReferenceExecutor,
    Stage,
    Unit,
    from_text,
    placement_of,
    set_stage,
    to_bytes,
)
from mcc.passes import PassContext, parse_passes, run_pipeline
from mcc.passes.observers import Observer, Range
from mcc.passes.quantize import Quantize
from mcc.passes.quantize_arithmetic import (
    Clipping,
    Scheme,
    is_unsigned,
    largest_sum,
    mapping_for,
    quantize_weight,
)
from mcc.passes.quantize_calibration import observe_values

Array = np.ndarray[Any, Any]
RANDOM = np.random.default_rng(5)


def layers(*weights: Array, names: Sequence[str] = ()) -> Network:
    """Chain linear layers with ReLUs between; all constants."""
    shape = (1, weights[0].shape[0])
    x = ir.Value(name="x", type=ir.TensorType(ir.DataType.FLOAT), shape=ir.Shape(shape))
    nodes: list[ir.Node] = []
    constants: list[ir.Value] = []
    last = x
    for index, weight in enumerate(weights):
        tensor = ir.tensor(weight.astype(np.float32), name=f"w{index}")
        held = ir.Value(
            name=f"w{index}",
            type=ir.TensorType(ir.DataType.FLOAT),
            shape=ir.Shape(weight.shape),
            const_value=tensor,
        )
        constants.append(held)
        name = names[index] if names else f"layer{index}"
        nodes.append(Linear(x=last, weight=held).build(name, f"y{index}"))
        last = nodes[-1].outputs[0]
        if index + 1 < len(weights):
            result = ir.Value(name=f"r{index}", type=last.type, shape=last.shape)
            nodes.append(ir.node("Relu", [last], outputs=[result], name=f"relu{index}"))
            last = result
    graph = ir.Graph(
        [x], [last], nodes=nodes, initializers=constants, opset_imports={"": 20, "mcc": 1}, name="g"
    )
    return set_stage(ir.Model(graph, ir_version=10), Stage.CANONICAL)


def samples(count: int, size: int) -> tuple[Feeds, ...]:
    return tuple({"x": RANDOM.normal(size=(1, size)).astype(np.float32)} for _ in range(count))


def quantize(
    network: Network, feeds: Sequence[Feeds], options: str = "", target: str = ""
) -> tuple[Network, PassContext]:
    context = PassContext(calibration=tuple(feeds), target=targets.load(target) if target else None)
    text = f"quantize{{{options}}}" if options else "quantize"
    return run_pipeline(network, parse_passes(text), context).network, context


def integers(network: Network) -> list[IntegerLinear]:
    return [IntegerLinear.of(node) for node in network.graph if IntegerLinear.matches(node)]


def refused(code: str, **arguments: Any) -> MccError:
    given: dict[str, Any] = {"network": layers(np.ones((4, 3))), "feeds": samples(2, 4)}
    given |= arguments
    with pytest.raises(MccError) as problem:
        quantize(**given)
    assert problem.value.diagnostics[0].code == code
    return problem.value


def test_no_samples() -> None:
    assert "at least one sample" in refused("calibration-empty", feeds=[]).diagnostics[0].help


def test_samples_that_are_not_finite_are_all_named() -> None:
    good = np.zeros((1, 4), np.float32)
    bad, worse = good.copy(), good.copy()
    bad[0, 1], worse[0, :2] = np.nan, np.inf
    problem = refused("input-not-finite", feeds=[{"x": bad}, {"x": good}, {"x": worse}])
    assert [item.message for item in problem.diagnostics] == [
        "calibration sample 0, input `x`: 1 of 4 elements are not finite",
        "calibration sample 2, input `x`: 2 of 4 elements are not finite",
    ]


def test_activations_that_overflow_are_named() -> None:
    network = layers(np.full((4, 3), 3e38), np.ones((3, 2)))
    feeds = ({"x": np.full((1, 4), 100, np.float32)},)
    problem = refused("activation-not-finite", network=network, feeds=feeds)
    assert "`r0`" in problem.diagnostics[0].message
    assert "overflow" in problem.diagnostics[0].help


def test_weights_that_are_no_numbers_are_named() -> None:
    weight = np.ones((4, 3))
    weight[1, 1] = np.nan
    network = layers(weight, np.ones((3, 2)))
    problem = refused("activation-not-finite", network=network, feeds=samples(1, 4))
    assert "`w0` holds NaN" in problem.diagnostics[0].help


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ("weight_bits=1", "weight_bits"),
        ("weight_bits=9", "weight_bits"),
        ("activation_bits=9", "activation_bits"),
        ("percentile=50", "percentile"),
        ("percentile=101", "percentile"),
        ("percentile=90", "observer=minmax reads no percentile"),
        ("percentile=90 observer=mse", "observer=mse reads no percentile"),
        ("granularity=token scheme=affine", "zero points"),
        ("observer=best", "observer"),
    ],
)
def test_options_out_of_range(options: str, word: str) -> None:
    assert word in refused("option-value", options=options).diagnostics[0].message


def test_choices_are_given_by_their_types() -> None:
    choice: Any = "mse"
    with pytest.raises(MccError, match="observer is 'mse', not of type Observer") as problem:
        run_pipeline(layers(np.ones((4, 3))), [Quantize(observer=choice)], PassContext())
    assert problem.value.diagnostics[0].code == "option-value"


def unused(options: str, network: Network, feeds: Sequence[Feeds], target: str = "") -> list[str]:
    """Return what is said of options without effect, all of it as warnings."""
    _, context = quantize(network, feeds, options, target)
    found = [item for item in context.findings if item.code == "option-unused"]
    assert all(item.severity is Severity.WARNING and item.help for item in found)
    return [item.message for item in found]


@pytest.mark.parametrize(
    ("options", "idle"),
    [
        ("", ""),
        ("granularity=token", ""),
        ("granularity=tensor observer=mse", ""),
        ("granularity=token observer=mse", "`observer=mse`"),
        (
            "granularity=token observer=percentile percentile=90",
            "`observer=percentile`, `percentile=90.0`",
        ),
    ],
)
def test_scales_of_tokens_make_observers_idle(options: str, idle: str) -> None:
    """The network without the options that are named is the same, byte for byte."""
    network, feeds = layers(RANDOM.normal(size=(16, 4))), samples(4, 16)
    said = unused(options, network, feeds)
    assert len(said) == bool(idle)
    if idle:
        assert f"quantize: without effect in this network: {idle}; " in said[0]
        given, _ = quantize(network, feeds, options)
        without, _ = quantize(network, feeds, "granularity=token")
        assert to_bytes(given) == to_bytes(without)


def test_convolutions_have_no_tokens() -> None:
    text = """<ir_version: 10, opset_import: ["": 20, "mcc": 1]>
        g (float[1,1,4] x) => (float[1,2,3] y) <float[2,1,2] w = {1,2,3,4}>
        {y = mcc.Conv<strides = [1], pads = [0,0], dilations = [1], group = 1>(x, w)}"""
    network = set_stage(from_text(text), Stage.CANONICAL)
    feeds: list[Feeds] = [{"x": RANDOM.normal(size=(1, 1, 4)).astype(np.float32)}]
    (said,) = unused("granularity=token observer=mse", network, feeds)
    assert "`granularity=token`; only linear layers" in said
    assert not unused("granularity=tensor observer=mse", network, feeds)


def test_options_where_nothing_is_quantized() -> None:
    network, feeds = layers(np.ones((4, 3))), samples(1, 4)
    (said,) = unused("minimum_fill=90 weight_bits=4 scheme=affine", network, feeds, "rram40nm")
    assert "network: `scheme=affine`; no contraction is quantized" in said
    assert not unused("minimum_fill=90", network, feeds, "rram40nm")


def test_a_network_without_contractions() -> None:
    text = '<ir_version: 10, opset_import: ["": 20]> g (float[1,4] x) => (float[1,4] y) {y=Relu(x)}'
    network = set_stage(from_text(text), Stage.CANONICAL)
    refused("no-contraction", network=network)


def test_kept_layers_stay_in_float_and_say_so() -> None:
    network = layers(*[np.eye(4)] * 3, names=["stem", "body", "head"])
    result, context = quantize(network, samples(2, 4), "keep=st*+head")
    assert len(integers(result)) == 1
    places = {node.name: placement_of(node) for node in result.graph if Linear.matches(node)}
    assert set(places) == {"stem", "head"}
    for name, place in places.items():
        assert place is not None
        assert (place.unit, place.rule) == (Unit.HOST, "The option `keep` names it.")
        assert place.measured == name
    warned = [item for item in context.findings if item.severity is Severity.WARNING]
    assert [item.code for item in warned] == ["left-on-host"] * 2


def test_a_pattern_that_keeps_nothing() -> None:
    problem = refused("pattern-unmatched", options="keep=layer1")
    assert "layer0" in problem.diagnostics[0].help


def test_sums_beyond_32_bits_stay_in_float() -> None:
    rows = 70_000
    assert largest_sum(rows, 8, 8) > 2**31 - 1 >= largest_sum(rows, 7, 8)
    network = layers(np.ones((rows, 1)))
    result, context = quantize(network, samples(1, rows))
    assert not integers(result)
    finding = context.findings[0]
    assert finding.code == "left-on-host"
    assert "70000 rows may sum up to 2266950000" in finding.message
    assert len(integers(quantize(network, samples(1, rows), "activation_bits=7")[0])) == 1


@pytest.mark.parametrize("bits", range(2, 9))
def test_the_bound_of_sums_is_reached_and_not_exceeded(bits: int) -> None:
    codes = np.array([0, 2**bits - 1])
    worst = max(abs(int(code) - int(zero)) for code in codes for zero in codes)
    weight, _ = quantize_weight(np.ones((5, 1), np.float32), bits, Clipping.ABSMAX)
    assert largest_sum(5, bits, bits) == 5 * worst * int(weight.max())


def test_layers_that_fill_too_little_stay_on_the_host() -> None:
    network = layers(np.ones((4, 3)))
    result, context = quantize(network, samples(1, 4), "minimum_fill=1", "rram40nm")
    assert not integers(result)
    assert "% of 1 macro, less than 1 %" in context.findings[0].message
    taken, _ = quantize(network, samples(1, 4), "minimum_fill=0.001", "rram40nm")
    assert len(integers(taken)) == 1


def test_budget() -> None:
    network = layers(RANDOM.normal(size=(16, 16)), RANDOM.normal(size=(16, 4)))
    feeds = samples(4, 16)
    quantize(network, feeds, "budget=0.05")
    with pytest.raises(MccError) as problem:
        quantize(network, feeds, "budget=0.05 weight_bits=2")
    assert problem.value.exit_code == EXIT_BUDGET
    assert [item.code for item in problem.value.diagnostics] == ["budget-missed"]
    assert "on 4 calibration samples; the budget is 5 %" in str(problem.value)


def test_large_changes_are_warned_of() -> None:
    network, feeds = layers(RANDOM.normal(size=(16, 16))), samples(4, 16)
    (small,) = quantize(network, feeds)[1].findings
    assert (small.severity, small.help) == (Severity.NOTE, "")
    (large,) = quantize(network, feeds, "weight_bits=2")[1].findings
    assert large.severity is Severity.WARNING
    assert "use more bits" in large.help


@pytest.mark.parametrize("observer", Observer)
@pytest.mark.parametrize("granularity", ["tensor", "token"])
def test_error_falls_as_bits_rise(observer: Observer, granularity: str) -> None:
    network = layers(RANDOM.normal(size=(32, 32)), RANDOM.normal(size=(32, 10)))
    feeds = samples(16, 32)
    exact = ReferenceExecutor(network)
    errors: list[float] = []
    for bits in (2, 4, 6, 8):
        options = f"observer={observer} granularity={granularity} "
        options += f"weight_bits={bits} activation_bits={bits}"
        result = ReferenceExecutor(quantize(network, feeds, options)[0])
        wrong = [result.run(item)["y1"] - exact.run(item)["y1"] for item in feeds]
        errors.append(float(np.square(wrong).mean()))
    assert all(later < earlier / 4 for earlier, later in itertools.pairwise(errors))


def test_values_are_observed_over_all_samples() -> None:
    network = layers(np.eye(4))
    feeds = samples(5, 4)
    record = observe_values(network, {"x": Observer.MINMAX}, feeds)["x"]
    assert record.high == max(float(np.max(item["x"])) for item in feeds)
    assert record.count == 20


@pytest.mark.parametrize("bits", range(2, 9))
@pytest.mark.parametrize("unsigned", [False, True])
def test_a_range_is_covered_within_half_a_step(bits: int, unsigned: bool) -> None:
    seen = Range(-1.5, 4.0)
    mapping = mapping_for(seen, bits, unsigned)
    values = np.linspace(seen.low, seen.high, 1001).astype(np.float32)
    wrong = np.abs(mapping.decode(mapping.encode(values)) - values)
    # The zero point is whole, so each end may be missed by half a step more.
    assert wrong.max() <= mapping.scale * (1.0 if unsigned else 0.5) * 1.0001
    assert mapping.decode(mapping.encode(np.zeros(1, np.float32)))[0] == 0.0


def test_zero_ranges_and_tiny_ranges_have_a_normal_scale() -> None:
    for unsigned in (False, True):
        assert mapping_for(Range(0.0, 0.0), 8, unsigned).scale == 1.0
        tiny = mapping_for(Range(-1e-42, 1e-42), 8, unsigned)
        assert math.frexp(tiny.scale)[1] >= -125


def test_signs_are_chosen_by_the_finer_step() -> None:
    assert is_unsigned(Range(0.0, 1.0), 8, Scheme.AUTO)
    assert is_unsigned(Range(-0.17, 5.0), 8, Scheme.AUTO)
    assert not is_unsigned(Range(-0.9, 1.0), 8, Scheme.AUTO)
    assert is_unsigned(Range(-1.0, 1.0), 8, Scheme.AFFINE)
    assert not is_unsigned(Range(0.0, 1.0), 8, Scheme.SYMMETRIC)


@pytest.mark.parametrize("bits", [2, 3, 4, 8])
def test_clipped_weights_have_less_error(bits: int) -> None:
    weight = RANDOM.standard_t(3, (400, 6)).astype(np.float32)
    weight[:, 2] = 0
    errors: list[Array] = []
    for clipping in Clipping:
        codes, scale = quantize_weight(weight, bits, clipping)
        assert np.abs(codes).max() <= 2 ** (bits - 1) - 1
        assert not codes[:, 2].any()
        assert 0 < scale[2] < 1e-30
        errors.append(np.square(codes * scale - weight).sum(axis=0))
    assert (errors[1] <= errors[0] * (1 + 1e-6)).all()
    assert bits == 8 or errors[1].sum() < errors[0].sum()


def digits() -> tuple[Network, Array, Array, Array]:
    """Train a small perceptron on the digits of scikit-learn by ridge regression of features."""
    datasets = pytest.importorskip("sklearn.datasets")
    loaded: tuple[Array, Array] = datasets.load_digits(return_X_y=True)
    images, labels = loaded
    order = np.random.default_rng(0).permutation(len(images))
    images, labels = images[order].astype(np.float32) / 16, labels[order]
    train, rest = images[:1200], images[1200:]
    first = np.random.default_rng(1).normal(size=(64, 256)) / 4
    hidden = np.maximum(train @ first, 0)
    wanted = np.eye(10)[labels[:1200]] - 0.1
    second: Array = np.linalg.solve(hidden.T @ hidden + 5 * np.eye(256), hidden.T @ wanted)
    return layers(first, second), train, rest, labels[1200:]


@pytest.mark.parametrize(
    ("options", "loss"),
    [
        ("", 0.005),
        ("observer=percentile", 0.005),
        ("observer=mse clipping=mse", 0.005),
        ("granularity=token", 0.005),
        ("weight_bits=6 activation_bits=6", 0.01),
        ("weight_bits=4 activation_bits=4 observer=mse clipping=mse", 0.03),
    ],
)
def test_accuracy_on_digits(options: str, loss: float) -> None:
    network, train, images, labels = digits()
    calibration: list[Feeds] = [{"x": train[index, None]} for index in range(100)]
    result, context = quantize(network, calibration, options)
    assert "on 64 calibration samples" in context.findings[-1].message
    accuracy: list[float] = []
    for candidate in (network, result):
        executor = ReferenceExecutor(candidate)
        rows: list[Array] = np.split(images, len(images))
        scores = [executor.run({"x": row})["y1"] for row in rows]
        right: Array = np.concatenate(scores).argmax(axis=1) == labels
        accuracy.append(float(right.sum()) / len(labels))
    assert accuracy[0] > 0.94
    assert accuracy[1] >= accuracy[0] - loss
