"""The vector unit against ONNX Runtime, one node at a time, bit for bit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np
import onnx.parser
import onnxruntime  # pyright: ignore[reportMissingTypeStubs]
import pytest
from numpy.typing import NDArray

from mcc.ir.network.reference import session_options
from mcc.ir.program.instructions import BinaryOperation, ReduceOperation, UnaryOperation
from mcc.runtime import _kernels, vector

Array = NDArray[Any]
TYPES = {"float32": "float", "int32": "int32", "int8": "int8", "uint8": "uint8"}
INTEGERS = np.iinfo(np.int32)


def judge(body: str, result: str, **feeds: Array) -> Array:
    """Return what ONNX Runtime makes of a body of nodes that ends in `y`."""
    inputs = ", ".join(
        f"{TYPES[array.dtype.name]}[{','.join(map(str, array.shape))}] {name}"
        for name, array in feeds.items()
    )
    text = f'<ir_version: 9, opset_import: ["": 18]> g ({inputs}) => ({result} y) {{ {body} }}'
    model = onnx.parser.parse_model(text)
    session = cast("Any", onnxruntime).InferenceSession(
        model.SerializeToString(), session_options(), providers=["CPUExecutionProvider"]
    )
    return session.run(["y"], feeds)[0]


def special_floats() -> Array:
    tiny = np.finfo(np.float32).smallest_subnormal
    named = np.array(
        "0 -0 1 -1 0.5 -0.5 1.5 2.5 -2.5 inf -inf nan 1e-40 -1e-40 3.4e38 -3.4e38 16777217".split(),
        np.float32,
    )
    return np.append(named, [tiny, -tiny])


def pairs(values: Array) -> tuple[Array, Array]:
    """Return all pairs of values and some more, so that no vector width divides their number."""
    left, right = (side.ravel() for side in np.meshgrid(values, values))
    return np.concatenate([left, left[:131]]), np.concatenate([right, right[:131]])


def random_floats(count: int, seed: int = 0) -> Array:
    generator = np.random.default_rng(seed)
    exponents = generator.integers(-30, 30, count)
    return (generator.standard_normal(count) * 2.0**exponents).astype(np.float32)


def edge_integers() -> Array:
    values = [0, 1, -1, 2, -2, 7, -7, 10**6, INTEGERS.max, INTEGERS.max - 1, INTEGERS.min]
    return np.array(values, np.int32)


def assert_same_bits(found: Array, wanted: Array) -> None:
    assert found.dtype == wanted.dtype
    assert found.shape == wanted.shape
    assert found.tobytes() == wanted.tobytes()


@pytest.fixture(autouse=True)
def _quiet() -> Any:
    with np.errstate(all="ignore"):
        yield


FLOATS = [(operation, "float32") for operation in BinaryOperation]
WHOLE = [(operation, "int32") for operation in BinaryOperation if operation != "div"]


@pytest.mark.parametrize(("operation", "dtype"), [*FLOATS, *WHOLE])
def test_binary(operation: BinaryOperation, dtype: str) -> None:
    left, right = pairs(special_floats() if dtype == "float32" else edge_integers())
    if dtype == "float32":
        left = np.concatenate([left, random_floats(1001, 1)])
        right = np.concatenate([right, random_floats(1001, 2)])
    found = np.empty_like(left)
    vector.binary(operation, left, right, found)
    node = operation.capitalize()
    wanted = judge(f"y = {node}(a, b)", f"{TYPES[dtype]}[{len(left)}]", a=left, b=right)
    assert_same_bits(found, wanted)


UNARY: dict[UnaryOperation, str] = {
    UnaryOperation.RELU: "y = Relu(x)",
    UnaryOperation.NEG: "y = Neg(x)",
    UnaryOperation.ABS: "y = Abs(x)",
    UnaryOperation.SQRT: "y = Sqrt(x)",
    UnaryOperation.FLOOR: "y = Floor(x)",
    UnaryOperation.CEIL: "y = Ceil(x)",
    UnaryOperation.LEAKY_RELU: "y = LeakyRelu <alpha = 0.1> (x)",
}


@pytest.mark.parametrize("operation", list(UNARY))
def test_unary_floats(operation: UnaryOperation) -> None:
    source = np.concatenate([pairs(special_floats())[0], random_floats(1001)])
    found = np.empty_like(source)
    vector.unary(operation, source, 0.1, 0.0, found)
    assert_same_bits(found, judge(UNARY[operation], f"float[{len(source)}]", x=source))


@pytest.mark.parametrize("operation", [UnaryOperation.RELU, UnaryOperation.NEG, UnaryOperation.ABS])
def test_unary_integers(operation: UnaryOperation) -> None:
    source = pairs(edge_integers())[0]
    found = np.empty_like(source)
    vector.unary(operation, source, 0.0, 0.0, found)
    assert_same_bits(found, judge(UNARY[operation], f"int32[{len(source)}]", x=source))


@pytest.mark.parametrize("limits", [(0.0, 6.0), (-1.0, 1.0), (-0.0, 0.0), (-2.5, float("inf"))])
def test_clip(limits: tuple[float, float]) -> None:
    source = np.concatenate([pairs(special_floats())[0], random_floats(1001)])
    found = np.empty_like(source)
    vector.unary(UnaryOperation.CLIP, source, *limits, found)
    low, high = np.float32(limits[0]), np.float32(limits[1])
    body = "y = Clip(x, low, high)"
    wanted = judge(body, f"float[{len(source)}]", x=source, low=np.array(low), high=np.array(high))
    assert_same_bits(found, wanted)


def test_clip_of_integers_takes_infinite_limits() -> None:
    source = edge_integers()
    found = np.empty_like(source)
    vector.unary(UnaryOperation.CLIP, source, float("-inf"), 5.0, found)
    assert_same_bits(found, np.minimum(source, np.int32(5)))


@pytest.mark.parametrize(("low", "high", "zero"), [(-128, 127, 0), (0, 255, 3), (-8, 7, -2)])
def test_quantize(low: int, high: int, zero: int) -> None:
    dtype = np.dtype(np.int8 if low < 0 else np.uint8)
    source = np.concatenate([special_floats(), random_floats(4001)])
    scale = np.array(0.037, np.float32)
    found = np.empty(source.shape, dtype)
    vector.quantize(source, np.broadcast_to(scale, source.shape), (zero, low, high), found)
    body = f"""
        q = Div(x, s) r = Round(q)
        z = Constant <value_float = {zero}.0> () a = Add(r, z)
        l = Constant <value_float = {low}.0> () h = Constant <value_float = {high}.0> ()
        c = Clip(a, l, h) y = Cast <to = {3 if low < 0 else 2}> (c)
    """
    wanted = judge(body, f"{TYPES[dtype.name]}[{len(source)}]", x=source, s=scale)
    assert_same_bits(found, wanted)


@pytest.mark.parametrize("biased", [False, True])
def test_dequantize(biased: bool) -> None:
    generator = np.random.default_rng(3)
    many = generator.integers(INTEGERS.min, INTEGERS.max, (40, 33), np.int32, endpoint=True)
    sums = np.concatenate([many, edge_integers()[:, None] + np.zeros((1, 33), np.int32)])
    scale = random_floats(33, 4)
    bias = random_floats(33, 5) if biased else None
    found = np.empty(sums.shape, np.float32)
    offset = None if bias is None else np.broadcast_to(bias, sums.shape)
    vector.dequantize(sums, np.broadcast_to(scale, sums.shape), offset, found)
    body = "f = Cast <to = 1> (x) p = Mul(f, s) " + (
        "y = Add(p, b)" if biased else "y = Identity(p)"
    )
    feeds = {"x": sums, "s": scale} | ({"b": bias} if bias is not None else {})
    assert_same_bits(found, judge(body, f"float[{len(sums)},33]", **feeds))


def test_sums_are_sequential() -> None:
    source = random_floats(37 * 3 * 301).reshape(37, 3, 301)
    found = vector.reduce(ReduceOperation.ADD, source, 2)
    body = """
        shape = Constant <value_ints = [37, 903]> () flat = Reshape(x, shape)
        axis = Constant <value_int = 1> () steps = CumSum(flat, axis)
        last = Constant <value_int = 902> () y = Gather <axis = 1> (steps, last)
    """
    assert_same_bits(found, judge(body, "float[37]", x=source))
    total = np.float32(0)
    for value in source[0].ravel():
        total += value
    assert found[0] == total
    assert found[0] != source[0].sum()


@pytest.mark.parametrize(
    ("operation", "before"), [(ReduceOperation.MAX, ""), (ReduceOperation.ABS_MAX, "Abs")]
)
@pytest.mark.parametrize("dtype", ["float32", "int32"])
def test_maxima(operation: ReduceOperation, before: str, dtype: str) -> None:
    values = random_floats(5 * 77) if dtype == "float32" else random_floats(5 * 77).view(np.int32)
    source = values.reshape(5, 77)
    found = vector.reduce(operation, source, 1)
    body = f"m = {before or 'Identity'}(x) axes = Constant <value_ints = [1]> ()"
    wanted = judge(f"{body} y = ReduceMax <keepdims = 0> (m, axes)", f"{TYPES[dtype]}[5]", x=source)
    assert_same_bits(found, wanted)


STRIDED: dict[str, Callable[[Array], Array]] = {
    "rows": lambda x: x[::3],
    "backwards": lambda x: x[::3, ::-2],
    "turned": lambda x: x.T,
    "channels": lambda x: x.reshape(8, 8, 9).transpose(0, 2, 1),
}


@pytest.mark.parametrize("level", _kernels.levels())
@pytest.mark.parametrize("view", STRIDED.values(), ids=STRIDED)
def test_strided_views_give_the_same_bits(view: Callable[[Array], Array], level: str) -> None:
    """Scales and biases change from row to row, or from column to column, or not at all."""
    reals = view(np.append(special_floats(), random_floats(64 * 9 - 19)).reshape(64, 9))
    sums = view(np.random.default_rng(1).integers(-(2**31), 2**31, (64, 9)).astype(np.int32))
    for scale in (random_floats(1, 2), random_floats(reals.shape[-1], 3), random_floats(64 * 9, 4)):
        steps = scale[: reals.size].reshape(reals.shape) if len(scale) == 64 * 9 else scale
        if reals.size < len(scale) or len(scale) < 64 * 9:
            steps = np.broadcast_to(scale[: reals.shape[-1]], reals.shape)
        codes, real, clipped = (view(np.zeros((64, 9), kind)) for kind in ("u1", "f4", "f4"))
        limits = {"zero": 3, "low": 0, "high": 200}
        _kernels.quantize(reals, steps, **limits, result=codes, level=level)
        _kernels.dequantize(sums, steps, steps, result=real, level=level)
        _kernels.clip(reals, low=-1.0, high=2.0, result=clipped, level=level)
        wanted = np.clip(np.rint(reals / steps) + np.float32(3), 0, 200)
        assert np.array_equal(codes, np.where(np.isnan(wanted), 0, wanted))
        assert_same_bits(real, sums.astype(np.float32) * steps + steps)
        assert_same_bits(clipped, np.clip(reals, np.float32(-1), np.float32(2)))


def test_a_result_may_be_its_source() -> None:
    memory = random_floats(40)
    wanted = np.clip(memory, 0, 1)
    vector.unary(UnaryOperation.CLIP, memory, 0, 1, memory)
    assert np.array_equal(memory, wanted)


def test_operands_lie_at_any_bytes() -> None:
    """Elements 6 bytes apart, from an odd address on."""
    memory = np.zeros((3, 400), np.uint8)
    odd = [np.ndarray((3, 19), np.float32, memory, start, (400, 6)) for start in (1, 131, 263)]
    odd[0][...] = special_floats()
    odd[1][...] = 0.37
    codes = np.empty(odd[0].shape, np.uint8)
    vector.quantize(odd[0], odd[1], (7, 0, 255), codes)
    wanted = np.clip(np.rint(special_floats() / np.float32(0.37)) + np.float32(7), 0, 255)
    assert np.array_equal(codes[1], np.where(np.isnan(wanted), 0, wanted))
    vector.unary(UnaryOperation.RELU, odd[0], 0, 0, odd[2])
    assert_same_bits(odd[2][2], np.where(special_floats() < 0, np.float32(0), special_floats()))


def test_operands_of_another_kind_are_refused() -> None:
    reals, sums = np.zeros((3, 4), np.float32), np.zeros((3, 4), np.int32)
    with pytest.raises(ValueError, match="shape"):
        _kernels.clip(reals[:, :3], low=0, high=1, result=reals)
    with pytest.raises(ValueError, match="shape"):
        _kernels.dequantize(sums, reals[0], None, result=reals)
    with pytest.raises(TypeError, match="float32"):
        _kernels.clip(reals.astype(float), low=0, high=1, result=reals)  # pyright: ignore[reportArgumentType]
    with pytest.raises(TypeError, match="uint8 or int8"):
        _kernels.quantize(reals, reals, zero=0, low=0, high=1, result=sums)  # pyright: ignore[reportArgumentType]
