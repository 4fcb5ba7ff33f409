"""Weights that come as integers are programmed as these integers, with their scales."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mcc.backends.crossbar import targets
from mcc.ir.diagnostics import Diagnostic, Severity
from mcc.ir.network import (
    Dequantize,
    IntegerConv,
    IntegerLinear,
    Network,
    ReferenceExecutor,
    constant_of,
    shape_of,
)
from mcc.passes import PassContext, parse_passes, run_pipeline
from tests.canonical_networks import model

Array = np.ndarray[Any, Any]
RANDOM = np.random.default_rng(7)
SCALES = np.array([0.5, 0.013, 2.0, 1e-3, 0.25], np.float32)
"""One for each output channel."""
CODES = RANDOM.integers(-100, 101, (4, 5))
"""Rows and columns; no column reaches the largest code, so that no range gives the scale away."""
UNIT = 2.0**-24


def text(kind: str, name: str, array: Array) -> str:
    dims = f"[{','.join(map(str, array.shape))}]" if array.ndim else ""
    return f"{kind}{dims} {name} = {{{','.join(repr(item) for item in array.ravel().tolist())}}}"


def quantized(
    before: Network, options: str = "", target: str | None = None
) -> tuple[Network, list[Diagnostic]]:
    feeds = {
        value.name or "": RANDOM.normal(size=shape_of(value)).astype(np.float32)
        for value in before.graph.inputs
    }
    chip = None if target is None else targets.load(target)
    context = PassContext(calibration=(feeds,), target=chip)
    passes = parse_passes(f"canonicalize,quantize{{{options}}}")
    return run_pipeline(before, passes, context).network, context.findings


def programmed(network: Network) -> tuple[Array, Array, int]:
    """Return the integers of the one contraction, what its sums are multiplied by, and its bits."""
    for node in network.graph:
        if IntegerLinear.matches(node) or IntegerConv.matches(node):
            linear = IntegerLinear.matches(node)
            view = IntegerLinear.of(node) if linear else IntegerConv.of(node)
            weight = constant_of(view.weight)
            user = next(iter(node.outputs[0].consumers()))
            scale = constant_of(Dequantize.of(user).scale)
            assert weight is not None
            assert scale is not None
            return weight, scale.ravel(), view.weight_bits
    raise AssertionError("no contraction")


INPUT = "float i = {0.25}, int8 j = {0}"
READ = "q = QuantizeLinear(x, i, j) d = DequantizeLinear(q, i, j)"
FORMS = {
    "MatMul": (
        text("int8", "c", CODES),
        "w = DequantizeLinear<axis=1>(c, s) y = MatMul(d, w)",
    ),
    "Gemm": (
        text("int8", "c", CODES.T),
        "w = DequantizeLinear<axis=0>(c, s) y = Gemm<transB=1>(d, w)",
    ),
    "Transpose": (
        text("int8", "c", CODES.T),
        "w = DequantizeLinear<axis=0>(c, s) t = Transpose(w) y = MatMul(d, t)",
    ),
    "Quantize": (
        text("float", "c", CODES * SCALES),
        "p = QuantizeLinear<axis=1>(c, s, z) w = DequantizeLinear<axis=1>(p, s, z) "
        "y = MatMul(d, w)",
    ),
    "zero point": (
        text("uint8", "c", CODES + 120),
        "w = DequantizeLinear<axis=1>(c, s, u) y = MatMul(d, w)",
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_product_takes_the_integers_and_scales_of_the_file(form: str) -> None:
    codes, body = FORMS[form]
    zeros = f"int8[5] z = {{0,0,0,0,0}}, {text('uint8', 'u', np.full(5, 120))}"
    constants = f"{INPUT}, {codes}, {text('float', 's', SCALES)}, {zeros}"
    network, _ = quantized(model("float[1,4] x", "float[1,5] y", constants, f"{READ} {body}"))
    weight, scale, bits = programmed(network)
    assert np.array_equal(weight, CODES)
    assert np.array_equal(scale, np.float32(0.25) * SCALES)
    assert bits == 8


def test_a_convolution_takes_them_too() -> None:
    kernel = RANDOM.integers(-90, 91, (5, 2, 3, 3))
    constants = f"{INPUT}, {text('int8', 'c', kernel)}, {text('float', 's', SCALES)}"
    body = f"{READ} w = DequantizeLinear<axis=0>(c, s) y = Conv(d, w)"
    network, _ = quantized(model("float[1,2,5,5] x", "float[1,5,3,3] y", constants, body))
    weight, scale, _ = programmed(network)
    assert np.array_equal(weight, kernel)
    assert np.array_equal(scale, np.float32(0.25) * SCALES)


def test_a_transposed_convolution_has_the_scale_of_a_channel_for_each_tap() -> None:
    kernel = RANDOM.integers(-90, 91, (3, 5, 2, 2))
    constants = f"{INPUT}, {text('int8', 'c', kernel)}, {text('float', 's', SCALES)}"
    body = f"{READ} w = DequantizeLinear<axis=1>(c, s) y = ConvTranspose<strides=[2,2]>(d, w)"
    network, _ = quantized(model("float[1,3,4,4] x", "float[1,5,8,8] y", constants, body))
    weight, scale, _ = programmed(network)
    assert np.array_equal(weight[..., 0, 0], kernel.reshape(3, 20).T)
    assert np.array_equal(scale, np.float32(0.25) * SCALES.repeat(4))


def test_a_transposed_convolution_whose_windows_overlap_keeps_its_integers() -> None:
    kernel = RANDOM.integers(-90, 91, (3, 5, 3, 3))
    constants = f"{INPUT}, {text('int8', 'c', kernel)}, {text('float', 's', SCALES)}"
    body = f"{READ} w = DequantizeLinear<axis=1>(c, s) y = ConvTranspose<strides=[2,2]>(d, w)"
    network, _ = quantized(model("float[1,3,4,4] x", "float[1,5,9,9] y", constants, body))
    weight, scale, _ = programmed(network)
    assert weight.shape == (20, 3, 2, 2)
    assert np.array_equal(np.sort(weight[weight != 0]), np.sort(kernel[kernel != 0]))
    assert np.array_equal(scale, np.float32(0.25) * SCALES.repeat(4))


def test_factors_go_to_the_scales_and_signs_to_the_integers() -> None:
    factor = np.array([1.5, -0.7, 3.0, 0.0, -1.0], np.float32)
    constants = f"{INPUT}, {FORMS['MatMul'][0]}, {text('float', 's', SCALES)}"
    constants = f"{constants}, {text('float', 'f', factor)}"
    body = f"{READ} {FORMS['MatMul'][1].replace('y =', 'm =')} y = Mul(m, f)"
    network, _ = quantized(model("float[1,4] x", "float[1,5] y", constants, body))
    weight, scale, _ = programmed(network)
    assert np.array_equal(weight, CODES * np.sign(factor).astype(int))
    wanted = 0.25 * np.where(factor == 0, 1, SCALES * np.abs(factor))
    np.testing.assert_allclose(scale, wanted, rtol=1e-6)


def test_large_weights_fold_although_floats_are_larger() -> None:
    codes = RANDOM.integers(-100, 101, (600, 512))
    constants = f"{INPUT}, {text('int8', 'c', codes)}, float s = {{0.125}}"
    body = f"{READ} w = DequantizeLinear(c, s) y = MatMul(d, w)"
    network, _ = quantized(model("float[1,600] x", "float[1,512] y", constants, body))
    assert np.array_equal(programmed(network)[0], codes)


@pytest.mark.parametrize(("target", "bits"), [("rram40nm", 9), ("isaac", 8)])
def test_the_lowest_code_gets_a_bit_more_where_cells_need_it(target: str, bits: int) -> None:
    codes = CODES.copy()
    codes[2, 3] = -128
    constants = f"{INPUT}, {text('int8', 'c', codes)}, {text('float', 's', SCALES)}"
    before = model("float[1,4] x", "float[1,5] y", constants, f"{READ} {FORMS['MatMul'][1]}")
    network, findings = quantized(before, "minimum_fill=0", target)
    weight, _, found = programmed(network)
    assert np.array_equal(weight, codes)
    assert found == bits
    assert any("takes 9 bits" in item.message for item in findings) == (bits == 9)


@pytest.mark.parametrize(
    ("codes", "body", "reason"),
    [
        (
            text("uint8", "c", np.abs(CODES) + 100),
            "w = DequantizeLinear(c, k) y = MatMul(d, w)",
            "its codes, less the zero point, go from",
        ),
        (
            text("int8", "c", CODES),
            "w = DequantizeLinear<axis=0>(c, r) y = MatMul(d, w)",
            "not one for each output channel",
        ),
    ],
)
def test_other_integers_are_quantized_anew_and_that_is_said(
    codes: str, body: str, reason: str
) -> None:
    scales = "float k = {0.5}, float[4] r = {1,2,3,4}"
    before = model("float[1,4] x", "float[1,5] y", f"{INPUT}, {codes}, {scales}", f"{READ} {body}")
    network, findings = quantized(before)
    assert np.abs(programmed(network)[0]).max(axis=0).tolist() == [127] * 5
    found = [item for item in findings if reason in item.message]
    assert [item.severity for item in found] == [Severity.WARNING]


@pytest.mark.parametrize("kind", ["uint8", "int8"])
def test_the_result_is_that_of_the_file_up_to_rounding(kind: str) -> None:
    """Both sides have the same integers, so only roundings differ, each of the sum of magnitudes.

    ONNX Runtime rounds both factors, their product, `rows - 1` sums and that with the bias:
    `rows + 3`. The hardware rounds its exact sum, the scale, their product and that with the bias.
    """
    rows, cols = 48, 40
    codes = RANDOM.integers(-127, 128, (rows, cols))
    scales = RANDOM.uniform(1e-3, 1e-2, cols).astype(np.float32)
    bias = RANDOM.normal(size=cols).astype(np.float32)
    low = 0 if kind == "uint8" else -128
    constants = ", ".join(
        [
            f"float i = {{0.021}}, {kind} j = {{{low + 77}}}",
            text("int8", "c", codes),
            text("float", "s", scales),
            text("float", "b", bias),
        ]
    )
    body = f"{READ} w = DequantizeLinear<axis=1>(c, s) y = Gemm(d, w, b)"
    before = model(f"float[9,{rows}] x", f"float[9,{cols}] y", constants, body)
    after, _ = quantized(before)
    x = RANDOM.normal(0, 2, (9, rows)).astype(np.float32)
    old, new = (ReferenceExecutor(item).run({"x": x})["y"] for item in (before, after))
    steps = np.clip(np.rint(x / np.float32(0.021)) + low + 77, low, low + 255) - low - 77
    magnitudes = np.abs(steps * 0.021) @ np.abs(codes * scales.astype(np.float64)) + np.abs(bias)
    bound = (rows + 3 + 4) * UNIT * magnitudes * (1 + 1e-4)
    assert np.all(np.abs(old - new.astype(np.float64)) <= bound)
    assert np.any(old != new), "the bound would be idle"
