"""Whole programs: chips too small in every way, order, sameness, refusals."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from mcc.backends.crossbar.generate import generate
from mcc.ir.diagnostics import MccError
from mcc.ir.hardware import Target
from mcc.ir.network import Network
from mcc.ir.program import Program
from mcc.ir.program.encoding import encode
from mcc.ir.program.instructions import Post, ProgramMacro, Recv, Send, Wait
from mcc.runtime.arrays import ProgrammedArrays
from mcc.runtime.executor import Executor
from mcc.runtime.fidelity import Fidelity
from mcc.runtime.host import HostGraphs
from tests.canonical_networks import constant, model
from tests.mapped_networks import assert_exact, chip, draw, mapped, race

SMALL: dict[str, Any] = {"macro__rows": 64, "macro__cols": 64, "macro__active_rows": 16}


def cores(rows: int, cols: int, macros: int, memory: int = 1 << 16) -> Target:
    return chip(
        **SMALL,
        chip__mesh_rows=rows,
        chip__mesh_cols=cols,
        core__macros=macros,
        core__memory__bytes=memory,
    )


def perceptron() -> Network:
    return model(
        "float[1,3,100] x",
        "float[1,3,20] y",
        f"{constant('a', 100, 40)}, {constant('b', 40, 60, seed=1)}, {constant('c', 60, 20)}",
        "h = MatMul(x, a) r = Relu(h) g = MatMul(r, b) s = Relu(g) y = MatMul(s, c)",
    )


def residual() -> Network:
    return model(
        "float[1,3,12,12] x",
        "float[1,7] y",
        f"""{constant("a", 16, 3, 3, 3)}, {constant("b", 32, 16, 3, 3)},
        {constant("d", 32, 32, 3, 3)}, {constant("v", 32, 7)}""",
        """c1 = Conv<pads=[1,1,1,1]>(x, a) r1 = Relu(c1)
        c2 = Conv<pads=[1,1,1,1], strides=[2,2]>(r1, b) r2 = Relu(c2)
        c3 = Conv<pads=[1,1,1,1]>(r2, d) s = Add(c3, r2) r3 = Relu(s)
        p = GlobalAveragePool(r3) f = Flatten(p) y = MatMul(f, v)""",
    )


def attention() -> Network:
    names = "qkvo"
    weights = ", ".join(constant(name, 16, 16, seed=i) for i, name in enumerate(names))
    return model(
        "float[1,6,16] x",
        "float[1,6,16] y",
        weights,
        """a = MatMul(x, q) b = MatMul(x, k) c = MatMul(x, v) t = Transpose<perm=[0,2,1]>(b)
        s = MatMul(a, t) p = Softmax(s) z = MatMul(p, c) u = MatMul(z, o) y = Add(u, x)""",
    )


def unet() -> Network:
    return model(
        "float[1,4,8,8] x",
        "float[1,3,8,8] y",
        f"""{constant("w", 6, 4, 3, 3)}, {constant("v", 6, 6, 3, 3)}, {constant("u", 3, 12, 1, 1)},
        float[4] s = {{1.0, 1.0, 2.0, 2.0}}""",
        """a = Conv<pads=[1,1,1,1]>(x, w) p = MaxPool<kernel_shape=[2,2], strides=[2,2]>(a)
        q = Conv<pads=[1,1,1,1]>(p, v) r = Relu(q)
        e = Resize<mode="nearest", coordinate_transformation_mode="asymmetric",
            nearest_mode="floor">(r, , s)
        c = Concat<axis=1>(e, a) y = Conv(c, u)""",
    )


NETWORKS = {"mlp": perceptron, "residual": residual, "attention": attention, "unet": unet}


def instructions(program: Program, kind: type[Any]) -> list[Any]:
    return [item for code in program.cores for item in code if isinstance(item, kind)]


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("options", ["", "granularity=token"])
def test_networks(name: str, options: str) -> None:
    for target in (chip(), chip("isaac")):
        assert_exact(NETWORKS[name](), target, options)


@pytest.mark.parametrize("mesh", [(1, 1), (1, 2), (4, 4)])
@pytest.mark.parametrize("macros", [1, 2, 7])
def test_chips_of_any_size(mesh: tuple[int, int], macros: int) -> None:
    for network in (perceptron(), residual()):
        made = assert_exact(network, cores(*mesh, macros, memory=2048))
        rounds = max(kernel.rounds for kernel in made.kernels)
        assert bool(made.findings) == bool(instructions(made.program, ProgramMacro))
        assert rounds == 1 or made.findings


def test_partial_sums_travel_between_cores() -> None:
    made = assert_exact(perceptron(), cores(6, 8, 1))
    sent, taken = instructions(made.program, Send), instructions(made.program, Recv)
    assert len(sent) == len(taken) > 0
    assert not made.findings


def test_what_time_multiplexing_costs_is_said() -> None:
    made = assert_exact(perceptron(), cores(1, 2, 7))
    [finding] = made.findings
    assert finding.code == "chip-too-small"
    writes = len(instructions(made.program, ProgramMacro))
    assert f"the chip has 14: {writes} macros are written in every run" in finding.message


def test_strict_refuses_time_multiplexing() -> None:
    target = cores(1, 2, 7)
    network = mapped(perceptron(), target)
    with pytest.raises(MccError, match=r"\[chip-too-small\]") as caught:
        generate(network, target, strict=True)
    assert caught.value.exit_code == 2
    generate(mapped(perceptron(), chip()), chip(), strict=True)


def test_small_tiles_share_macros_before_any_is_rewritten() -> None:
    made = assert_exact(attention(), chip(chip__mesh_rows=1, chip__mesh_cols=1, core__macros=1))
    assert not made.findings
    assert len(made.program.images) == 1
    assert len(made.program.tiles) == 4


def test_too_little_local_memory_is_refused_with_numbers() -> None:
    target = chip(core__memory__bytes=64)
    network = mapped(residual(), target)
    with pytest.raises(MccError, match=r"\[memory-too-small\].*needs \d+ bytes.*has 64"):
        generate(network, target)


def test_too_small_a_buffer_is_refused_with_numbers() -> None:
    target = chip(chip__buffer__bytes=1024)
    network = mapped(residual(), target)
    with pytest.raises(MccError, match=r"\[buffer-too-small\].*take \d+ bytes.*has 1024"):
        generate(network, target)


def test_the_same_network_gives_the_same_bytes() -> None:
    network = mapped(attention(), chip())
    first, second = generate(network, chip()), generate(network.clone(), chip())
    assert encode(first.program) == encode(second.program)
    assert first.program.host_graphs == second.program.host_graphs
    assert first.kernels == second.kernels


@pytest.mark.parametrize("name", NETWORKS)
def test_any_order_of_cores_gives_the_same(name: str) -> None:
    target = cores(3, 3, 4)
    network = mapped(NETWORKS[name](), target)
    program = generate(network, target).program
    feeds = draw(network, 2)
    runs: list[dict[str, np.ndarray[Any, Any]]] = []
    for order in (None, 1, 2, 3):
        arrays = ProgrammedArrays(program, Fidelity.EXACT)
        executor = Executor(program, arrays, HostGraphs(program.host_graphs))
        runs.append(executor.run(feeds, order=order, fill=order or 0))
    for other in runs[1:]:
        for key, array in runs[0].items():
            np.testing.assert_array_equal(other[key], array)


def test_without_its_signals_a_program_races() -> None:
    target = cores(3, 3, 4)
    program = generate(mapped(residual(), target), target).program
    assert race(program) is None
    silent = tuple(
        tuple(item for item in code if not isinstance(item, Post | Wait)) for code in program.cores
    )
    assert race(replace(program, cores=silent)) is not None


def test_a_converter_with_enough_bits_changes_nothing() -> None:
    target = chip()
    network = mapped(residual(), target)
    program = generate(network, target).program
    feeds = draw(network, 2)
    found = [
        Executor(program, ProgrammedArrays(program, fidelity), HostGraphs(program.host_graphs)).run(
            feeds
        )
        for fidelity in (Fidelity.EXACT, Fidelity.CONVERTER)
    ]
    for name, array in found[0].items():
        np.testing.assert_array_equal(found[1][name], array)


def test_every_instruction_names_its_node() -> None:
    network = mapped(unet(), chip())
    program = generate(network, chip()).program
    names = {node.name for node in network.graph}
    for core, code in enumerate(program.cores):
        for index in range(len(code) - 1):
            node = program.node(core, index)
            assert not node or node in names or node.startswith(("copy", "host"))


def test_kernels_tell_what_they_use() -> None:
    network = mapped(residual(), chip())
    made = generate(network, chip())
    run = [name for kernel in made.kernels for name in kernel.nodes]
    views = {"Flatten", "Reshape", "Squeeze"}
    wanted = [node.name for node in network.graph if node.op_type not in views]
    assert sorted(run) == sorted(name for name in wanted if name)
    tiles = [kernel.tiles for kernel in made.kernels]
    assert sum(tiles) == len(made.program.tiles)
    assert all(0 < kernel.utilisation <= 1 for kernel in made.kernels if kernel.tiles)
    assert made.kernels[0].to_dict()["cores"] == [0]
