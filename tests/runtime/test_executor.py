"""The executor on small programs: loops, messages, semaphores, the host, bounds and chunks."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import onnx.parser
import pytest
from numpy.typing import NDArray

from mcc.backends.crossbar import targets
from mcc.ir.diagnostics import MccError
from mcc.ir.hardware import Target
from mcc.ir.program import Constant, DType, HostCall, Image, Program, Region, Stream, Tile
from mcc.ir.program.checks import check
from mcc.ir.program.instructions import (
    Binary,
    BinaryOperation,
    CallHost,
    Copy,
    EndLoop,
    Fill,
    Halt,
    Instruction,
    Load,
    Loop,
    Mvm,
    Post,
    ProgramMacro,
    Recv,
    Reduce,
    ReduceOperation,
    Send,
    Store,
    Unary,
    UnaryOperation,
    Wait,
)
from mcc.runtime.arrays import ProgrammedArrays
from mcc.runtime.executor import Executor
from mcc.runtime.fidelity import Fidelity
from mcc.runtime.host import HostGraphs

Array = NDArray[Any]
F32, I32, U8, I64 = DType.FLOAT32, DType.INT32, DType.UINT8, DType.INT64


def small_target(cores: int = 1) -> Target:
    sizes: dict[str, Any] = {"chip.mesh_rows": 1, "chip.mesh_cols": cores}
    macro = {"macro.rows": 4, "macro.cols": 32, "macro.active_rows": 4, "core.macros": 1}
    return targets.load("rram40nm").with_values(sizes | macro)


def program(*cores: Sequence[Instruction], **fields: Any) -> Program:
    """Return a checked program with 1 KiB memories, input `x` at 0 and output `y` at 512."""
    defaults: dict[str, Any] = {
        "inputs": (Region("x", 0, F32, (8,)),),
        "outputs": (Region("y", 512, F32, (8,)),),
        "buffer_bytes": 1024,
        "memory_bytes": (1024,) * len(cores),
        "semaphores": 8,
    }
    code = tuple((*core, Halt()) for core in cores)
    found = Program(target=small_target(len(cores)), cores=code, **(defaults | fields))
    check(found)
    return found


def run(code: Program, x: Array, **options: Any) -> Array:
    arrays = ProgrammedArrays(code, Fidelity.EXACT)
    limit = {key: options.pop(key) for key in ("memory_limit",) if key in options}
    executor = Executor(code, arrays, HostGraphs(code.host_graphs), **limit)
    return executor.run({"x": x}, **options)["y"]


def samples(count: int = 3) -> Array:
    return np.random.default_rng(0).standard_normal((count, 8)).astype(np.float32)


def dense(base: int, count: int = 8, *steps: int) -> Stream:
    return Stream.dense(F32, base, (count,), steps)


def load(base: int = 0) -> Load:
    return Load(dense(base), dense(0))


def store(base: int = 0) -> Store:
    return Store(dense(512), dense(base))


def add(result: Stream, left: Stream, right: Stream) -> Binary:
    return Binary(BinaryOperation.ADD, result, left, right)


def test_nested_loops_count_like_an_odometer() -> None:
    one, place = Stream(F32, 900, ()), Stream(F32, 0, (), (96, 32, 8))
    code = program(
        [
            Fill(one, 1.0),
            *(Loop(count) for count in (2, 3, 4)),
            add(place, Stream(F32, 0, (), (96, 32, 8)), one),
            add(Stream(F32, 900, ()), one, Stream(F32, 900, ())),
            *(EndLoop() for _ in range(3)),
            Store(Stream.dense(F32, 512, (2, 3, 4)), Stream(F32, 0, ((2, 96), (3, 32), (4, 8)))),
        ],
        outputs=(Region("y", 512, F32, (24,)),),
    )
    wanted = 2.0 ** np.arange(24, dtype=np.float32)
    assert np.array_equal(run(code, samples()), np.stack([wanted] * 3))


def test_a_result_may_lie_over_its_source() -> None:
    """All elements are read before the first one is written."""
    code = program(
        [load(), Unary(UnaryOperation.RELU, dense(4), dense(0)), store(4)],
        outputs=(Region("y", 512, F32, (8,)),),
    )
    x = samples()
    assert np.array_equal(run(code, x), np.maximum(x, 0))


def test_streams_may_run_backwards_repeat_and_lie_unaligned() -> None:
    backwards = Stream(F32, 28 + 1, ((8, -4),))
    code = program(
        [
            Load(dense(1), dense(0)),
            Copy(dense(101), backwards),
            Fill(Stream(F32, 203, ()), 2.5),
            add(dense(101), dense(101), Stream(F32, 203, ((8, 0),))),
            store(101),
        ]
    )
    x = samples()
    assert np.array_equal(run(code, x), x[:, ::-1] + np.float32(2.5))


def test_an_instruction_may_write_where_it_reads() -> None:
    code = program(
        [
            load(),
            Unary(UnaryOperation.NEG, dense(4, 7), dense(0, 7)),
            Reduce(ReduceOperation.MAX, Stream(F32, 4, ()), dense(0), 1),
            store(),
        ]
    )
    x = samples()
    wanted = np.concatenate([x[:, :1], -x[:, :7]], axis=1)
    wanted[:, 1] = wanted.max(axis=1)
    assert np.array_equal(run(code, x), wanted)


@pytest.mark.parametrize(
    ("dtype", "value", "wanted"),
    [
        (I32, -7.0, -7),
        (I32, 2.0**31 - 1, 2**31 - 1),
        (F32, 0.1, np.float32(0.1)),
        (F32, 1e300, np.inf),
        (U8, 255.0, 255),
        (DType.BOOL, 1.0, True),
    ],
)
def test_fill_rounds_to_the_type(dtype: DType, value: float, wanted: float) -> None:
    local = Stream.dense(dtype, 0, (8,))
    code = program(
        [Fill(local, value), Store(Stream.dense(dtype, 512, (8,)), local)],
        outputs=(Region("y", 512, dtype, (8,)),),
    )
    assert np.array_equal(run(code, samples()), np.full((3, 8), wanted, dtype.numpy))


@pytest.mark.parametrize(("dtype", "value"), [(I32, 2.0**31), (U8, -1.0), (I32, float("inf"))])
def test_fill_refuses_what_the_type_does_not_reach(dtype: DType, value: float) -> None:
    with pytest.raises(MccError, match=f"is no {dtype}") as caught:
        run(program([Fill(Stream.dense(dtype, 0, (8,)), value)]), samples())
    assert caught.value.diagnostics[0].code == "program-invalid"


def ring(cores: int, rounds: int) -> Program:
    """Return cores that hand a vector around, each adding its number and one of its own."""
    bodies: list[list[Instruction]] = []
    for core in range(cores):
        before, after = (core - 1) % cores, (core + 1) % cores
        step: list[Instruction] = [add(dense(0), dense(0), dense(100))]
        turn = [Send(after, dense(0)), Recv(before, dense(0))]
        body = [*step, *turn] if core == 0 else [turn[1], *step, turn[0]]
        bodies.append([Fill(dense(100), float(core + 1)), Loop(rounds), *body, EndLoop()])
    bodies[0] = [load(), *bodies[0], store(), Post(0)]
    bodies[1].append(Wait(0))
    return program(*bodies)


@pytest.mark.parametrize("order", [None, *range(10)])
def test_messages_go_around_whatever_the_order_of_turns(order: int | None) -> None:
    x = samples()
    wanted = x.copy()
    for number in itertools.chain.from_iterable([[1, 2, 3, 4]] * 5):
        wanted += np.float32(number)
    assert np.array_equal(run(ring(4, 5), x, order=order), wanted)


@pytest.mark.parametrize("order", range(6))
def test_semaphores_order_the_use_of_the_buffer(order: int) -> None:
    """Two cores halve and exchange a tensor in the buffer, in step."""

    def core(number: int) -> list[Instruction]:
        mine = Stream.dense(F32, 16 * number, (4,))
        other = Stream.dense(F32, 16 * (1 - number), (4,))
        return [
            Loop(3),
            Load(dense(0, 4), other),
            Post(1 - number),
            Wait(number),
            add(dense(0, 4), dense(0, 4), dense(0, 4)),
            Store(mine, dense(0, 4)),
            Post(3 - number),
            Wait(2 + number),
            EndLoop(),
        ]

    last: list[Instruction] = [load(), store()]
    code = program([*core(0), *last], core(1))
    x = samples()
    wanted = 8 * np.concatenate([x[:, 4:], x[:, :4]], axis=1)
    assert np.array_equal(run(code, x, order=order), wanted)


def test_wait_takes_as_many_as_it_waited_for() -> None:
    code = program([load(), store(), Wait(0, 2), Wait(0, 1)], [Post(0), Post(0), Post(0)])
    assert np.array_equal(run(code, samples()), samples())


@pytest.mark.parametrize(
    ("cores", "reason"),
    [
        ([[Wait(3)], []], "core 0 at `wait` for semaphore 3 to reach 1"),
        ([[Send(1, dense(0))], []], "core 0 at `send` to core 1"),
        ([[Recv(1, dense(0))], [Recv(0, dense(0))]], "core 1 at `recv` from core 0"),
        ([[Send(1, dense(0)), Recv(1, dense(0))], [Send(0, dense(0)), Recv(0, dense(0))]], "send"),
    ],
)
def test_a_deadlock_names_who_waits_for_what(cores: list[list[Instruction]], reason: str) -> None:
    with pytest.raises(MccError, match=reason) as caught:
        run(program(*cores), samples())
    assert caught.value.diagnostics[0].code == "program-deadlock"


@pytest.mark.parametrize("stream", [dense(1000), Stream(F32, 4, ((8, -4),)), dense(0, 8, 600)])
def test_no_address_leaves_its_memory(stream: Stream) -> None:
    code = program([Loop(3), Fill(dense(0), 1.0), EndLoop()])
    cores = ((code.cores[0][0], Fill(stream, 1.0), *code.cores[0][2:]),)
    with pytest.raises(MccError, match="of the local memory of core 0, which has 1024") as caught:
        run(replace(code, cores=cores), samples())
    assert caught.value.diagnostics[0].code == "program-invalid"


def accumulator() -> Program:
    """Return a program whose samples would mix if chunks did: it writes all it reads."""
    constant = Constant.of("c", 256, np.arange(8, dtype=np.float32))
    body = [load(), Load(dense(64), dense(256)), add(dense(0), dense(0), dense(64)), store()]
    return program(body, constants=(constant,))


@pytest.mark.parametrize("limit", [1, 5000, 1 << 30])
@pytest.mark.parametrize("fill", [0, 0xA5])
def test_chunks_of_samples_do_not_mix(limit: int, fill: int) -> None:
    x = samples(7)
    found = run(accumulator(), x, memory_limit=limit, fill=fill)
    assert np.array_equal(found, x + np.arange(8, dtype=np.float32))


def test_progress_goes_from_nothing_to_all() -> None:
    told: list[float] = []
    run(ring(4, 5), samples(7), memory_limit=1, progress=told.append)
    assert len(told) > 7
    assert told == sorted(told)
    assert told[-1] == 1.0


def test_a_small_limit_makes_small_chunks() -> None:
    code = accumulator()
    executor = Executor(code, ProgrammedArrays(code, Fidelity.EXACT), HostGraphs(()), 5000)
    assert executor.chunk(7) == 2
    assert executor.chunk(1) == 1


def graph(text: str) -> bytes:
    return onnx.parser.parse_model(
        f'<ir_version: 9, opset_import: ["": 18]> {text}'
    ).SerializeToString()


DOUBLE = """g (float[8] a, int64[1] n) => (float[8] b, bool[8] c, int64 d) {
    f = Cast <to = 1> (n) b = Mul(a, f)
    z = Constant <value_float = 0.0> () c = Less(a, z)
    d = Squeeze(n)
}"""


def calling(text: str = DOUBLE, **changes: Region) -> Program:
    """Return a program that lets the host double the input."""
    regions = {
        "a": Region("a", 0, F32, (8,)),
        "n": Region("n", 96, I64, (1,)),
        "b": Region("b", 512, F32, (8,)),
        "c": Region("c", 600, DType.BOOL, (8,)),
        "d": Region("d", 616, I64, ()),
    } | changes
    call = HostCall(0, (regions["a"], regions["n"]), tuple(regions[k] for k in "bcd"), 8)
    constant = Constant.of("n", 96, np.array([2], np.int64))
    body: list[Instruction] = [CallHost(0)]
    tables: dict[str, Any] = {"host_calls": (call,), "host_graphs": (graph(text),)}
    return program(body, constants=(constant,), **tables)


@pytest.mark.parametrize("threads", [1, 2])
def test_the_host_runs_every_sample(threads: int) -> None:
    code, x = calling(), samples(5)
    executor = Executor(
        code, ProgrammedArrays(code, Fidelity.EXACT), HostGraphs(code.host_graphs, threads)
    )
    assert np.array_equal(executor.run({"x": x})["y"], 2 * x)


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (calling("g (float[8] a, int64[1] n) => (float[8] b) { b = Nonsense(a) }"), "not load"),
        (calling(DOUBLE.replace("float[8]", "float[7]")), "does not run"),
        (calling(d=Region("d", 616, I64, (1,))), r"gives `d` as int64 \(\), not as int64 \(1,\)"),
        (calling(c=Region("c", 600, U8, (8,))), "gives `c` as bool"),
    ],
)
def test_what_the_host_cannot_do_is_told(code: Program, reason: str) -> None:
    with pytest.raises(MccError, match=reason) as caught:
        run(code, samples())
    assert caught.value.diagnostics[0].code == "host-failed"


def swapping() -> Program:
    """Return a program that multiplies with an image, then with a second one in its place."""

    def tile(image: int) -> Tile:
        place: dict[str, Any] = {"core": 0, "macro": 0, "row": 0, "col": 0, "rows": 4, "cols": 2}
        bits: dict[str, Any] = {
            "weight_bits": 2,
            "input_bits": 8,
            "input_signed": False,
            "shift": 0,
        }
        return Tile(**place, **bits, flips=b"", image=image, node="layer", block=(0, 0))

    cells = np.zeros((2, 4, 32), np.uint8)
    cells[0, :, 0] = 1
    cells[1, :, 3] = 1
    images = tuple(Image(0, 0, states) for states in cells)
    codes, sums = Stream.dense(U8, 0, (4,)), Stream.dense(I32, 64, (2,))
    return program(
        [
            Load(codes, Stream.dense(U8, 0, (4,))),
            Fill(sums, 0.0),
            Mvm(0, codes, 1, sums),
            ProgramMacro(0, 1),
            Mvm(1, codes, 1, sums),
            Store(Stream.dense(I32, 512, (2,)), sums),
        ],
        inputs=(Region("x", 0, U8, (4,)),),
        outputs=(Region("y", 512, I32, (2,)),),
        tiles=(tile(0), tile(1)),
        images=images,
    )


@pytest.mark.parametrize("limit", [1, 1 << 30])
def test_every_chunk_starts_with_the_first_images(limit: int) -> None:
    x = np.random.default_rng(0).integers(0, 256, (3, 4)).astype(np.uint8)
    total = x.sum(axis=1, dtype=np.int32)
    found = run(swapping(), x, memory_limit=limit)
    assert np.array_equal(found, np.stack([total, -total], axis=1))
